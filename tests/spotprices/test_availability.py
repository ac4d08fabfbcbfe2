"""Files of availability: the series that they hold, and the errors of bad ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from spotprices.availability import COLUMNS, DAY, read
from spotprices.files import PriceFileError

REAL = DAY
HEAD = ",".join(COLUMNS) + "\n"
ROW = "t,34,2023-04-19T00:00:00Z,us-east-1b,r5.16xlarge,1\n"


def test_a_real_day_has_losses_in_each_zone() -> None:
    traces = read(REAL)
    assert sorted(traces) == [("r5.16xlarge", f"us-east-1{letter}") for letter in "bcd"]
    for one in traces.values():
        assert one.times == sorted(one.times)
        assert one.times[-1] - one.times[0] == 86400
        losses = [before and not after for before, after in pairwise(one.available)]
        assert 1 <= sum(losses) <= 30


def test_the_end_of_a_trace_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + ROW + ROW.replace("T00", "T01").replace(",1\n", ",end\n"))
    (one,) = read(path).values()
    assert one.available == [True, True]


def test_one_trace_of_several_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + ROW + ROW.replace("t,34", "u,34").replace(",1\n", ",0\n"))
    (one,) = read(path, "u").values()
    assert one.available == [False]
    with pytest.raises(PriceFileError, match="has 2 traces") as caught:
        read(path)
    assert "--trace NAME; there are: t, u" in caught.value.hint


BAD = [
    ("", "has other columns in its first line"),
    ("timestamp,availability_zone,instance_type,spot_price\n", "has other columns"),
    (HEAD, "has 0 traces"),
    (HEAD + ROW.replace(",1\n", ",2\n"), "line 2: available is '2'; it has to be 0, 1 or end."),
    (HEAD + ROW.replace("2023-04-19T00:00:00Z", "soon"), "line 2: the time is 'soon'."),
    (HEAD + ROW + ROW.replace("2023", "2022"), "line 3: the time is before that of the row above"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_bad_file_is_refused_in_one_sentence(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(PriceFileError) as caught:
        read(path)
    assert message in caught.value.message
    with pytest.raises(PriceFileError, match="cannot be read"):
        read(tmp_path / "nowhere")
