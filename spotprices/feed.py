"""EC2's spot prices of one day, by instance type: a dated table that needs no account.

Source: AWS's own public feed of spot prices (the one behind its page of spot prices), Linux, as the
project alexei-led/spotinfo (Apache-2.0) kept it. The feed has one price a type and region: that of
the cheapest zone.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

REGION = "us-east-1"
DATE = "2026-08-10"
FILE = Path(__file__).with_name(f"feed-{DATE}-{REGION}.csv")
SOURCE = f"AWS's public feed of spot prices, {REGION}, {DATE}"


@cache
def prices() -> dict[str, float]:
    """Dollars an hour in the cheapest zone, by instance type, for the types that the feed has."""
    with FILE.open(newline="") as text:
        return {
            row["instance_type"]: float(row["spot_price_linux"]) for row in csv.DictReader(text)
        }
