"""The next step for a cloudtop's spot request: decided here, done by modules and tasks.

Pure: EC2 is looked at in ``ec2_requests``, and every rule that the command line has too is in
``cloudtop_rules``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError
from ansible.module_utils.ec2_requests import Picture, Request
from ansible.module_utils.request_refusals import (
    no_machine,
    refuse_strangers,
)

GENERATION, AT_REST = "cloudtop:generation", "cloudtop:at-rest"


@dataclass(frozen=True)
class Wanted:
    """The request that is wanted. ``types`` are in the order of preference; an empty image is
    what the SSM parameter names; ``deadline`` is seconds for a machine of each type."""

    types: Sequence[str]
    bid: float
    interruption: str = "terminate"
    image: str = ""
    key_name: str = ""
    security_group: str = ""
    instance_profile: str = ""
    root_size: int = 0
    deadline: int = 600
    # After it the request ends itself; empty for never
    valid_until: str = ""
    # When a live request is ended for one that is as wanted (cloudtop_rules.gives_way)
    switch: bool = False
    renew: bool = False


@dataclass(frozen=True)
class Launch:
    """All that EC2 can launch: the image, its root disk (GiB), and the types that the volume's zone
    offers, in the order of preference. ``stores`` are block device mappings for the instance-store
    disks of those types that have them only if the launch maps them."""

    image: str
    root_device: str
    root_size: int
    usable: list[str]
    stores: dict[str, list[dict[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """The steps that this run has taken so far; a plan hands it to the next one."""

    # Id of the request that was made, or that is waited for
    asked: str = ""
    is_new: bool = False
    # Seconds that EC2 has for its machine
    patience: int = 0
    # Requests that gave way as EC2 had no machine: instance_type, code and message of each
    tried: list[dict[str, Any]] = field(default_factory=list)
    # A request gave way to one that is as wanted
    replaced: bool = False
    # The client token led to a request of the past, once for this type
    past: bool = False
    # The highest generation of a request that this run has ended
    generation: int = 0


@dataclass(frozen=True)
class Plan:
    """The one next step, and what the tasks need for it.

    ``step`` is one of: ``look`` at what EC2 can launch, ``end`` the live request, ``ask`` for
    one, ``wait`` for its machine, and of a request that has one: ``start`` it, ``adopt`` it (tags
    are missing), ``keep`` it as it is.
    """

    step: str
    run: Run
    notes: list[str] = field(default_factory=list)
    # For ``ask``: the options of amazon.aws.ec2_spot_instance, and the volume's tags before it
    request: dict[str, Any] = field(default_factory=dict)
    mark: dict[str, str] = field(default_factory=dict)
    unmark: dict[str, str] = field(default_factory=dict)
    # The request that is kept
    kept: Request | None = None


def plan(
    cloudtop: Cloudtop,
    wanted: Wanted,
    picture: Picture,
    run: Run,
    launch: Launch | None = None,
    check: bool = False,
) -> Plan:
    """The next step, by what EC2 shows now and what this run has done.

    Killed anywhere and run again, an empty ``run`` leads on from what EC2 shows. In check mode
    what was ended only in words counts as ended, and nobody waits. Raises RefusedError if
    nothing may be done. The step is ``look`` while it depends on a ``launch`` that is not given.
    """
    ends = wanted.switch or wanted.renew
    if run == Run() and ends and picture.orphans and not picture.live:
        # A switch or a renewal was cut off between its request's end and its machine's
        refuse_strangers(cloudtop, replace(picture, orphans=[]))
        if launch is None:
            return Plan("look", run)
        dead = max((each.generation for each in picture.dead), default=0)
        return Plan("end", replace(run, replaced=True, generation=dead))
    if run == Run():
        refuse_strangers(cloudtop, picture)
    if run.asked:
        return _after_waiting(wanted, picture, run, launch, cloudtop)
    if picture.live and not (check and run.replaced):
        return _live(cloudtop, wanted, picture.live[0], run, launch, check)
    return _ask(cloudtop, wanted, picture, run, launch)


def next_type(types: Sequence[str], usable: Sequence[str], now: str) -> tuple[str, bool]:
    """The type to ask for after ``now``, and whether all have had their time then.

    The first comes again after the last; a type that is not listed stays.
    """
    if now not in types:
        return now, True
    after = [each for each in types[types.index(now) + 1 :] if each in usable]
    return (after[0], False) if after else (usable[0], True)


def marks(volume_tags: dict[str, str], *generations: int) -> dict[str, str]:
    """The tag for a volume whose next request comes after ``generations``; nothing if it has it.

    The generation is the number behind the client token. It is raised on the volume before the
    request, so that a run that is killed in between and comes again asks with the same token.
    """
    now = str(volume_tags.get(GENERATION, "1"))
    number = str(max([int(now) if now.isdigit() else 1, *(each + 1 for each in generations)]))
    return {} if number == now else {GENERATION: number}


def missing_tags(cloudtop: Cloudtop, instance: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The tags that a machine and its root disk lack, by their ids, the machine first.

    A request's tags do not reach what it launches, and a relaunch loses those given before.
    With its role a root disk is no persistent volume.
    """
    if not instance:
        return {}
    wanted = {instance["id"]: (cloudtop.tags, instance["tags"])}
    if instance["root_volume"]:
        root = {**cloudtop.tags, "cloudtop:role": "root"}
        wanted[instance["root_volume"]] = (root, instance["root_tags"])
    lacking = {
        resource: {key: value for key, value in tags.items() if now.get(key) != value}
        for resource, (tags, now) in wanted.items()
    }
    return {resource: tags for resource, tags in lacking.items() if tags}


