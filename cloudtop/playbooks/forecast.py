"""The forecast of a dry run: what playbooks in Ansible's check mode say that they would do.

The same tasks that do it say it, so the forecast knows nothing of their conditions: each task
that would change something is read by its module's name, arguments and result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudtop import rates
from cloudtop.aws import holdings
from cloudtop.aws.holdings import Holding
from cloudtop.foreign import plain
from cloudtop.playbooks import deeds
from cloudtop.playbooks.deeds import CHANGE, END, MAKE, Deed, Item
from cloudtop.playbooks.progress import ITEM_EVENT, OK_EVENTS

HEADINGS = {
    (MAKE, False): "Would make:",
    (MAKE, True): "Would make, and end again in the same run:",
    (CHANGE, False): "Would change:",
    (END, False): "Would end:",
}
LAST = "Nothing was changed."


@dataclass
class Forecast:
    """Takes the events of playbooks in check mode; ``items`` and ``render`` say what they mean."""

    deeds: list[Deed] = field(default_factory=list)
    # Items that no playbook says
    more: list[Item] = field(default_factory=list)
    # Sentences on steps that can't be looked at yet
    later: list[str] = field(default_factory=list)
    # Why the real run would refuse, of tasks for which nothing is there yet
    refused: list[str] = field(default_factory=list)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event of ansible-runner."""
        kind, data = event.get("event", ""), event.get("event_data", {})
        if kind not in OK_EVENTS:
            return
        result = data.get("res", {})
        if refused := result.get("refused"):
            self.refused.append(str(refused))
        # A loop's items come one by one
        if not result.get("changed") or (kind != ITEM_EVENT and "results" in result):
            return
        self.deeds.append(
            Deed(
                module=str(data.get("task_action", "")).rpartition(".")[2],
                task=str(data.get("task", "")),
                host=str(data.get("host", "")),
                arguments=result.get("invocation", {}).get("module_args") or {},
                result=result,
            )
        )

    @property
    def other_machine(self) -> bool:
        """Whether the machine that comes out is not the one that is there now."""
        return any(each.module in ("ec2_spot_instance", "ec2_spot_request_end")
                   for each in self.deeds)  # fmt: skip

    def items(self, name: str, known: Sequence[Holding]) -> list[Item]:
        """The resources, each once; ``known`` are those of the owner that are there now, ``name``
        is the cloudtop's."""
        every = [*self.more, *(item for each in self.deeds for item in deeds.read(each, known))]
        ended = {each.name for each in every if each.verb == END}
        mine = [each for each in known if each.name == name and each.id not in ended]
        # An Elastic IP takes the place of the machine's own address, and costs the same
        if any(each.kind == holdings.ELASTIC and each.verb == MAKE for each in every):
            own = [each.id for each in mine if each.kind == holdings.PUBLIC]
            every += deeds.ends(own, known)
            elastic = True
        else:
            elastic = any(each.kind == holdings.ELASTIC for each in mine)
        return [
            each
            for each in dict.fromkeys(every)
            # Nobody misses the tags of what is ended
            if not (each.kind == deeds.TAGS and each.name in ended)
            and not (each.kind == holdings.PUBLIC and each.verb == MAKE and elastic)
        ]

    def render(self, name: str, known: Sequence[Holding]) -> str:
        """The lists with their costs, for people; those that stay are the cloudtop's."""
        items = self.items(name, known)
        touched = {each.name for each in items if each.kind != deeds.TAGS}
        mine = [each for each in known if each.name == name]
        same = [_unchanged(each) for each in mine if each.id not in touched]
        width = max((len(_what(each)) for each in [*items, *same]), default=0)
        lines: list[str] = []
        for (verb, passing), heading in HEADINGS.items():
            fits = [each for each in items if (each.verb, each.passing) == (verb, passing)]
            lines += [heading, *(_line(each, width) for each in fits)] if fits else []
        if not items:
            lines.append("Nothing would be made, changed or ended.")
        if same:
            lines += ["Unchanged:", *(_line(each, width) for each in same)]
        lines += dict.fromkeys(self.later)
        return "\n".join([*map(plain, [*lines, _sum(items, mine)]), LAST])


def _unchanged(each: Holding) -> Item:
    return Item("", each.kind, each.id, each.text, each.month)


def _what(item: Item) -> str:
    return ", ".join(filter(None, [item.name, item.text]))


def _line(item: Item, width: int) -> str:
    sign = ("+" if item.month > 0 else "-") if item.verb == CHANGE else ""
    hour, month = abs(item.month) / rates.HOURS_PER_MONTH, abs(item.month)
    cost = f"{sign}${hour:.4f} an hour, {sign}${month:.2f} a month" if month else ""
    return f"  {item.kind:<16}  {_what(item):<{width}}  {cost}".rstrip()


def _sum(items: Sequence[Item], mine: Sequence[Holding]) -> str:
    """The cost of a month at most, afterwards and now."""
    now = sum(each.month for each in mine)
    ours = {each.id for each in mine}
    after = now
    for each in items:
        if each.verb == END:
            after -= each.month if each.name in ours else 0
        elif not each.passing:
            after += each.month
    hour = after / rates.HOURS_PER_MONTH
    change = f"; now it is ${now:.2f}" if abs(after - now) >= 0.005 else ", as now"
    return f"Together at most ${hour:.4f} an hour, ${after:.2f} a month on AWS{change}."
