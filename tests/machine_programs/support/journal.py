"""A machine made of files with its volume mounted and a journal of reaps on it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.machine_programs.support.installed import program
from tests.machine_programs.support.volume import SERIAL, Volume

OLD = "2026-01-01T00:00:00Z"
LAUNCHED = "2026-02-03T04:05:06Z"
REQUEST = """<DescribeSpotInstanceRequestsResponse><spotInstanceRequestSet><item>
<spotInstanceRequestId>sir-1</spotInstanceRequestId><spotPrice>{bid}</spotPrice>
<state>active</state><status><code>{code}</code><message>Fine.</message></status>
</item></spotInstanceRequestSet></DescribeSpotInstanceRequestsResponse>
"""
PRICES = """<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>
<item><spotPrice>0.190000</spotPrice><timestamp>2026-02-03T04:05:00.000Z</timestamp></item>
<item><spotPrice>0.310000</spotPrice><timestamp>2026-02-03T04:03:00.000Z</timestamp></item>
<item><spotPrice>0.120000</spotPrice><timestamp>2026-02-03T01:00:00.000Z</timestamp></item>
</spotPriceHistorySet></DescribeSpotPriceHistoryResponse>
"""


class Journal(Volume):
    def __init__(self, tree: Path) -> None:
        super().__init__(tree, owner_id=os.getuid())
        self.program = program("cloudtop-reap-journal")
        self.disk("nvme3n1", SERIAL)
        self.mounted("nvme3n1", str(self.mount_point))
        self.place = self.mount_point / ".cloudtop"
        self.place.mkdir(parents=True)
        self.motd = tree / "motd/cloudtop-reaps"
        identity = tree / "dynamic/instance-identity"
        identity.mkdir(parents=True)
        (identity / "document").write_text(
            f'{{\n  "instanceType" : "i3.4xlarge",\n  "pendingTime" : "{LAUNCHED}"\n}}'
        )
        self.began = int(time.time())

    def utc(self, seconds_ago: int) -> str:
        moment = datetime.fromtimestamp(self.began - seconds_ago, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    def had(self, instance: str, seconds_ago: int, launched: str = LAUNCHED, **more: Any) -> None:
        """This machine had the volume last, and its last sign of life is so old."""
        last = {"instance": instance, "launched": launched, **more}
        (self.place / "last").write_text(json.dumps(last))
        (self.place / "alive").touch()
        moment = self.began - seconds_ago
        os.utime(self.place / "alive", (moment, moment))

    def notice(self, instance: str, seconds_ago: int, **more: Any) -> None:
        """Append the entry that spot_guard writes when EC2 announces the end."""
        entry = {"event": "notice", "time": self.utc(seconds_ago), "instance": instance, **more}
        with (self.place / "reaps.jsonl").open("a") as stream:
            stream.write(f"{json.dumps(entry)}\n")

    def shown(self) -> list[dict[str, Any]]:
        """Run the program; it has to succeed. Returns what status is shown."""
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return list(json.loads((self.tree / "run/reaps.json").read_text()))

    @property
    def entries(self) -> list[dict[str, Any]]:
        lines = (self.place / "reaps.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def last(self) -> dict[str, Any]:
        return dict(json.loads((self.place / "last").read_text()))