def facts(request: Request, disks: int) -> dict[str, Any]:
    """The role's fact ``spot_request_facts``."""
    instance = request.instance
    return {
        "id": request.id,
        "instance": instance.get("id", ""),
        "address": instance.get("address", ""),
        "zone": instance.get("zone", ""),
        "instance_type": instance.get("type", ""),
        "disks": disks if instance else -1,
        "profile": instance.get("profile", ""),
    }


def passed_over(cloudtop: Cloudtop, types: Sequence[str], usable: Sequence[str]) -> list[str]:
    """A note on the listed types that can't be where the volume is, if there are any."""
    others = [each for each in types if each not in usable]
    note = f"{' and '.join(others)} can't be had in {cloudtop.volume['zone']}: passed over."
    return [note] if others else []


def _live(
    cloudtop: Cloudtop,
    wanted: Wanted,
    request: Request,
    run: Run,
    launch: Launch | None,
    check: bool,
) -> Plan:
    """A request is there: it is kept, or gives way to one that is as wanted."""
    differing = rules.differences(
        request.ec2,
        wanted.types[:1] if wanted.switch else wanted.types,
        wanted.bid,
        wanted.interruption,
        wanted.image,
        wanted.key_name,
        wanted.instance_profile,
        wanted.valid_until,
    )
    gives_way = rules.gives_way(differing, wanted.switch, wanted.renew)
    if gives_way and not (run.replaced or run.tried):
        # This ends the machine, so that there can be another is proven first
        if launch is None:
            return Plan("look", run)
        return Plan("end", replace(run, replaced=True, generation=request.generation))
    notes = _kept_notes(wanted, request, differing)
    if request.verdict == "waiting" and not check:
        waiting = replace(run, asked=request.id, is_new=False, patience=wanted.deadline)
        return Plan("wait", waiting, notes)
    return replace(_settled(cloudtop, wanted, request, request.id, run, check), notes=notes)


DESTROY_PROVISION = "python runner.py destroy, then: python runner.py provision"


def _kept_notes(
    wanted: Wanted, request: Request, differing: Sequence[rules.Difference]
) -> list[str]:
    ways = {
        "image": "python runner.py provision -e cloudtop_renew=true",
        # Settings do not name these two, so a switch does not see them
        "key pair": DESTROY_PROVISION,
        "instance profile": DESTROY_PROVISION,
    }
    notes = [
        f"The request {request.id} is kept as it is, and its {each.what} is {each.now}, not"
        f" {each.wanted}: nothing of a live request can be changed. To have it, with the same"
        f" volume: {ways.get(each.what, 'python runner.py switch')}."
        for each in differing
    ]
    kind = request.instance_type
    if request.state != "open" and kind in wanted.types[1:]:
        notes.append(
            f"The machine is {kind}, a further type, and is kept: going back to"
            f" {wanted.types[0]} would end it. To do that, with the same volume: python runner.py"
            " switch."
        )
    return notes


def _ask(
    cloudtop: Cloudtop, wanted: Wanted, picture: Picture, run: Run, launch: Launch | None
) -> Plan:
    """There is no live request: one is asked for."""
    if launch is None:
        return Plan("look", run)
    kind, last = launch.usable[0], False
    if run.tried:
        kind, last = next_type(wanted.types, launch.usable, run.tried[-1]["instance_type"])
    tags = cloudtop.volume["tags"]
    dead = [each.generation for each in picture.dead]
    mark = marks(tags, run.generation, *dead)
    generation = mark.get(GENERATION, str(tags.get(GENERATION, "1")))
    lies = bool(cloudtop.volume["id"])
    return Plan(
        "ask",
        # The first type has had its time before: its request is kept without waiting once more
        replace(run, asked="", is_new=True, patience=0 if last else wanted.deadline),
        request=_request(cloudtop, wanted, launch, kind, generation),
        mark=mark if lies else {},
        # A volume on its way to another zone is copied while no machine has it: now one may
        unmark={AT_REST: tags[AT_REST]} if lies and AT_REST in tags else {},
    )


