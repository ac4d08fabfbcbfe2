"""Puts work back that was saved before EC2 took the machine away. Never overwrites anything."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime, timezone

from cloudtop_machine import config

from .report import plain
from .restore_tree import Refused, Restore
from .saved_items import SavedItem, item_of, pending, unsaved_lines

CONFIGURATION = "/etc/cloudtop/spot-guard.conf"
USAGE = """\
usage: cloudtop-restore                    what was saved and is not back yet
       cloudtop-restore --all              put all of it back, the newest of each place
       cloudtop-restore NAME [--to DIR]    one of them, by its name or the place it had
       cloudtop-restore --drop NAME [--yes]    forget one for good
"""
HELP = "See: cloudtop-restore --help"


@dataclass
class Command:
    """The wish of the user. ``action`` is list, all, one or drop."""

    action: str = "list"
    name: str = ""
    target: str = ""
    yes: bool = False
    configuration: str = CONFIGURATION
    help: bool = False


def parse(words: list[str]) -> Command:
    """Raises Refused."""
    command, waiting = Command(), list(words)
    while waiting:
        word = waiting.pop(0)
        if word in ("--list", "--all", "--drop"):
            command.action = word.removeprefix("--")
        elif word == "--yes":
            command.yes = True
        elif word in ("--to", "--configuration"):
            if not waiting:
                raise Refused(f"{word} needs a value. {HELP}")
            setattr(command, "target" if word == "--to" else "configuration", waiting.pop(0))
        elif word in ("--help", "-h"):
            command.help = True
            return command
        elif word.startswith("-"):
            raise Refused(f"There is no option {word}. {HELP}")
        elif command.name:
            raise Refused("One NAME at a time, or --all.")
        else:
            command.name = word
    if command.action == "list" and command.name:
        command.action = "one"
    if command.action == "drop" and not command.name:
        raise Refused("--drop needs the NAME of what to forget; see: cloudtop-restore")
    if command.target and command.action != "one":
        raise Refused("--to goes with one NAME.")
    return command


class Restorer:
    """The command on the saves of one volume."""

    def __init__(self, saved: str, command: Command) -> None:
        self.saved, self.command = saved, command

    def run(self) -> bool:
        """Whether all that was asked for was done. Raises Refused."""
        actions = {"list": self.show, "all": self.all, "drop": self.drop, "one": self.one}
        try:
            return actions[self.command.action]()
        finally:
            self._renew_hint()

    def show(self) -> bool:
        items = list(pending(self.saved))
        for item in items:
            line = f"{item.name:<40} {plain(item.path, 4096)}"
            if not item.has("complete"):
                line += f" (not all of it: {plain(item.trouble)})"
            print(line)
        lines = unsaved_lines(self.saved)
        if lines:
            print("The last save does not have:", *(f"  {plain(each)}" for each in lines), sep="\n")
        if items:
            print(USAGE, end="")
        else:
            print("Nothing that was saved is waiting.")
        return True

    def all(self) -> bool:
        """The newest of each place."""
        good, seen = True, set[str]()
        for item in list(pending(self.saved)):
            if item.path in seen:
                print(f"{item.name} is an older state of {plain(item.path, 4096)} and was left.")
                continue
            seen.add(item.path)
            try:
                self._restore(item)
            except (Refused, OSError) as error:
                _complain(str(error) if isinstance(error, Refused) else f"{item.name}: {error}")
                good = False
        return good

    def one(self) -> bool:
        self._restore(self._named())
        return True

    def drop(self) -> bool:
        item = self._named()
        if not self.command.yes:
            question = f"Forget what was saved of {plain(item.path)} ({item.name}) for good? [y/N] "
            print(question, end="", flush=True)
            if sys.stdin.readline().strip() not in ("y", "Y", "yes"):
                raise Refused("Nothing was forgotten.")
        for name in os.listdir(item.place):
            path = item.file(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        print(f"{item.name} is forgotten.")
        reap = os.path.dirname(item.place)
        # They are root's on a machine
        with contextlib.suppress(OSError):
            os.rmdir(item.place)
            if os.listdir(reap) == ["report.json"]:
                os.unlink(f"{reap}/report.json")
            os.rmdir(reap)
        return True

    def _named(self) -> SavedItem:
        item = item_of(self.saved, self.command.name)
        if item is None:
            raise Refused(
                f"Nothing was saved (or all is back) under the name '{self.command.name}'."
                " See: cloudtop-restore"
            )
        return item

    def _restore(self, item: SavedItem) -> None:
        """Says what became of it. Raises Refused."""
        asked, path = self.command.target, item.path
        owner = os.stat(item.place).st_uid
        if owner != os.geteuid():
            raise Refused(f"{item.name} belongs to {_user_name(owner)}, who may put it back.")
        if not asked and item.has("restored"):
            raise Refused(
                f"{plain(path)} was put back already ({item.line('restored')})."
                f" To have it once more: cloudtop-restore {item.name} --to DIR"
            )
        target = os.path.abspath(asked or path)
        Restore(item, target).run()
        with open(item.file("restored"), "w") as file:
            file.write(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC\n")
        print(f"{plain(path, 4096)} is back{f' in {plain(target, 4096)}' if asked else ''}.")
        if not item.has("complete"):
            print(f"Not all of it had been saved: {plain(item.trouble)}.")
            names = item.read("left-out").split(b"\n")[:5]
            if any(names):
                shown = " ".join(plain(name, 100) for name in names)
                print(f"Left out: {shown}… (all: {item.file('left-out')})")

    def _renew_hint(self) -> None:
        """Its first line is shown at login while anything waits."""
        path = f"{self.saved}/hint"
        if not os.access(path, os.W_OK):
            return
        items = list(pending(self.saved))
        lines = [
            f"Work of {len(items)} place(s), saved before EC2 took the machine, is not back yet."
        ]
        if not all(item.has("complete") for item in items):
            lines.append("Not all of it was saved.")
        lines.append("See: cloudtop-restore")
        text = "".join(f"{line}\n" for line in ["", *lines, ""])
        with open(path, "w") as file:
            file.write(text if items else "")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _complain(sentence: str) -> None:
    sys.stdout.flush()
    print(sentence, file=sys.stderr)


def main() -> int:
    try:
        command = parse(sys.argv[1:])
        if command.help:
            print(USAGE, end="")
            return 0
        settings = config.read(command.configuration, {"persistent": ""})
        saved = f"{settings['persistent']}/.cloudtop/saved"
        if not os.path.isdir(saved):
            print("Nothing was saved.")
            return 0
        return 0 if Restorer(saved, command).run() else 1
    except (Refused, OSError) as error:
        _complain(str(error))
        return 1
