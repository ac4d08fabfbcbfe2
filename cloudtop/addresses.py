"""The cloudtop's Elastic IP, if it has one."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cloudtop import ec2


def of(client: Any, name: str, owner: str) -> list[dict[str, Any]]:
    """Addresses with the cloudtop's tags, as botocore returns them; more than one by accident.

    Credentials that may not look at addresses have never allocated one.
    """
    with ec2.plain_errors():
        try:
            found = client.describe_addresses(Filters=ec2.tag_filters(name, owner))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "UnauthorizedOperation":
                return []
            raise
    return list(found["Addresses"])