def _request(
    cloudtop: Cloudtop, wanted: Wanted, launch: Launch, kind: str, generation: str
) -> dict[str, Any]:
    """The options of amazon.aws.ec2_spot_instance."""
    parts = [cloudtop.owner, cloudtop.name, cloudtop.volume["id"]]
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return {
        "client_token": f"cloudtop-{digest[:24]}-g{generation}",
        "spot_price": f"{wanted.bid:.6f}",
        "interruption": wanted.interruption,
        "valid_until": rules.date_text(wanted.valid_until),
        "launch_specification": {
            "image_id": launch.image,
            "instance_type": kind,
            "key_name": wanted.key_name,
            "security_group_ids": [wanted.security_group],
            **(
                {"iam_instance_profile": {"name": wanted.instance_profile}}
                if wanted.instance_profile
                else {}
            ),
            "placement": {"availability_zone": cloudtop.volume["zone"]},
            # Nothing at xvdj: an entry there would be a new, empty disk at every relaunch
            "block_device_mappings": [
                {
                    "device_name": launch.root_device,
                    "ebs": {
                        # An image's root can't be made smaller
                        "volume_size": max(wanted.root_size, launch.root_size),
                        "volume_type": "gp3",
                        "encrypted": True,
                        "delete_on_termination": True,
                    },
                },
                *launch.stores.get(kind, []),
            ],
        },
        "tags": {**cloudtop.tags, GENERATION: generation},
    }


def _after_waiting(
    wanted: Wanted, picture: Picture, run: Run, launch: Launch | None, cloudtop: Cloudtop
) -> Plan:
    """EC2 has had its time for the request: its machine is there, or another type is tried."""
    request = picture.request(run.asked)
    ended = request is not None and request.state in ("cancelled", "closed")
    if request and ended and request.verdict == "dead" and run.is_new and not run.past:
        # A client token that EC2 remembers longer than the request itself led to that dead request
        again = replace(run, asked="", past=True, generation=request.generation)
        return _ask(cloudtop, wanted, picture, again, launch)
    lacking = request is not None and rules.has_alternative(
        request.ec2, wanted.types, bool(request.instance)
    )
    if (lacking or run.tried) and launch is None:
        return Plan("look", run)
    had_all = (
        bool(launch and run.tried)
        and next_type(
            wanted.types, launch.usable if launch else [], run.tried[-1]["instance_type"]
        )[1]
    )
    if request and launch and lacking and not had_all:
        kind, last = next_type(wanted.types, launch.usable, request.instance_type)
        if kind != request.instance_type:
            return _give_way(wanted, request, run, kind, last)
    if had_all and (request is None or request.verdict == "waiting"):
        raise RefusedError(_none_of_any(wanted, run, request, launch))
    return _settled(cloudtop, wanted, request, run.asked, run, check=False)


def _give_way(wanted: Wanted, request: Request, run: Run, kind: str, last: bool) -> Plan:
    """EC2 has no machine of this type: its request ends, and another type is next."""
    tried = {
        "instance_type": request.instance_type,
        "code": request.code,
        "message": request.message,
    }
    return Plan(
        "end",
        Run(tried=[*run.tried, tried], replaced=True, generation=request.generation),
        [
            f"EC2 had no {request.instance_type} within {wanted.deadline} s ({request.code}), so"
            f" {kind} is requested{' again' if last else ''}."
        ],
    )


def _none_of_any(wanted: Wanted, run: Run, request: Request | None, launch: Launch | None) -> str:
    tried = ", ".join(
        f"{each['instance_type']} ({each['code']}: {each['message']})" for each in run.tried
    )
    kind = request.instance_type if request else launch.usable[0] if launch else ""
    return (
        f"EC2 had no machine of any type within {wanted.deadline} s of each: {tried}; the request"
        f" {run.asked} for {kind} is kept and EC2 goes on trying for that; look again later with:"
        " python runner.py provision"
    )


def _settled(
    cloudtop: Cloudtop,
    wanted: Wanted,
    request: Request | None,
    request_id: str,
    run: Run,
    check: bool,
) -> Plan:
    """The last step for a request that nobody waits for any more."""
    verdict = request.verdict if request else "none"
    if verdict == "stopped-by-user":
        return Plan("start", run, kept=request)
    if request is None or (verdict != "running" and not check):
        raise RefusedError(no_machine(request, request_id, wanted.deadline))
    lacks = missing_tags(cloudtop, request.instance)
    return Plan("adopt" if lacks else "keep", run, kept=request)
