"""The tasks of a dry run that would change something, read as resources with their costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudtop import rates
from cloudtop.aws import holdings
from cloudtop.aws.holdings import Holding

MAKE, CHANGE, END = "make", "change", "end"
GROUP, KEY, ROLE, PROFILE = "security group", "key pair", "role", "instance profile"
SCHEDULE, TAGS = "schedule", "tags of"
HERE, THERE = "this computer", "on the machine"
# Tags of snapshots and volumes that are made on the way and do not outlive the run
PASSING = ({"cloudtop:role": "copy"}.items(), {"cloudtop:early"})


@dataclass(frozen=True)
class Item:
    """A resource that would be made, changed or ended.

    ``name`` is EC2's id, empty while there is none. ``month`` is dollars a month at most; for a
    change, by how much it differs. A ``passing`` one is made and ended in the same run.
    """

    verb: str
    kind: str
    name: str = ""
    text: str = ""
    month: float = 0.0
    passing: bool = False


@dataclass(frozen=True)
class Deed:
    """A task that would change something: its module without the collection, its arguments, and
    what the module answered in check mode."""

    module: str
    task: str
    host: str
    arguments: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def absent(self) -> bool:
        return bool(self.arguments.get("state") == "absent")


Reader = Callable[[Deed, Sequence[Holding]], Iterable[Item]]


def read(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    """The resources of a task; ``known`` are the owner's that are there now."""
    return READERS.get(deed.module, _other)(deed, known)


def ends(ids: Iterable[str], known: Sequence[Holding]) -> list[Item]:
    """The end of resources and of what goes with them."""
    wanted = list(ids)
    parts = holdings.with_parts(wanted, known)
    items = [Item(END, each.kind, each.id, each.text, each.month) for each in parts]
    # EC2 may have more than the tags show
    strange = set(wanted) - {each.id for each in parts}
    return items + [Item(END, _kind(each), each) for each in wanted if each in strange]


def machine(kind: str, bid: float, zone: str, root_gib: int) -> Iterator[Item]:
    """A request with what EC2 makes for it; ``bid`` is dollars an hour."""
    month = rates.worst_month(bid, 0, root_gib)
    place = f"{kind} in {zone}" if zone else kind
    yield Item(MAKE, holdings.REQUEST, text=f"{place} at ${bid:g}/h")
    yield Item(MAKE, holdings.MACHINE, text=place, month=month.machine)
    yield Item(MAKE, holdings.ROOT, text=f"{root_gib} GiB", month=month.root)
    yield Item(MAKE, holdings.PUBLIC, month=month.address)


def _kind(ident: str) -> str:
    kinds = {
        "sir": holdings.REQUEST,
        "i": holdings.MACHINE,
        "vol": holdings.VOLUME,
        "snap": holdings.SNAPSHOT,
        "ami": holdings.IMAGE,
        "eipalloc": holdings.ELASTIC,
    }
    return kinds.get(ident.partition("-")[0], "resource")


def _one(ident: str, known: Sequence[Holding]) -> Holding:
    return next((each for each in known if each.id == ident), Holding(_kind(ident), ident, ""))


def _passes(tags: Mapping[str, str]) -> bool:
    return PASSING[0] <= tags.items() or bool(PASSING[1] & tags.keys())


