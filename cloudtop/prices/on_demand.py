"""On-demand prices: from the Price List API, else from the dated table, with a word on which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import parallel
from cloudtop.aws.client import Client
from cloudtop.errors import CloudtopError

# The API has few endpoints; this one answers for every region of its partition
ENDPOINT_REGION = "us-east-1"
# One plain Linux machine, paid by the hour: of each type and region exactly one product
PLAIN_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


@dataclass(frozen=True)
class OnDemand:
    """Dollars an hour by type, as far as there are any, and their source."""

    prices: Mapping[str, float]
    source: str


def of_table(types: Sequence[str]) -> OnDemand:
    """From the dated table, which asks nobody."""
    known = {kind: rates.on_demand_price(kind) for kind in types}
    prices = {kind: price for kind, price in known.items() if price is not None}
    return OnDemand(prices, rates.on_demand_table())


def ask(types: Sequence[str], region: str) -> OnDemand:
    """From the Price List API; if that can't be asked, from the dated table."""
    try:
        client = aws.client("pricing", ENDPOINT_REGION)
        answers = parallel.ask(lambda kind: _price(client, kind, region), types)
    except (ClientError, BotoCoreError, CloudtopError) as error:
        table = of_table(types)
        return OnDemand(table.prices, f"{table.source} (Price List API: {_reason(error)})")
    prices = {kind: price for kind, price in zip(types, answers, strict=True) if price is not None}
    return OnDemand(prices, f"the Price List API, {region}")


def _price(client: Client, kind: str, region: str) -> float | None:
    wanted = {"instanceType": kind, "regionCode": region, **PLAIN_LINUX}
    filters = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()
    ]
    pages = client.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters)
    products = [json.loads(text) for page in pages for text in page["PriceList"]]
    return max((price for product in products for price in _hourly(product)), default=None)


def _hourly(product: Any) -> Iterator[float]:
    """A product has terms, a term has dimensions, and each of those a price in dollars."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and price > 0:
                yield price


def _reason(error: Exception) -> str:
    """In a word or two: prices are shown all the same, and these are but a yardstick."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return "no answer" if isinstance(error, BotoCoreError) else str(error)
