"""The commands whose calls are struck: their playbooks, settings, and the state that they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAME, OWNER = "box", "alice"
TYPE, OTHER_TYPE = "m5d.4xlarge", "m6id.4xlarge"
ZONE, OTHER_ZONE = "us-east-1a", "us-east-1b"
# With all that makes calls of its own
SETTINGS: Mapping[str, object] = {
    "cloudtop_name": NAME,
    "cloudtop_owner": OWNER,
    "cloudtop_zone": ZONE,
    "cloudtop_instance_type": TYPE,
    "cloudtop_bid": 5,
    "cloudtop_elastic_ip": True,
    "cloudtop_snapshot_hours": 24,
    "cloudtop_idle_stop_minutes": 30,
    "cloudtop_idle_action": "terminate",
    "cloudtop_launch_deadline": 60,
}


@dataclass(frozen=True)
class Command:
    """``playbooks`` run for ``settings``, in the state that the command ``after`` has left."""

    playbooks: tuple[str, ...]
    after: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


# Programs on the machine itself are no calls: plays on it have no host here
COMMANDS: Mapping[str, Command] = {
    "provision": Command(("cloud", "machine")),
    "snapshot": Command(("snapshot",), "provision", {"cloudtop_snapshot_label": "good"}),
    "bake": Command(("bake",), "provision"),
    "switch-type": Command(
        ("cloud", "machine"),
        "provision",
        {"cloudtop_switch": True, "cloudtop_instance_type": OTHER_TYPE},
    ),
    "switch-zone": Command(
        ("switch_prepare", "switch_zone", "cloud", "machine"),
        "provision",
        {
            "cloudtop_switch": True,
            "cloudtop_switch_zone": OTHER_ZONE,
            "cloudtop_zone": OTHER_ZONE,
        },
    ),
    "restore": Command(
        ("restore_prepare", "restore"), "snapshot", {"cloudtop_restore_from": "good"}
    ),
    "stop": Command(("stop",), "provision"),
    "start": Command(("start",), "stop"),
    "destroy": Command(("destroy",), "provision"),
    "destroy-all": Command(("destroy",), "bake", {"cloudtop_delete_volume": NAME}),
}
