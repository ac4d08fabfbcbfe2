"""On-demand prices: what is asked of the Price List API, and what stands in for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cloudtop.prices import on_demand
from tests.cloud import KEY, SECRET, environment


def product(kind: str, dollars: str, unit: str = "Hrs") -> str:
    """One of the texts that the API answers with, in its form."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": dollars}}
    terms = {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": dimension}}}}
    return json.dumps({"product": {"attributes": {"instanceType": kind}}, "terms": terms})


class Api(ThreadingHTTPServer):
    """Speaks GetProducts on loopback; ``answers`` are pages by type, ``asked`` what came in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[dict[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({**asked, "authorization": self.headers["Authorization"]})
        if self.server.status != 200:
            refusal = {"__type": "AccessDeniedException", "Message": "not authorized"}
            self._say(refusal)
            return
        wanted = {one["Field"]: one["Value"] for one in asked["Filters"]}
        pages = self.server.answers.get(wanted["instanceType"], [[]])
        number = int(asked.get("NextToken", 0))
        answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": pages[number]}
        if number + 1 < len(pages):
            answer["NextToken"] = str(number + 1)
        self._say(answer)

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        for key, value in environment(address).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield server
        server.shutdown()
        thread.join()


def test_one_plain_linux_machine_of_the_region_is_asked_for(api: Api) -> None:
    api.answers = {"i3.4xlarge": [[product("i3.4xlarge", "1.3760000000")]]}
    answer = on_demand.ask(["i3.4xlarge"], "eu-west-1")
    assert answer.prices == {"i3.4xlarge": 1.376}
    assert answer.source == "the Price List API, eu-west-1"
    (asked,) = api.asked
    assert asked["ServiceCode"] == "AmazonEC2"
    assert {one["Field"]: one["Value"] for one in asked["Filters"]} == {
        "instanceType": "i3.4xlarge",
        "regionCode": "eu-west-1",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    # The API is not in every region, so it is signed for where it is
    assert f"Credential={KEY}/" in asked["authorization"]
    assert "/us-east-1/pricing/" in asked["authorization"]
    assert SECRET not in asked["authorization"]


def test_all_pages_are_read_and_prices_of_nothing_left_out(api: Api) -> None:
    kind = "c5.large"
    api.answers = {
        kind: [[product(kind, "0.0000000000")], [product(kind, "0.085"), product(kind, "9", "GB")]]
    }
    answer = on_demand.ask([kind, "c6.none"], "eu-west-1")
    assert answer.prices == {kind: 0.085}


def test_refusal_leads_to_the_dated_table_and_is_said(api: Api) -> None:
    api.status = 400
    answer = on_demand.ask(["i3.4xlarge", "zz9.large"], "eu-west-1")
    assert answer.prices == {"i3.4xlarge": 1.248}
    assert answer.source == (
        "a table of us-east-1, as published in 2024 (Price List API: AccessDeniedException)"
    )


def test_nobody_there_leads_to_the_dated_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(key, value)
    answer = on_demand.ask(["i3.4xlarge"], "us-east-1")
    assert answer.prices == {"i3.4xlarge": 1.248}
    assert answer.source.endswith("(Price List API: no answer)")
