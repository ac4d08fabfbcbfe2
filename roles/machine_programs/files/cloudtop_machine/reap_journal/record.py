"""cloudtop-reap-journal: keeps the journal of reaps on the persistent volume.

It notes that this machine has the volume now and another had it last, or that this one was stopped
in between, when that one gave its last sign of life, and why it went. Its service runs it after
each mount, and with "alive" every minute, which makes up for a run that failed. Nothing waits
for it. With "why" it only prints the code by which EC2 took this machine away, at a notice, if the
request still has it.

usage: cloudtop-reap-journal [CONFIGURATION [alive|why]]
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

from cloudtop_machine import config, lock, proc, status_file, times
from cloudtop_machine.ec2 import Ec2, Trouble
from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata
from cloudtop_machine.reap_journal import words
from cloudtop_machine.reap_journal.store import Entry, Store
from cloudtop_machine.volume_directory import NotRoots

CONFIG = "/etc/cloudtop/persistent-mount.conf"
# Settings of the configuration, and places that a test's configuration moves
SETTINGS = {
    "mount_point": "",
    "endpoint": "",
    "imds": SERVICE,
    "proc": "/proc",
    "run": "/run/cloudtop",
    "motd": "/run/motd.d",
    "owner_id": "0",
}
MESSAGE_SECONDS = 86400


def say(sentence: str) -> None:
    print(sentence, flush=True)


def warn(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


class Recorder:
    """One run. ``machine`` is what it knows of the machine that it runs on."""

    def __init__(self, settings: dict[str, str], store: Store) -> None:
        self.settings, self.store = settings, store
        self.run, self.motd = settings["run"], f"{settings['motd']}/cloudtop-reaps"
        self.metadata = Metadata(settings["imds"], TOKEN_SECONDS)
        self.machine: dict[str, str] = {}

    def record(self) -> None:
        """Note a return if there was one, and that this machine has the volume."""
        try:
            self.machine = self._identify()
        except (OSError, ValueError):
            say("The metadata service does not answer; the next run asks again.")
            return
        ec2 = Ec2(self.settings["endpoint"], self.metadata, say)
        request = ask_request(ec2, by_instance(self.machine["instance"]))
        entry = self._return(ec2, request)
        if entry:
            self.store.append(entry)
        now = times.text_of(time.time())
        self.store.write_last({**self.machine, "time": now, "request": request.get("id", "")})
        entries = self.store.entries()
        status_file.write(f"{self.run}/reaps.json", entries)
        status_file.remove(trouble_of(self.settings))
        if entry and entry["event"] == "back":
            sentence = words.sentence(words.pairs(entries)[-1])
            say(sentence)
            status_file.write_text(self.motd, sentence)
        self.live()
        self.store.shorten()

    def live(self) -> None:
        """Give the sign of life; a day after a return the login says no more of it."""
        try:
            self.store.give_sign_of_life()
        except OSError as error:
            say(f"The volume takes no sign of life: {error.strerror}.")
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.stat(self.motd).st_mtime > MESSAGE_SECONDS:
                os.remove(self.motd)

    def why(self) -> None:
        """Print a code that says that, and why, an instance was taken away."""
        number = self.store.last().get("request")
        # The volume is to be unmounted soon
        self.store.close()
        if number:
            ec2 = Ec2(self.settings["endpoint"], self.metadata, warn)
            code = ask_request(ec2, f"SpotInstanceRequestId.1={number}").get("code", "")
            if code.startswith(("instance-terminated-", "instance-stopped-")):
                print(code)

    def _identify(self) -> dict[str, str]:
        """Raises OSError or ValueError while the metadata service does not say all of it."""
        instance = self.metadata.text("instance-id")
        zone = self.metadata.text("placement/availability-zone")
        if not instance or not zone:
            raise OSError("it does not say which machine this is")
        document = self.metadata.text("dynamic/instance-identity/document")
        identity = json.loads(document) if document else {}
        return {
            "instance": instance,
            "launched": str(identity.get("pendingTime") or ""),
            "volume": self._volume(),
            "type": str(identity.get("instanceType") or ""),
            "zone": zone,
        }

    def _volume(self) -> str:
        """The volume that is mounted, as the program says that mounted it."""
        try:
            with open(f"{self.run}/persistent-mount.json", encoding="utf-8") as file:
                volume = json.load(file)["volume"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return volume if isinstance(volume, str) else ""

    def _return(self, ec2: Ec2, request: dict[str, str]) -> Entry | None:
        """The entry for this machine's having the volume; None if it had it before."""
        last, machine = self.store.last(), self.machine
        previous = last.get("instance")
        if not previous:
            return None
        launches = (last.get("launched"), machine["launched"])
        # A reboot is no launch
        if previous == machine["instance"] and (not all(launches) or launches[0] == launches[1]):
            return None
        entries = self.store.entries()
        if is_noted(entries, machine["instance"], previous, last.get("launched")):
            # An earlier run came so far, and the volume had no room for what follows
            return None
        now = self._first_try()
        seen = last_seen(entries, previous, self.store.last_sign_of_life())
        notice = notice_of(entries, previous)
        about: Entry = {
            "time": times.text_of(now),
            "instance": machine["instance"],
            "previous": previous,
            "last_seen": times.text_of(seen),
        }
        # EC2 forgets a machine within the hour, and its request may be another than the present one
        ran = {key: last.get(key) for key in ("launched", "type", "zone")}
        volumes = {last.get("volume"), machine["volume"]} - {None, ""}
        if len(volumes) == 2 and not notice:
            # This volume was made of a snapshot of the time while PREVIOUS worked: nobody was away,
            # and what PREVIOUS ran after the snapshot this volume cannot know
            return {"event": "copy", **about, "ran": ran}
        prices = ask_prices(ec2, machine, times.text_of(seen))
        return {
            "event": "back",
            **about,
            "away_seconds": max(0, now - seen),
            "why": why_it_went(notice, request, prices),
            "price": prices[0] if prices else None,
            "ran": ran,
        }

    def _first_try(self) -> int:
        """POSIX seconds at which this launch first tried to note its return: a volume that takes
        it later makes nobody's absence longer."""
        place = f"{self.run}/reaps.since"
        launch = f"{self.machine['instance']} {self.machine['launched']}"
        now = int(time.time())
        with contextlib.suppress(OSError, ValueError):
            with open(place, encoding="utf-8") as file:
                moment, _, known = file.read().strip().partition(" ")
            if known == launch.strip():
                return min(now, int(moment))
        with contextlib.suppress(OSError):
            status_file.write_text(place, f"{now} {launch}")
        return now


