"""Files of availability: when spot machines could really be had, by type and zone.

CSV, gzipped or not, run-length: a row says that from its time on a machine of the type could be had
in the zone (1), or could not (0); ``end`` is where the trace ends. This is the form of the traces
of skypilot-org/spot-traces ("Can't Be Late", NSDI 2024).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from spotprices.files import GZIP, PriceFileError, moment

# When r5.16xlarge spot machines could be had in us-east-1 b, c and d on that day: a cut of
# skypilot-org/spot-traces, trace preemption-1-node-2023-04-19
DAY = Path(__file__).with_name("r5.16xlarge-2023-04-19.csv.gz")
COLUMNS = ("trace", "step_seconds", "timestamp", "availability_zone", "instance_type", "available")
HINT = f"It has to be CSV ({','.join(COLUMNS)}), gzipped or not"


@dataclass
class Availability:
    """One series, oldest first: whole seconds since 1970 (UTC), and whether there was room."""

    times: list[int] = field(default_factory=list)
    available: list[bool] = field(default_factory=list)


# By instance type and zone
Traces = dict[tuple[str, str], Availability]


def read(path: Path, trace: str = "") -> Traces:
    """The series of one trace of the file, which is named if there are several.

    Raises PriceFileError saying what is wrong, and where.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PriceFileError(f"{path} is no text, or no whole gzip file: {error}.", HINT) from error
    except OSError as error:
        raise PriceFileError(f"{path} cannot be read: {error.strerror or error}.", HINT) from error
    rows = csv.DictReader(io.StringIO(text))
    try:
        if list(rows.fieldnames or ()) != list(COLUMNS):
            raise PriceFileError(f"{path} has other columns in its first line.", HINT)
        every = [(rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise PriceFileError(f"{path} is no CSV: {error}.", HINT) from error
    names = list(dict.fromkeys(str(row["trace"]) for _, row in every))
    wanted = trace or (names[0] if len(names) == 1 else "")
    if wanted not in names or not names:
        raise PriceFileError(
            f"{path} has no trace {trace!r}." if trace else f"{path} has {len(names)} traces.",
            f"Name one of them: --trace NAME; there are: {', '.join(names)}" if names else HINT,
        )
    series: Traces = {}
    for line, row in every:
        if row["trace"] == wanted:
            _add(f"{path}, line {line}", series, row)
    return series


def _add(where: str, series: Traces, row: dict[str, str]) -> None:
    if row["available"] not in ("0", "1", "end"):
        raise PriceFileError(
            f"{where}: available is {row['available']!r}; it has to be 0, 1 or end.", HINT
        )
    try:
        time = int(moment(row["timestamp"] or "").timestamp())
    except (ValueError, OverflowError) as error:
        raise PriceFileError(f"{where}: the time is {row['timestamp']!r}.", HINT) from error
    one = series.setdefault((row["instance_type"], row["availability_zone"]), Availability())
    if one.times and time < one.times[-1]:
        raise PriceFileError(f"{where}: the time is before that of the row above.", HINT)
    # As it was last, to the very end
    room = one.available[-1] if row["available"] == "end" and one.available else None
    one.times.append(time)
    one.available.append(row["available"] == "1" if room is None else room)
