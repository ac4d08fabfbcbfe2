"""Calls as they stand on the wire: what other clients than botocore send, and what they read."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.cloud import KEY, OPENER, REGION, SECRET
from tests.localcloud.lab import Lab

OWNER = Credentials(KEY, SECRET)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def root(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.text)

    def values(self, name: str) -> list[str]:
        """The texts of all elements of that name."""
        return [str(one.text) for one in self.root.iter() if one.tag.rpartition("}")[2] == name]


def send(lab: Lab, body: str, signer: Credentials = OWNER) -> Answer:
    """The answer to a signed call of EC2; ``body`` is ``Action=…&InstanceId.0=…``."""
    url, data = f"{lab.endpoint}/", f"{body}&Version=2016-11-15".encode()
    call = AWSRequest("POST", url, data=data)
    SigV4Auth(signer, "ec2", REGION).add_auth(call)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **dict(call.headers.items())}
    request = urllib.request.Request(url, data, headers)
    try:
        with OPENER.open(request, timeout=10) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, dict(refused.headers), refused.read().decode())