def is_noted(entries: list[Entry], instance: str, previous: str, launched: str | None) -> bool:
    """Whether the journal has the return of an instance after that launch of the previous one."""
    for entry in reversed(entries):
        if entry.get("event") in ("back", "copy"):
            ran = entry.get("ran")
            then = ran.get("launched") if isinstance(ran, dict) else None
            known = (entry.get("instance"), entry.get("previous"), then)
            return known == (instance, previous, launched)
    return False


def last_seen(entries: list[Entry], instance: str, sign_of_life: int) -> int:
    """POSIX seconds of the last that was heard of an instance: a notice is a sign of life, too."""
    moments = [
        times.seconds_of(entry.get("time"))
        for entry in entries
        if entry.get("event") == "notice" and entry.get("instance") == instance
    ]
    return max([sign_of_life, *(moment for moment in moments if moment is not None)])


def notice_of(entries: list[Entry], instance: str) -> Entry | None:
    """The notice by which an instance went; None if there was none, or EC2 did not act on it."""
    for entry in reversed(entries):
        if entry.get("instance") == instance and entry.get("event") in ("notice", "whole"):
            return entry if entry["event"] == "notice" else None
    return None


def by_instance(instance: str) -> str:
    return f"Filter.1.Name=instance-id Filter.1.Value.1={instance}"


def ask_request(ec2: Ec2, wanted: str) -> dict[str, str]:
    """A spot request's id, bid and status code; empty if EC2 does not say.

    A request that is open again has no instance, so it is asked for by its own id then.
    """
    try:
        answer = ec2.ask("DescribeSpotInstanceRequests", *wanted.split())
    except Trouble:
        return {}
    item = answer.find(".//spotInstanceRequestId/..")
    if item is None:
        return {}
    return {
        "id": item.findtext("spotInstanceRequestId") or "",
        "bid": item.findtext("spotPrice") or "",
        "code": item.findtext("status/code") or "",
    }


def ask_prices(ec2: Ec2, machine: dict[str, str], since: str) -> list[float]:
    """The spot prices of the machine's type in its zone, in dollars an hour, the newest first."""
    try:
        answer = ec2.ask(
            "DescribeSpotPriceHistory",
            f"InstanceType.1={machine['type']}",
            "ProductDescription.1=Linux/UNIX",
            f"AvailabilityZone={machine['zone']}",
            f"StartTime={since}",
        )
        return [float(each.text or "") for each in answer.iter("spotPrice")]
    except (Trouble, ValueError):
        return []


def why_it_went(notice: Entry | None, request: dict[str, str], prices: list[float]) -> str:
    """EC2's status code of the request when the machine went, or "unknown".

    The request is fulfilled again by now, so its old code is what the old machine noted, or follows
    from the prices of the time between.
    """
    noted = (notice or {}).get("why")
    code = request.get("code", "")
    why = noted if isinstance(noted, str) else ""
    if not why and code != "fulfilled":
        why = code
    if not why and prices:
        with contextlib.suppress(ValueError):
            if max(prices) > float(request.get("bid") or "inf"):
                why = "price-too-low"
    return why or "unknown"


def main() -> int:
    path, mode = [*sys.argv[1:], *[CONFIG, ""][len(sys.argv) - 1 :]][:2]
    settings = config.read(path, SETTINGS)
    if not proc.mount_options(settings["proc"], settings["mount_point"]):
        warn(f"{settings['mount_point']} is not mounted.")
        return 0
    try:
        return _run(settings, mode)
    except NotRoots as refusal:
        warn(str(refusal))
        return 0
    except OSError as error:
        about = error.strerror or str(error)
        sentence = (
            f"The journal of reaps on {settings['mount_point']} could not be kept: {about}."
            f" Look with: df {settings['mount_point']}; the next run tries again."
        )
        warn(sentence)
        with contextlib.suppress(OSError):
            status_file.write(trouble_of(settings), {"state": "failed", "message": sentence})
        return 1


def trouble_of(settings: dict[str, str]) -> str:
    """The status file that says why the journal is not kept; there is none while it is."""
    return f"{settings['run']}/reap-journal.json"


def _run(settings: dict[str, str], mode: str) -> int:
    store = Store.on(settings["mount_point"], int(settings["owner_id"]))
    recorder = Recorder(settings, store)
    if mode == "why":
        recorder.why()
    elif lock.take(f"{settings['run']}/reap-journal.lock"):
        # Until it has been read, the old machine's sign of life stays
        if mode == "alive" and os.path.exists(f"{settings['run']}/reaps.json"):
            recorder.live()
        else:
            recorder.record()
    return 0
