"""``runner.py orphans``: lists leftovers with their cost, and asks before it deletes any."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws import orphans
from cloudtop.aws.orphans import KINDS, Left, Leftover
from cloudtop.command import Context, lose_work_option, run_playbooks
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain
from cloudtop.machine import save_work

PLAYBOOK = "orphans.yml"
# The role's lists, by the first part of EC2's ids
LISTS = {"i": "machines", "ami": "images", "vol": "volumes", "snap": "snapshots"}


def run(context: Context) -> None:
    """List what is left; with ``--delete`` ask for each kind and delete what was agreed to."""
    options, owner = context.options, context.settings.owner
    left = orphans.sort_out(orphans.look(aws.client(), owner))
    if options.delete:
        if options.json:
            raise CloudtopError(
                "--json lists and --delete asks: they don't go together.",
                "Try: python runner.py orphans --json",
            )
        print(render(owner, left))
        named = options.delete_volume or ()
        if context.dry:
            delete(context, agreed(left.orphans, True, named, lambda question: ""))
            return
        doomed = agreed(left.orphans, options.yes, named, answer)
        if not doomed:
            print(
                "Nothing was deleted. Without a terminal, confirm with --yes; to delete data, add"
                " --delete-volume NAME"
            )
            return
        delete(context, doomed)
        left = orphans.sort_out(orphans.look(aws.client(), owner))
    print(json.dumps(as_json(left), indent=2) if options.json else render(owner, left))


def replaced_volumes(context: Context, name: str) -> None:
    """Delete the volumes of this cloudtop that were replaced by restores and switches.

    Raises CloudtopError if another cloudtop is named.
    """
    settings = context.settings
    if name != settings.name:
        raise CloudtopError(
            f"--delete-old is given {name!r}, and this cloudtop is {settings.name!r}."
            " A volume is deleted only for its own cloudtop's name.",
            f"To delete the replaced volumes of {settings.name!r}: --delete-old {settings.name}",
        )
    left = orphans.sort_out(orphans.look(aws.client(), settings.owner))
    old = [each for each in left.orphans if each.kind == "replaced" and each.name == name]
    if not old:
        print(f"The cloudtop {name!r} has no replaced volume that is free.")
        return
    delete(context, old)
    if context.dry:
        return
    ids = ", ".join(each.id for each in old)
    print(f"\nDeleted {ids}.")


def delete(context: Context, doomed: Iterable[Leftover]) -> None:
    """Have the role delete them; it proves once more that each is the owner's and free."""
    lists: dict[str, list[str]] = {f"cloudtop_orphans_{word}": [] for word in LISTS.values()}
    with ExitStack() as stack:
        for each in doomed:
            lists[f"cloudtop_orphans_{LISTS[each.id.partition('-')[0]]}"].append(each.id)
            if each.kind == "machine":
                stack.enter_context(_ending(context, each))
        run_playbooks(context, [PLAYBOOK], lists)


@contextmanager
def _ending(context: Context, machine: Leftover) -> Iterator[None]:
    """Its work is saved; it may be of another cloudtop than the one that was named."""
    own = replace(context, settings=replace(context.settings, name=machine.name))
    instances = ec2.machines(aws.client(), ec2.of_ids([machine.id]))
    with save_work.ending(own, instances, own.find().volume):
        yield


def answer(question: str) -> str:
    """The answer at the terminal; empty if there is none."""
    return input(plain(question)).strip() if sys.stdin.isatty() else ""


def agreed(
    leftovers: Sequence[Leftover], yes: bool, named: Sequence[str], ask: Callable[[str], str]
) -> list[Leftover]:
    """Ask for each kind. Data needs its cloudtop's name, typed or in ``named``; ``yes`` does
    not answer that."""
    doomed: list[Leftover] = []
    for key, kind in KINDS.items():
        fits = [each for each in leftovers if each.kind == key]
        if not fits or not kind.deletable:
            continue
        if not kind.data:
            dollars = sum(each.month for each in fits)
            question = f"Delete the {kind.words}: {_ids(fits)} (${dollars:.2f} a month)? [y/N] "
            if yes or ask(question).lower() in {"y", "yes"}:
                doomed += fits
            continue
        for name in sorted({each.name for each in fits}):
            those = [each for each in fits if each.name == name]
            question = (
                f"There is data on the {kind.words}: {_ids(those)} of {name!r}."
                " To delete it for good, type the cloudtop's name: "
            )
            if name in named or ask(question) == name:
                doomed += those
    return doomed


def _ids(leftovers: Iterable[Leftover]) -> str:
    return ", ".join(each.id for each in leftovers)


def as_json(left: Left) -> dict[str, object]:
    """The output of ``--json``; money is dollars a month at most."""
    return {
        "orphans": [each.as_json() for each in left.orphans],
        "kept_volumes": [each.as_json() for each in left.kept],
        "month": round(sum(each.month for each in left.orphans), 2),
        "kept_month": round(sum(each.month for each in left.kept), 2),
    }


def render(owner: str, left: Left) -> str:
    """The leftovers, kind by kind, with totals."""
    lines: list[str] = []
    for key, kind in KINDS.items():
        fits = [each for each in left.orphans if each.kind == key]
        lines += [f"{kind.words.capitalize()}:", *map(_line, fits)] if fits else []
    if not left.orphans:
        lines.append(f"Nothing of {owner} costs money that belongs to no cloudtop.")
    else:
        total = sum(each.month for each in left.orphans)
        lines.append(f"Together at most ${total:.2f} a month on AWS.")
    if any(each.kind == "address" for each in left.orphans):
        lines.append("To give an address back: aws ec2 release-address --allocation-id ID")
    if left.kept:
        total = sum(each.month for each in left.kept)
        lines += ["", "Kept volumes of cloudtops without a request, which are no orphans:"]
        lines += [*map(_line, left.kept), f"Together ${total:.2f} a month on AWS."]
        lines.append("To delete one: python runner.py destroy --name NAME --delete-volume NAME")
    return "\n".join(map(plain, lines))


def _line(each: Leftover) -> str:
    size = f"{each.gib} GiB" if each.gib else ""
    return (
        f"  {each.id:<26} {each.name:<16} {size:>9} {each.month:9.2f} $/month  {each.note}".rstrip()
    )


def options(parser: argparse.ArgumentParser) -> None:
    """Whether what is left is listed or deleted."""
    parser.add_argument("--delete", action="store_true", help="ask for each kind, then delete it")
    parser.add_argument(
        "--delete-volume",
        metavar="NAME",
        action="append",
        help="with --delete: also delete data of the cloudtop NAME (may be repeated)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    lose_work_option(parser)
