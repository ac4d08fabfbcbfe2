"""Charts: in the terminal and as a picture."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cloudtop.prices import chart as price_chart
from cloudtop.prices import history
from cloudtop.prices import picture as price_figure
from cloudtop.prices.chart import Chart
from spotprices.files import Prices
from tests.cloudtop.prices.price_lab import REAL, run

HOUR = 3600
# Up at the second hour, down at the fourth, up for good at the eighth
STEPS = Prices([0, 2 * HOUR, 4 * HOUR, 8 * HOUR], [0.10, 0.30, 0.12, 0.40])
CHART = Chart("t.large in z", STEPS, 0, 10 * HOUR, 0.20)


def test_lines_have_the_width_asked_for_and_mark_each_reap_on_the_bid() -> None:
    lines = price_chart.draw(CHART, 80, coloured=False).splitlines()
    assert {len(line) for line in lines[:-1] if line.endswith(("│", "┐", "┘"))} == {80}
    (bid,) = [line for line in lines if line.startswith("bid 0.2")]
    assert bid.count("X") == 2
    inside = bid.partition("┤")[2].rstrip("│")
    marks = [index / len(inside) for index, letter in enumerate(inside) if letter == "X"]
    assert marks == pytest.approx([0.2, 0.8], abs=0.03)
    assert lines[-1] == "  ⠤ price   - bid   X a reap"


def test_without_colours_there_is_no_escape() -> None:
    assert "\x1b" not in price_chart.draw(CHART, 80, coloured=False)
    assert "\x1b[3" in price_chart.draw(CHART, 80, coloured=True)


def test_caption_counts_what_the_bid_came_to() -> None:
    # Away from the second to the fourth hour, and from the eighth to the tenth
    assert CHART.caption() == "t.large in z, bid $0.2: 2 reaps, away 4 h in all"
    calm = Chart("t.large in z", STEPS, 0, 10 * HOUR, 0.40)
    assert calm.caption() == "t.large in z, bid $0.4: no reap"


def test_a_key_of_reaps_is_for_charts_with_reaps() -> None:
    calm = Chart("t.large in z", STEPS, 0, 10 * HOUR, 0.40)
    assert price_chart.draw(calm, 80, coloured=False).splitlines()[-1] == "  ⠤ price   - bid"


@pytest.mark.parametrize(
    "series", [Prices([0], [0.1]), Prices([0, 60], [0.1, 0.1]), Prices([0, 60], [0.0001, 900.0])]
)
@pytest.mark.parametrize("bid", [0.0001, 0.1, 10_000.0])
def test_flat_and_steep_prices_are_drawn_too(series: Prices, bid: float) -> None:
    text = price_chart.draw(Chart("", series, 0, 120, bid), 80, coloured=False)
    assert f"bid {bid:g}" in text


def test_no_spike_is_lost_between_columns() -> None:
    series = history.read(REAL)["c3.xlarge", "us-east-1a"]
    chart = Chart("", series, series.times[0], series.times[-1], 0.2)
    points = list(price_chart.polyline(chart, 40))
    assert len(points) <= 4 * 41
    assert (min(p for _, p in points), max(p for _, p in points)) == (
        min(series.dollars), max(series.dollars),
    )  # fmt: skip
    assert [when for when, _ in points] == sorted(when for when, _ in points)


@pytest.mark.parametrize(
    ("low", "high", "bid", "shown"),
    [
        (0.1, 0.4, 0.2, [0.1, 0.2, 0.3, 0.4]),
        (0.01, 1.0, 0.2, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
        (0.01, 1.0, 0.19, [0.01, 0.02, 0.05, 0.1, 0.19, 0.5, 1.0]),
        (0.1, 0.1, 0.1, [0.1]),
    ],
)
def test_price_ticks_are_round_and_the_bid(
    low: float, high: float, bid: float, shown: list[float]
) -> None:
    assert price_chart.price_ticks(low, high, bid) == pytest.approx(shown)


def test_pictures_have_a_ground_of_their_own(tmp_path: Path) -> None:
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    price_figure.save(str(png), [CHART, CHART])
    price_figure.save(str(svg), [CHART])
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    assert (width, height) == (1080, 792)
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    first = next(path for path in root.iter("{http://www.w3.org/2000/svg}path"))
    assert "#ffffff" in first.attrib["style"]


def test_save_writes_the_picture_beside_the_table(tmp_path: Path) -> None:
    picture = tmp_path / "p.svg"
    done = run(tmp_path, "prices", "--json", "--save", str(picture), "--history", str(REAL))
    assert done.stderr == f"Saved {picture}\n"
    assert picture.read_text().startswith("<?xml")
    assert done.stdout.startswith("{")
