"""``runner.py prices``: its figures against sums by hand, its forms, and that it asks nobody."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from cloudtop.prices import table as price_table
from cloudtop.prices.on_demand import OnDemand
from cloudtop.prices.rows import Row, gather, ordered
from cloudtop.prices.source import Source
from cloudtop.settings import settings
from spotprices.files import Prices
from tests.cloudtop.prices.price_lab import REAL, SMALL, refused, run, run_program


@pytest.fixture
def small(tmp_path: Path) -> str:
    (tmp_path / "small.csv").write_text(SMALL)
    return str(tmp_path / "small.csv")


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {row["zone"]: row for row in json.loads(text)["prices"]}


def test_every_figure_of_a_row_against_sums_by_hand(tmp_path: Path, small: str) -> None:
    done = run(tmp_path, "prices", "--json", "--history", small)
    assert done.stderr == ""
    row = rows(done.stdout)["us-east-1a"]
    assert row["now"] == 0.20
    # (0.10 * 60 + 0.40 * 30 + 0.20 * 30) minutes / 120 minutes
    assert row["average"] == 0.20
    # 0.40 held for a quarter of the time
    assert (row["p95"], row["maximum"]) == (0.40, 0.40)
    # 1 - 0.20 / 1.248
    assert (row["on_demand"], row["saving"]) == (1.248, 84.0)
    # 0.20 * 730 + 50 * 0.08 + 16 * 0.08 + 0.005 * 730 = 146 + 4 + 1.28 + 3.65
    assert row["month_average"] == 154.93
    # The same at the bid of the settings: 474.50 for the machine
    assert row["month_bid"] == 483.43


def test_the_original_sums(tmp_path: Path, small: str) -> None:
    """A bid of $0.20 is about $145 a month at worst, $0.03 a little over $20."""
    volumes = ("-e", "cloudtop_volume_size=1", "-e", "cloudtop_root_size=8")
    beside = 1 * 0.08 + 8 * 0.08 + 730 * 0.005
    for bid, low, high in ((0.20, 144, 147), (0.03, 20, 23)):
        done = run(
            tmp_path, "prices", "--json", "--history", small,
            "-e", f"cloudtop_bid={bid}", *volumes,
        )  # fmt: skip
        for row in rows(done.stdout).values():
            assert low < row["month_bid"] - beside < high
    assert rows(done.stdout)["us-east-1b"]["month_average"] == round(0.03 * 730 + beside, 2)


def test_a_file_starts_no_cloud_and_asks_nobody(tmp_path: Path, small: str) -> None:
    before = set(tmp_path.iterdir())
    # Whoever asked the network would wait for this proxy in vain
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    for words in (("prices",), ("bid",)):
        done = run_program(tmp_path, *words, "--history", small, **nowhere)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    assert set(tmp_path.iterdir()) == before


def test_table_tells_all_without_colours(tmp_path: Path) -> None:
    done = run(tmp_path, "prices", "--history", str(REAL))
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    assert [line.split()[1] for line in lines[1:4]] == ["us-east-1e", "us-east-1b", "us-east-1a"]
    assert "a table of us-east-1, as published in 2024" in done.stdout
    assert "c3.xlarge-2015-06.csv.gz, 4.8 days to 2015-06-06 23:55 UTC" in done.stdout


@pytest.mark.parametrize(
    ("given", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals_that_want_them(
    tmp_path: Path, small: str, given: dict[str, str], coloured: bool
) -> None:
    terminal = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "NO_COLOR": "", **given}
    done = run(tmp_path, "prices", "--chart", "--history", small, **terminal)
    # 31 to 36 are colours; bold and faint are none
    assert ("\x1b[3" in done.stdout) is coloured


@pytest.mark.parametrize("given", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "unknown"}])
@pytest.mark.parametrize("command", ["prices", "bid"])
def test_f19_plain_lines_have_no_escape_codes_at_all(
    tmp_path: Path, small: str, given: dict[str, str], command: str
) -> None:
    terminal = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "NO_COLOR": ""}
    words = (command, *(["--chart"] if command == "prices" else []), "--history", small)
    assert "\x1b" in run(tmp_path, *words, **terminal).stdout
    assert "\x1b" not in run(tmp_path, *words, **{**terminal, **given}).stdout


def test_csv_has_the_rows_of_the_json(tmp_path: Path, small: str) -> None:
    table = csv.DictReader(io.StringIO(run(tmp_path, "prices", "--csv", "--history", small).stdout))
    answer = rows(run(tmp_path, "prices", "--json", "--history", small).stdout)
    for row in table:
        expected = {
            key: "" if value is None else str(value) for key, value in answer[row["zone"]].items()
        }
        assert row == expected


def test_in_80_columns_names_are_whole_and_columns_fewer() -> None:
    series = Prices([0, 3600], [12.5, 12.5])
    place = ("u7in-32tb.224xlarge", "ap-southeast-2b")
    source = Source({place: series}, 0, 3600, "ap-southeast-2", OnDemand({}, "nowhere"))
    wanted = settings.load()
    for width, heads in ((80, ["at bid"]), (120, ["95 %", "max", "on-dem.", "at bid"])):
        out = io.StringIO()
        price_table.show(Console(file=out, width=width), gather(source, wanted), source, wanted, "")
        head, line = out.getvalue().splitlines()[:2]
        assert line.split()[:3] == [*place, "?"]
        assert "9134" in line.split()
        assert max(len(head.rstrip()), len(line.rstrip())) <= width
        assert [each for each in ("95 %", "max", "on-dem.", "at bid") if each in head] == heads


LOCAL_ZONES = """timestamp,availability_zone,instance_type,spot_price
2015-06-01T00:00:00Z,us-west-2-lax-1a,u7in-32tb.224xlarge,0.10
2015-06-01T02:00:00Z,us-west-2-lax-1a,u7in-32tb.224xlarge,0.40
2015-06-01T00:00:00Z,ap-southeast-2-akl-1a,c5.xlarge,12.03
2015-06-01T02:00:00Z,ap-southeast-2-akl-1a,c5.xlarge,12.03
"""


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120])
def test_f18_names_of_local_zones_are_whole_in_a_narrow_terminal(
    tmp_path: Path, columns: int
) -> None:
    (tmp_path / "local.csv").write_text(LOCAL_ZONES)
    terminal = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    words = ("--history", str(tmp_path / "local.csv"))
    with mock.patch.object(price_table, "WIDE", columns):
        text = run(tmp_path, "prices", *words, **terminal).stdout
        bids = run(tmp_path, "bid", "c5.xlarge", *words, **terminal).stdout
    head, *lines = (line.split() for line in text.splitlines()[:3])
    assert head[:3] == ["type", "zone", "taken" if columns >= 60 else "now"]
    assert {tuple(line[:2]) for line in lines} == {
        ("u7in-32tb.224xlarge", "us-west-2-lax-1a"),
        ("c5.xlarge", "ap-southeast-2-akl-1a"),
    }
    assert "…" not in text + bids
    table = text.splitlines()[:3]
    assert columns < 60 or max(map(len, table)) <= columns


def some(average: float, **parts: Any) -> Row:
    known: dict[str, Any] = {
        "type": "t", "zone": "a", "now": average, "p95": average, "maximum": average,
        "on_demand": None, "saving": None, "month_average": 0.0, "month_bid": 0.0,
    }  # fmt: skip
    return Row(average=average, **{**known, **parts})


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("average", [1, 2, 3]),
        ("now", [3, 2, 1]),
        ("max", [1, 3, 2]),
        ("saving", [2, 3, 1]),
        ("zone", [2, 3, 1]),
    ],
)
def test_rows_are_sorted_as_asked(by: str, expected: list[int]) -> None:
    given = [
        some(1, now=9, zone="c"),
        some(2, now=8, maximum=7, saving=50.0, zone="a"),
        some(3, now=7, saving=20.0, zone="b"),
    ]
    assert [row.average for row in ordered(given[::-1], by)] == expected


def test_a_series_that_begins_late_is_looked_at_from_there() -> None:
    late = Source({("t.x", "z"): Prices([7200, 10800], [0.5, 0.1])}, 0, 14400, "", OnDemand({}, ""))
    (row,) = gather(late, settings.load())
    assert row.average == pytest.approx(0.3)
    assert (row.on_demand, row.saving) == (None, None)


def test_limit_and_names_of_types(tmp_path: Path, small: str) -> None:
    done = run(tmp_path, "prices", "i3.4xlarge", "--limit", "1", "--json", "--history", small)
    assert list(rows(done.stdout)) == ["us-east-1b"]


def test_last_days_of_a_file(tmp_path: Path) -> None:
    words = ("prices", "--json", "--history", str(REAL))
    answer = json.loads(run(tmp_path, *words, "--days", "1").stdout)
    assert (answer["from"], answer["to"]) == (
        "2015-06-05T23:55:57+00:00",
        "2015-06-06T23:55:57+00:00",
    )
    whole = json.loads(run(tmp_path, *words).stdout)
    assert whole["from"] == "2015-06-02T04:43:10+00:00"
    assert json.loads(run(tmp_path, *words, "--days", "999").stdout)["from"] == whole["from"]


BAD = [
    (("--days", "0"), "--days is '0'; it has to be a number of days, 1 or more."),
    (("--days", "soon"), "--days is 'soon'"),
    (("--limit", "0"), "--limit is '0'"),
    (("zz9.large",), "has no prices of the type zz9.large."),
    (("--zone", "us-east-1c"), "has no prices of the zone us-east-1c."),
    (("--vcpus", "4"), "with --history it is not asked"),
    (("i3.4xlarge", "--vcpus", "4"), "Either types are named (i3.4xlarge) or wished for."),
    (("--save", "a.gif"), "--save is 'a.gif'; it has to end in .svg or .png."),
    (("--save", "no/where/a.png"), "There is no directory no/where"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_bad_words_get_a_sentence(
    tmp_path: Path, small: str, words: tuple[str, ...], message: str
) -> None:
    assert message in refused(tmp_path, "prices", *words, "--history", small)


def test_price_of_the_future_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(SMALL.replace("2015", "2215"))
    message = refused(tmp_path, "bid", "--history", str(tmp_path / "f.csv"))
    assert "The newest price of f.csv is of 2215-06-01 02:00 UTC" in message


def test_empty_and_broken_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(SMALL.splitlines()[0] + "\n")
    (tmp_path / "broken.json").write_text('{"SpotPriceHistory": [')
    for name, message in (
        ("empty.csv", "holds no prices"), ("broken.json", "is no JSON"), ("none", "cannot be read"),
    ):  # fmt: skip
        for command in ("prices", "bid"):
            assert message in refused(tmp_path, command, "--history", str(tmp_path / name))


def test_history_of_one_moment(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("\n".join(SMALL.splitlines()[:2]))
    words = ("--history", str(tmp_path / "one.csv"))
    (row,) = json.loads(run(tmp_path, "prices", "--json", *words).stdout)["prices"]
    assert row["now"] == row["average"] == row["p95"] == row["maximum"] == 0.10
    assert "one price only" in run(tmp_path, "prices", "--chart", *words).stdout
    assert "is one moment long" in refused(tmp_path, "bid", *words)
