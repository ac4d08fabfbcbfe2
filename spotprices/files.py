"""Files of spot prices: CSV, or what ``aws ec2 describe-spot-price-history`` prints."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

COLUMNS = ("timestamp", "availability_zone", "instance_type", "spot_price")
FIELDS = ("Timestamp", "AvailabilityZone", "InstanceType", "SpotPrice")
# Columns that a file may have beside them: which product a price is of, and a zone's other name
PRODUCT, ZONE_ID = "product_description", "availability_zone_id"
# Two markets with prices of their own: EC2-Classic's, and the one of machines in a VPC. Since
# Classic is gone (2022-08), EC2 lists the latter as Linux/UNIX, too
PRODUCTS = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
# EC2's other products (API reference, DescribeSpotPriceHistory): their prices hold a license
OTHER_PRODUCTS = ("Red Hat Enterprise Linux", "SUSE Linux", "Windows")
EVERY_PRODUCT = (*PRODUCTS, *OTHER_PRODUCTS, *(f"{one} (Amazon VPC)" for one in OTHER_PRODUCTS))
HINT = (
    f"It has to be CSV ({','.join(COLUMNS)}, perhaps {PRODUCT}), gzipped or not, or the JSON of:"
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


def on_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def read(path: Path, tell: Callable[[str], None] = on_stderr) -> Table:
    """Every Linux series of the file; prices of other products are passed over.

    ``tell`` gets a sentence if the file is some pages of EC2's answer only. Raises PriceFileError
    saying what is wrong, and where: also for a column or a product that is not understood.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PriceFileError(f"{path} is no text.", HINT) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PriceFileError(f"{path} is no whole gzip file: {error}.", HINT) from error
    except OSError as error:
        raise PriceFileError(f"{path} cannot be read: {error.strerror or error}.", HINT) from error
    rows = _of_json(path, text, tell) if text.lstrip()[:1] in ("{", "[") else _of_csv(path, text)
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
    # Also as EC2 calls them: SpotPrice
    rows.fieldnames = [_column(name) for name in rows.fieldnames or ()]
    absent = [name for name in COLUMNS if name not in rows.fieldnames]
    if absent:
        raise PriceFileError(f"{path} has no column {absent[0]} in its first line.", HINT)
    known = (*COLUMNS, PRODUCT, ZONE_ID)
    if strange := [name for name in rows.fieldnames if name not in known]:
        raise PriceFileError(
            f"{path} has a column {strange[0]!r}, which may tell prices apart; known are"
            f" {', '.join(known)}.",
            HINT,
        )
    if twice := [name for name in known if rows.fieldnames.count(name) > 1]:
        raise PriceFileError(f"{path} has the column {twice[0]} twice.", HINT)
    for row in rows:
        when, zone, kind, price = (row[name] or "" for name in COLUMNS)
        product = row[PRODUCT] or "" if PRODUCT in row else PRODUCTS[0]
        yield f"line {rows.line_num}", when, zone, kind, price, product


def _column(name: str) -> str:
    """A column's name as ours: SpotPrice and "Spot Price" are spot_price."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s-]+", "_", words).lower()


def _of_json(path: Path, text: str, tell: Callable[[str], None]) -> Iterator[Row]:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise PriceFileError(
            f"{path} is no list of prices: it is nested too deeply.", HINT
        ) from error
    except ValueError as error:
        raise PriceFileError(f"{path} is no JSON: {error}.", HINT) from error
    entries = document.get("SpotPriceHistory") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise PriceFileError(f"{path} has no list SpotPriceHistory.", HINT)
    if isinstance(document, dict) and document.get("NextToken"):
        tell(
            f"{path} is not all of EC2's answer: it ends with a NextToken, so that older prices are"
            " missing. For all of them, ask without --max-items and --no-paginate."
        )
    # EC2 lists the newest first; two prices of one second stay in order, the older one first
    for number, entry in reversed(list(enumerate(entries, 1))):
        when, zone, kind, price = (str(entry.get(name, "")) for name in FIELDS)
        product = str(entry.get("ProductDescription", PRODUCTS[0]))
        yield f"entry {number}", when, zone, kind, price, product


def _table(path: Path, rows: Iterator[Row]) -> Table:
    series: dict[tuple[str, str], dict[str, list[tuple[int, float]]]] = {}
    for where, when, zone, kind, price, product in rows:
        if product not in EVERY_PRODUCT:
            raise PriceFileError(
                f"{path}, {where}: the product is {product!r}; EC2's are"
                f" {', '.join(EVERY_PRODUCT[:5])}.",
                HINT,
            )
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
        # A file that has both is of before 2022-08, and a machine was in a VPC
        points = sorted(by_product.get(PRODUCTS[1]) or by_product[PRODUCTS[0]], key=_time)
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
