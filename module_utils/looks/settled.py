"""Answers of modules by a look of the same play, if nothing is to be done by it. Pure.

A look is of before: whoever acts looks again. So there is no answer here that makes anything, and
none if the play knows otherwise by now (the option ``expected``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils import (
    access_plan,
    image_plan,
    persistent_volume_plan,
    request_plan,
    snapshot_schedule_plan,
)
from ansible.module_utils import request_refusals as refusals
from ansible.module_utils.cloudtop_resources import Address, Snapshot
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError
from ansible.module_utils.looks.look import Look, NotShownError
from ansible.module_utils.parsing.convert_bool import boolean

Options = Mapping[str, Any]
Answer = dict[str, Any] | None

# Options of dlm_policy_once that are not given
SCHEDULE = {"name": "cloudtop", "time": "03:00"}
# Options of ec2_spot_request_plan that are texts, and what they are if they are not given
TEXTS = {
    "interruption": "terminate",
    "image": "",
    "key_name": "",
    "security_group": "",
    "instance_profile": "",
    "valid_until": "",
}


def answer(module: str, options: Options, now: float, check: bool) -> Answer:
    """The module's result by the look in its options, None if it has to look for itself.

    ``now`` is seconds since 1970; ``check`` is Ansible's check mode.
    """
    shown = options.get("look") or {}
    identity = options.get("identity") or {}
    cloudtop = Cloudtop(
        str(identity.get("cloudtop:name") or options.get("name", "")),
        str(identity.get("cloudtop:owner") or options.get("owner", "")),
        str(options.get("region", "")),
        options.get("volume") or dict(persistent_volume_plan.NOBODY),
    )
    look = Look.of(shown, cloudtop, now) if shown else None
    if look is None:
        return None
    try:
        return ANSWERS[module](look, options, check)
    except (RefusedError, NotShownError):
        # A refusal is of the moment in which it is said
        return None


def volume(look: Look, options: Options, check: bool) -> Answer:
    """For ec2_persistent_volume_plan, if there is one volume and it is as wanted."""
    persistent_volume_plan.refuse_name(look.cloudtop)
    volumes, moved_to = look.volumes, options.get("moved_to", "") if check else ""
    one = persistent_volume_plan.find(look.cloudtop, volumes)
    if one is None or options["question"] == "absent" or moved_to:
        return None
    if options["question"] == "find":
        return asdict(persistent_volume_plan.Plan("keep", persistent_volume_plan.shown(one)))
    wanted = persistent_volume_plan.Wanted(
        types=[options["instance_type"], *options.get("instance_types", [])],
        size=int(options.get("size", 0)),
        zone=options.get("zone", ""),
    )
    world = persistent_volume_plan.World(volumes)
    following = persistent_volume_plan.plan(look.cloudtop, wanted, world)
    return asdict(following) if following.step == "keep" else None


def address(look: Look, options: Options, _check: bool) -> Answer:
    """For ec2_address_once, if there is one address or none, as wanted, and the machine has it."""
    addresses = [Address.from_ec2(each) for each in look.own("addresses")]
    one = addresses[0] if addresses else Address("")
    expected = options.get("expected") or {}
    allocate, associate = (boolean(options.get(key, False)) for key in ("allocate", "associate"))
    unsettled = (
        options.get("state", "present") != "present"
        or len(addresses) > 1
        or (allocate and not addresses)
        or expected.get("id", one.allocation_id) != one.allocation_id
    )
    if unsettled:
        return None
    if associate and addresses:
        machine = running_machine(look)
        if machine != expected.get("instance", machine) or machine not in ("", one.instance_id):
            return None
    shown = {"id": one.allocation_id, "address": one.public_ip, "instance": one.instance_id}
    return {"address": shown, "released": []}


def schedule(look: Look, options: Options, _check: bool) -> Answer:
    """For ec2_snapshot_schedule_plan, if no mark changes and no snapshot goes.

    Whether the role's policy allows what it shall is asked by who writes it.
    """
    keep = int(options.get("keep", 7))
    if options["question"] == "left":
        taken = [Snapshot.from_ec2(each) for each in look.own("snapshots")]
        left = snapshot_schedule_plan.left_behind(
            look.cloudtop, taken, options["volume"], options["policy"]
        )
        return None if left[keep:] else {"old": []}
    if options["question"] != "set":
        return None
    snapshot_schedule_plan.refuse_keep(keep)
    marks = snapshot_schedule_plan.marks(look.cloudtop, look.volumes, "set", options["volume"])
    name, shown = options["role"], look.part("schedule_role")
    if marks.mark or marks.unmark or shown.get("RoleName") != name:
        return None
    policy = look.part("schedule_policy")
    role = snapshot_schedule_plan.role(look.cloudtop, name, shown, policy)
    return {**asdict(marks), "role": asdict(role)}


def schedule_policy(look: Look, options: Options, _check: bool) -> Answer:
    """For dlm_policy_once, if there is one policy and it is as wanted."""
    schedules = look.part("schedules")
    if options.get("state", "present") != "present" or len(schedules) != 1:
        return None
    numbers = {key: int(options[key]) for key in ("hours", "keep")}
    wanted = snapshot_schedule_plan.wanted_policy({**SCHEDULE, **options, **numbers})
    if not snapshot_schedule_plan.holds(schedules[0], wanted):
        return None
    return {"policy": schedules[0]["PolicyId"]}


def running_machine(look: Look) -> str:
    """Id of the running instance of the live request, or empty."""
    machines = [each.instance for each in look.picture.live]
    return next((str(each["id"]) for each in machines if each.get("state") == "running"), "")


def access(look: Look, options: Options, _check: bool) -> Answer:
    """For ec2_access_plan, if the port is open to the caller alone, and the rest is there.

    Whether the policy allows what it shall is asked by who writes it.
    """
    url, wanted = options["caller_url"], options.get("ssh_cidr", "")
    caller = access_plan.Caller(url, "" if wanted else look.part("caller"))
    cidr = access_plan.ssh_range(wanted, caller)
    group = options["group"]
    groups = [each for each in look.own("groups") if each["GroupName"] == group]
    opened = access_plan.plan(look.cloudtop, group, groups, cidr)
    pair, name = options.get("pair", ""), options.get("iam_name", "")
    has_pair = pair in [each["KeyName"] for each in look.own("pairs")] if pair else False
    profile = access_plan.Profile()
    if name:
        shown = look.part("profile")
        if shown.get("InstanceProfileName") != name:
            return None
        profile = access_plan.profile(look.cloudtop, name, shown, look.part("policy"))
    missing = (pair and not has_pair) or (name and not profile.has_role)
    if opened.step != "keep" or missing:
        return None
    return {**asdict(opened), "has_pair": has_pair, "profile": asdict(profile)}


def image(look: Look, options: Options, _check: bool) -> Answer:
    """For ec2_image_plan, for the newest image."""
    if options["question"] != "find":
        return None
    return {"image": image_plan.newest(look.cloudtop, look.images)}


def request(look: Look, options: Options, check: bool) -> Answer:
    """For ec2_spot_request_plan, if the live request is kept and its machine runs with its tags."""
    if options.get("run"):
        return None
    wanted = request_plan.Wanted(
        types=list(dict.fromkeys([options["instance_type"], *options.get("instance_types", [])])),
        bid=float(options["bid"]),
        **{key: options.get(key, usual) for key, usual in TEXTS.items()},
        deadline=int(options.get("deadline", 600)),
        switch=boolean(options.get("switch", False)),
        renew=boolean(options.get("renew", False)),
    )
    following = request_plan.plan(
        look.cloudtop, wanted, look.picture, request_plan.Run(), check=check
    )
    kept = following.kept
    if following.step != "keep" or kept is None or not kept.instance:
        return None
    return {
        "step": following.step,
        "notes": following.notes,
        "request": {},
        "mark": {},
        "unmark": {},
        "run": asdict(following.run),
        "launch": {},
        "facts": request_plan.facts(kept, look.disks(kept.instance["type"])),
    }


def machine(look: Look, options: Options, _check: bool) -> Answer:
    """For ec2_spot_machine, if the machine runs and is at the address that the play knows."""
    if options.get("state", "found") != "found":
        return None
    picture = look.picture
    refusals.refuse_strangers(look.cloudtop, picture)
    if refusals.missing(look.cloudtop, picture, options.get("inventory", [])):
        return None
    kept = picture.live[0]
    expected = options.get("expected") or {}
    if expected.get("address", kept.instance["address"]) != kept.instance["address"]:
        return None
    facts = request_plan.facts(kept, look.disks(kept.instance["type"]))
    return {"facts": facts, "steps": []}


ANSWERS: Mapping[str, Callable[[Look, Options, bool], Answer]] = {
    "dlm_policy_once": schedule_policy,
    "ec2_access_plan": access,
    "ec2_address_once": address,
    "ec2_image_plan": image,
    "ec2_persistent_volume_plan": volume,
    "ec2_snapshot_schedule_plan": schedule,
    "ec2_spot_machine": machine,
    "ec2_spot_request_plan": request,
}
