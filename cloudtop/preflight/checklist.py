"""A list of checks: each is a name, and a function that says what it saw or what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudtop.aws.client import Client
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.settings.settings import Settings
from module_utils.cloudtop_resources import InstanceType

OK, MISSING, SKIPPED = "ok", "missing", "skipped"
MARKS = {OK: "ok", MISSING: "NO", SKIPPED: "--"}


class NotReachedError(Exception):
    """A check needs what another one could not see; the text is that one's name."""


@dataclass
class Look:
    """The settings that are looked at, and what the checks have seen so far.

    A check sets what later ones need; ``need`` hands it on. With ``moves`` a volume in another
    zone than the wanted one is taken there.
    """

    settings: Settings
    client: Client
    moves: bool = False
    # The bid may be below EC2's price
    wait: bool = False
    # A machine whose request has ended gives way to another one
    ends_left: bool = False
    account: str = ""
    arn: str = ""
    zones: Sequence[str] | None = None
    # By type: what it is, and the zones that offer it
    infos: Mapping[str, InstanceType] | None = None
    offered: Mapping[str, list[str]] | None = None
    resources: Resources | None = None
    zone: str = ""
    notes: list[str] = field(default_factory=list)
    # EC2's service-linked role for spot has to be made first
    lacks_spot_role: bool = False

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov; aws until the check of credentials."""
        return self.arn.split(":")[1] if self.arn.count(":") > 1 else "aws"

    def need(self, name: str, seen_by: str) -> Any:
        """A fact that the check ``seen_by`` sets. Raises NotReachedError if it did not."""
        value = getattr(self, name)
        if not value:
            raise NotReachedError(seen_by)
        return value


Check = Callable[[Look], str]


@dataclass(frozen=True)
class Row:
    """One check's outcome. ``text`` is what was seen, or what is missing; ``hint`` mends it."""

    name: str
    state: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        line = f"  {MARKS[self.state]}  {self.name:<12} {self.text}"
        return f"{line}\n{'':<19}{self.hint}" if self.hint else line


def run(
    checks: Iterable[tuple[str, Check]],
    look: Look,
    say: Callable[[Row], None],
    every: bool = False,
) -> list[Row]:
    """The outcomes in the order of the list; ``say`` gets each as it comes.

    Raises the CloudtopError of the first thing that is missing; with ``every`` it goes on.
    """
    rows: list[Row] = []
    for name, check in checks:
        try:
            row = Row(name, OK, check(look))
        except NotReachedError as needed:
            row = Row(name, SKIPPED, f"not looked at: that needs {needed}")
        except CloudtopError as error:
            if not every:
                raise
            row = Row(name, MISSING, error.message, error.hint)
        rows.append(row)
        say(row)
    return rows
