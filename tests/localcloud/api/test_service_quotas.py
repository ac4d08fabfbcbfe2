"""Service Quotas answers for EC2: the account's own values and AWS's defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud import aws
from tests.localcloud.lab import Lab

STANDARD, SPOT = "L-1216C47A", "L-34B43A08"


@pytest.fixture
def quotas(lab: Lab) -> Iterator[Any]:
    yield lab.client("service-quotas")
    lab.own("account", {"default": True})


def value(answer: Any) -> float:
    return float(answer["Quota"]["Value"])


def test_a_quota_is_the_accounts_and_its_default_awss(lab: Lab, quotas: Any) -> None:
    given = {"ServiceCode": "ec2", "QuotaCode": SPOT}
    assert value(quotas.get_service_quota(**given)) == 1152
    assert value(quotas.get_aws_default_service_quota(**given)) == 5
    lab.own("account", {"quotas": {SPOT: 64}})
    assert value(quotas.get_service_quota(**given)) == 64
    lab.own("account", {"default": True, "fresh": True})
    assert value(quotas.get_service_quota(**given)) == 5
    given["QuotaCode"] = "L-DB2E81BA"
    assert value(quotas.get_service_quota(**given)) == 0


def test_the_aws_command_line_reads_a_quota(lab: Lab, quotas: Any) -> None:
    words = ("--service-code", "ec2", "--quota-code", STANDARD)
    answer = aws(lab.endpoint, "service-quotas", "get-service-quota", *words)["Quota"]
    assert answer["QuotaName"].startswith("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z)")
    assert answer["QuotaArn"].endswith(f":servicequotas:us-east-1:123456789012:ec2/{STANDARD}")
    assert answer["UsageMetric"]["MetricDimensions"]["Class"] == "Standard/OnDemand"


def test_all_quotas_come_in_pages(quotas: Any) -> None:
    pages = quotas.get_paginator("list_service_quotas").paginate(
        ServiceCode="ec2", PaginationConfig={"PageSize": 7}
    )
    codes = [one["QuotaCode"] for page in pages for one in page["Quotas"]]
    assert len(codes) == len(set(codes)) == 20
    assert {STANDARD, SPOT, "L-0263D0A3"} <= set(codes)


@pytest.mark.parametrize(
    "given",
    [
        {"ServiceCode": "ec2", "QuotaCode": "L-00000000"},
        {"ServiceCode": "s3", "QuotaCode": STANDARD},
    ],
)
def test_a_quota_that_is_not_there_is_refused(lab: Lab, quotas: Any, given: Any) -> None:
    lab.refused("NoSuchResourceException", quotas.get_service_quota, **given)


def test_an_increase_is_not_rehearsed_and_says_what_to_do(lab: Lab, quotas: Any) -> None:
    given = {"ServiceCode": "ec2", "QuotaCode": SPOT, "DesiredValue": 64}
    message = lab.refused("UnsupportedOperation", quotas.request_service_quota_increase, **given)
    assert "python -m localcloud account --quota L-34B43A08=64" in message
