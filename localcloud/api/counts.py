"""Counts of requests, volumes and machines: the part of ``status`` that only the cloud knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from localcloud.ec2.backend.whole import Backend


def counts(backends: Sequence[Backend]) -> dict[str, object]:
    """Counts by state, and a row for each instance that is not terminated."""
    instances = [i for b in backends for i in b.every_instance()]
    return {
        "instances": Counter(i.state for i in instances),
        "volumes": Counter(v.status for b in backends for v in b.volumes.values()),
        "requests": Counter(r.state for b in backends for r in b.spot_instance_requests.values()),
        "machines": [
            {
                "instance": i.id,
                "type": i.instance_type,
                "state": i.state,
                "address": i.address,
                "request": i.spot_instance_request_id,
            }
            for i in instances
            if i.live
        ],
    }