def _volume_once(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    size, origin = int(deed.arguments["size"]), deed.arguments.get("snapshot")
    text = f"{size} GiB in {deed.arguments['zone']}" + (f", of {origin}" if origin else "")
    yield Item(MAKE, holdings.VOLUME, text=text, month=rates.disk_month(size))


def _volume(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    given = deed.arguments
    if deed.absent:
        yield from ends([given["id"]], known)
    elif not given.get("id"):
        size = int(given.get("volume_size") or 0)
        passing = _passes(given.get("tags") or {})
        month = rates.disk_month(size)
        yield Item(MAKE, holdings.COPY, "", f"{size} GiB in {given['zone']}", month, passing)


def _volume_grown(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    size, now = int(deed.arguments["size"]), _one(deed.arguments["volume"], known)
    more = rates.disk_month(size) - now.month
    yield Item(CHANGE, holdings.VOLUME, now.id, f"grows to {size} GiB", more)


def _snapshot(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    if deed.absent:
        return ends([deed.arguments["snapshot_id"]], known)
    tags, gib = deed.arguments.get("snapshot_tags") or {}, int(deed.result.get("volume_size") or 0)
    text = f"{tags.get('cloudtop:label') or 'of the root disk'}, {gib} GiB"
    return [Item(MAKE, holdings.SNAPSHOT, "", text, rates.snapshots(gib), _passes(tags))]


def _snapshot_once(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    tags, gib = deed.arguments["tags"], int(deed.result["volume_size"])
    text = f"{tags['cloudtop:label']}, {gib} GiB"
    yield Item(MAKE, holdings.SNAPSHOT, "", text, rates.snapshots(gib), _passes(tags))


def _image_gone(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    return ends([deed.arguments["image_id"]], known)


def _image(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    yield Item(MAKE, holdings.IMAGE, text="of that snapshot")


def _key_pair(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    yield Item(END if deed.absent else MAKE, KEY, deed.arguments["name"])


def _group(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    given = deed.arguments
    if deed.absent:
        yield Item(END, GROUP, given.get("group_id") or given.get("name") or "")
        return
    rules = [rule for rule in given.get("rules") or [] if isinstance(rule, dict)]
    ranges = ", ".join(str(_first(rule.get("cidr_ip"))) for rule in rules)
    ident = deed.result.get("group_id") or ""
    yield Item(
        CHANGE if ident else MAKE, GROUP, ident or given["name"], f"port 22 open to {ranges}"
    )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _role(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    name = deed.arguments["name"]
    yield Item(END if deed.absent else MAKE, ROLE, name)
    if deed.absent and deed.arguments.get("delete_instance_profile"):
        yield Item(END, PROFILE, name)


def _profile(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    yield Item(END if deed.absent else MAKE, PROFILE, deed.arguments["name"])


def _policy(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    """Those of a role go with it."""
    if not deed.absent:
        yield Item(CHANGE, ROLE, deed.arguments["iam_name"], "what it may do")


def _tags(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    names = ", ".join(deed.arguments.get("tags") or {})
    yield Item(CHANGE, TAGS, deed.arguments["resource"], names)


def _schedule(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    given, ident = deed.arguments, str(deed.result.get("policy") or "")
    if deed.absent:
        yield Item(END, SCHEDULE, text="its snapshots are kept")
        return
    text = f"a snapshot every {given['hours']} h, the newest {given['keep']} kept"
    yield Item(CHANGE if ident else MAKE, SCHEDULE, ident, text)


def _address(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    given, answer = deed.arguments, deed.result.get("address") or {}
    yield from ends(deed.result.get("released") or [], known)
    if deed.absent or deed.result.get("released"):
        return
    if given.get("associate"):
        yield Item(CHANGE, holdings.ELASTIC, answer.get("id", ""), "goes to the machine")
    else:
        yield Item(MAKE, holdings.ELASTIC, month=rates.address_month())


def _request(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    given = deed.arguments
    wanted = given["launch_specification"]
    zone = (wanted.get("placement") or {}).get("availability_zone") or ""
    # The root disk comes first
    root = wanted["block_device_mappings"][0]["ebs"]["volume_size"]
    return machine(wanted["instance_type"], float(given["spot_price"]), zone, int(root))


def _request_end(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    return ends([*deed.result["cancelled"], *deed.result["terminated"]], known)


def _power(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    for step in deed.result.get("steps") or []:
        now = _one(step["id"], known)
        # An Elastic IP goes on, the machine's own address does not
        own = [each for each in known if each.parent == now.id and each.kind == holdings.PUBLIC]
        elastic = any(each.kind == holdings.ELASTIC and each.name == now.name for each in known)
        if step["step"] == "stop":
            month = now.month + sum(each.month for each in own)
            yield Item(CHANGE, holdings.MACHINE, now.id, "stops; its array is lost", -month)
        elif step["step"] == "start":
            month = now.full + (0 if elastic else rates.address_month())
            yield Item(CHANGE, holdings.MACHINE, now.id, "starts", month)
        else:
            yield Item(CHANGE, TAGS, now.id, "cloudtop's own")


def _terminated(deed: Deed, known: Sequence[Holding]) -> Iterable[Item]:
    return ends(deed.arguments["instance_ids"], known)


def _on_machine(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    return [Item(CHANGE, THERE, text=sentence) for sentence in deed.result.get("done") or []]


def _other(deed: Deed, _known: Sequence[Holding]) -> Iterable[Item]:
    """Any other task is said in its own words, so that nothing is left out."""
    words = re.sub(r"^(?:[^|]*\| )?(?:Ensure )?", "", deed.task)
    place = HERE if deed.host == "localhost" or deed.module == "dotfiles_bundle" else THERE
    yield Item(CHANGE, place, text=words)


READERS: Mapping[str, Reader] = {
    "dlm_policy_once": _schedule,
    "ec2_address_once": _address,
    "ec2_ami": _image_gone,
    "ec2_image_of_snapshot": _image,
    "ec2_instance": _terminated,
    "ec2_key": _key_pair,
    "ec2_security_group": _group,
    "ec2_snapshot": _snapshot,
    "ec2_snapshot_once": _snapshot_once,
    "ec2_spot_instance": _request,
    "ec2_spot_machine": _power,
    "ec2_spot_request_end": _request_end,
    "ec2_tag": _tags,
    "ec2_vol": _volume,
    "ec2_volume_grown": _volume_grown,
    "ec2_volume_once": _volume_once,
    "iam_instance_profile": _profile,
    "iam_policy": _policy,
    "iam_role": _role,
    "machine_state": _on_machine,
}
