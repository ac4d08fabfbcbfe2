"""How often EC2 interrupts a type: AWS's Spot Instance Advisor, by region.

AWS publishes the share of machines of a type that it interrupted in the month before, in five
bands. On AWS the file is fetched from its public address, which needs no account; else, and if
that fails, a dated copy of it is read, and ``source`` says which. A type that the file lacks has no
band: that is unknown, and never seldom.
"""

from __future__ import annotations

import gzip
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from cloudtop import paths

# The copy's date; it came from the project alexei-led/spotinfo (Apache-2.0), the data is AWS's
COPIED = "2025-06"
SECONDS = 5
# Per cent a month: what the bands of the file, 0 to 4, go up to
AT_MOST = (5, 10, 15, 20, 100)
LABELS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")
REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+")


@dataclass(frozen=True)
class Band:
    """A band of the Advisor; ``index`` is 0 for the rarest interruptions and 4 for the most."""

    index: int

    @property
    def label(self) -> str:
        """Per cent a month: <5%, 5-10%, 10-15%, 15-20% or >20%."""
        return LABELS[self.index]

    @property
    def at_most(self) -> int:
        """The band's end in per cent a month."""
        return AT_MOST[self.index]


@dataclass(frozen=True)
class Advisor:
    """The bands of Linux by region and type, and where they are from."""

    regions: Mapping[str, Mapping[str, int]]
    source: str
    # 2025-06 or 2026-11-01; empty if the server did not say
    date: str

    def band(self, instance_type: str, zone_or_region: str) -> Band | None:
        """The type's band in the region (also of a zone's name), None if it is not known."""
        region = REGION.match(zone_or_region)
        index = self.regions.get(region[0] if region else "", {}).get(instance_type)
        return None if index is None else Band(index)


def look_up(url: str) -> Advisor:
    """The file at this address; the dated copy if it is empty, or cannot be read."""
    if not url:
        return copy()
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            published = answer.headers.get("Last-Modified")
            regions = _regions(json.load(answer))
    except (OSError, ValueError, RecursionError) as error:
        # The wrapped error says more than urllib's own
        reason = error.reason if type(error) is urllib.error.URLError else error
        return copy(f" (its public address: {reason})")
    date = f"{parsedate_to_datetime(published).astimezone(UTC):%Y-%m-%d}" if published else ""
    return Advisor(regions, f"AWS's Spot Instance Advisor, fetched {datetime.now(UTC):%F}", date)


def copy(reason: str = "") -> Advisor:
    """The dated copy."""
    document = json.loads(gzip.decompress(paths.SPOT_ADVISOR.read_bytes()))
    source = f"a copy of AWS's Spot Instance Advisor of {COPIED}{reason}"
    return Advisor(_regions(document), source, COPIED)


def _regions(document: Any) -> dict[str, dict[str, int]]:
    """Bands by region and type. Raises ValueError for a file of another form."""
    try:
        regions = {
            region: {kind: int(entry["r"]) for kind, entry in systems.get("Linux", {}).items()}
            for region, systems in document["spot_advisor"].items()
        }
        labels = tuple(one["label"] for one in sorted(document["ranges"], key=_index))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"its form is not known ({error!r})") from error
    if labels != LABELS or any(
        not 0 <= r < len(LABELS) for at in regions.values() for r in at.values()
    ):
        raise ValueError(f"its bands are {', '.join(map(str, labels))}, not {', '.join(LABELS)}")
    return regions


def _index(entry: Mapping[str, Any]) -> int:
    return int(entry["index"])
