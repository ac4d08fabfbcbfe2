"""Files of spot prices: CSV, or what ``aws ec2 describe-spot-price-history`` prints."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ("timestamp", "availability_zone", "instance_type", "spot_price")
FIELDS = ("Timestamp", "AvailabilityZone", "InstanceType", "SpotPrice")
# One price under two names; the second one is EC2's older one for the same
PRODUCTS = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
HINT = (
    f"It has to be CSV ({','.join(COLUMNS)}), gzipped or not, or the JSON of:"
    " aws ec2 describe-spot-price-history"
)
GZIP = b"\x1f\x8b"
# Dollars an hour; more is a slip of the finger
DEAREST = 10_000


@dataclass
class Prices:
    """One series, oldest first: whole seconds since 1970 (UTC), and dollars an hour."""

    times: list[int] = field(default_factory=list)
    dollars: list[float] = field(default_factory=list)


# By instance type and zone
Table = dict[tuple[str, str], Prices]
# Its place in the file, then the four values of FIELDS and the product
Row = tuple[str, str, str, str, str, str]


class PriceFileError(Exception):
    """An error in a file of prices, and the form that the file has to have.

    ``message`` is one plain sentence with the value seen and the rule; ``hint`` is the form.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read(path: Path) -> Table:
    """Every series of the file. Raises PriceFileError saying what is wrong, and where."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PriceFileError(f"{path} is no text.", HINT) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PriceFileError(f"{path} is no whole gzip file: {error}.", HINT) from error
    except OSError as error:
        raise PriceFileError(f"{path} cannot be read: {error.strerror or error}.", HINT) from error
    rows = _of_json(path, text) if text.lstrip()[:1] in ("{", "[") else _of_csv(path, text)
    try:
        return _table(path, rows)
    except csv.Error as error:
        raise PriceFileError(f"{path} is no CSV: {error}.", HINT) from error


def moment(text: str) -> datetime:
    """A time that names no zone is UTC. Raises ValueError."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _of_csv(path: Path, text: str) -> Iterator[Row]:
    rows = csv.DictReader(io.StringIO(text))
    absent = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if absent:
        raise PriceFileError(f"{path} has no column {absent[0]} in its first line.", HINT)
    for row in rows:
        when, zone, kind, price = (row[name] or "" for name in COLUMNS)
        yield f"line {rows.line_num}", when, zone, kind, price, PRODUCTS[0]


def _of_json(path: Path, text: str) -> Iterator[Row]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PriceFileError(f"{path} is no JSON: {error}.", HINT) from error
    entries = document.get("SpotPriceHistory") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise PriceFileError(f"{path} has no list SpotPriceHistory.", HINT)
    # EC2 lists the newest first; two prices of one second stay in order, the older one first
    for number, entry in reversed(list(enumerate(entries, 1))):
        when, zone, kind, price = (str(entry.get(name, "")) for name in FIELDS)
        product = str(entry.get("ProductDescription", PRODUCTS[0]))
        yield f"entry {number}", when, zone, kind, price, product


def _table(path: Path, rows: Iterator[Row]) -> Table:
    series: dict[tuple[str, str], dict[str, list[tuple[int, float]]]] = {}
    for where, when, zone, kind, price, product in rows:
        if product not in PRODUCTS:
            continue
        if not kind or not zone:
            raise PriceFileError(f"{path}, {where}: instance type or zone is missing.", HINT)
        known = series.setdefault((kind, zone), {})
        known.setdefault(product, []).append(_point(f"{path}, {where}", when, price))
    if not series:
        raise PriceFileError(f"{path} holds no prices of {PRODUCTS[0]}.", HINT)
    table: Table = {}
    for place, by_product in series.items():
        points = sorted(by_product.get(PRODUCTS[0]) or by_product[PRODUCTS[1]], key=_time)
        table[place] = Prices([time for time, _ in points], [dollars for _, dollars in points])
    return table


def _time(point: tuple[int, float]) -> int:
    return point[0]


def _point(where: str, when: str, price: str) -> tuple[int, float]:
    try:
        time = int(moment(when).timestamp())
    except (ValueError, OverflowError) as error:
        raise PriceFileError(
            f"{where}: the time is {when!r}; it has to be like 2015-03-11T16:54:38Z.", HINT
        ) from error
    try:
        dollars = float(price)
    except ValueError:
        dollars = 0.0
    if not 1e-6 <= dollars <= DEAREST:
        raise PriceFileError(
            f"{where}: the price is {price!r}; it has to be dollars above 0.", HINT
        )
    return time, dollars
