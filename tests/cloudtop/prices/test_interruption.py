"""How often EC2 interrupts a type: fetched, or a dated copy; a local server stands for AWS's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cloudtop.prices import interruption
from cloudtop.prices.interruption import LABELS, Advisor, Band
from cloudtop.settings import clouds

RANGES = [{"index": index, "label": label} for index, label in enumerate(LABELS)]
DOCUMENT: dict[str, Any] = {
    "ranges": RANGES,
    "spot_advisor": {
        "us-east-1": {"Linux": {"m5d.4xlarge": {"s": 50, "r": 3}}, "Windows": {}},
        "eu-west-1": {"Linux": {"m5d.4xlarge": {"s": 50, "r": 0}}},
    },
}


class Server:
    """Answers every GET with what a test gave it."""

    def __init__(self) -> None:
        self.body = json.dumps(DOCUMENT).encode()
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outer.status)
                self.send_header("Last-Modified", "Sun, 01 Nov 2026 10:00:00 GMT")
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/spot-advisor-data.json"


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    thread = threading.Thread(target=one.http.serve_forever, args=(0.01,))
    thread.start()
    yield one
    one.http.shutdown()
    thread.join()
    one.http.server_close()


def label(advisor: Advisor, kind: str, place: str) -> str | None:
    band = advisor.band(kind, place)
    return band.label if band else None


def test_fetched_file_says_its_date_and_has_each_regions_band(server: Server) -> None:
    advisor = interruption.look_up(server.url)
    assert advisor.date == "2026-11-01"
    assert advisor.source.startswith("AWS's Spot Instance Advisor, fetched 20")
    assert label(advisor, "m5d.4xlarge", "us-east-1") == "15-20%"
    # A zone's name, and that of a local zone
    assert label(advisor, "m5d.4xlarge", "eu-west-1b") == "<5%"
    assert label(advisor, "m5d.4xlarge", "us-east-1-bos-1a") == "15-20%"


@pytest.mark.parametrize(
    ("kind", "place"),
    [("m5d.24xlarge", "us-east-1a"), ("m5d.4xlarge", "us-west-2"), ("m5d.4xlarge", "z")],
)
def test_unknown_is_no_band_and_never_a_rare_one(server: Server, kind: str, place: str) -> None:
    assert interruption.look_up(server.url).band(kind, place) is None


STRANGE = [
    b"<html>",
    b"[]",
    b"{}",
    json.dumps({**DOCUMENT, "ranges": RANGES[:3]}).encode(),
    json.dumps({**DOCUMENT, "spot_advisor": {"us-east-1": {"Linux": {"a": {"r": 7}}}}}).encode(),
    json.dumps({**DOCUMENT, "spot_advisor": {"us-east-1": {"Linux": {"a": {}}}}}).encode(),
]


@pytest.mark.parametrize("body", STRANGE)
def test_strange_file_gives_the_copy_and_says_why(server: Server, body: bytes) -> None:
    server.body = body
    advisor = interruption.look_up(server.url)
    assert advisor.source.startswith("a copy of AWS's Spot Instance Advisor of 2025-06 (its public")
    assert (advisor.date, advisor.regions) == ("2025-06", interruption.copy().regions)


def test_address_that_does_not_answer_gives_the_copy_and_says_why(server: Server) -> None:
    server.status = 503
    assert "503" in interruption.look_up(server.url).source
    assert "refused" in interruption.look_up("http://127.0.0.1:9/").source


def test_copy_has_what_aws_said_in_2025() -> None:
    advisor = interruption.look_up("")
    assert label(advisor, "m5d.4xlarge", "us-east-1a") == "5-10%"
    assert label(advisor, "i3.4xlarge", "us-east-1a") == ">20%"
    assert label(advisor, "c5d.xlarge", "us-east-1a") == "<5%"
    assert len(advisor.regions) > 25


def test_bands_end_where_their_labels_say() -> None:
    assert [Band(index).at_most for index in range(5)] == [5, 10, 15, 20, 100]


def test_only_aws_has_the_public_address() -> None:
    assert clouds.load("aws").spot_advisor.startswith("https://")
    assert clouds.load("rehearsal").spot_advisor == ""
