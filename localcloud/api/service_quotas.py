"""Service Quotas, as far as EC2's quotas need it: the account's own values and AWS's defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from moto.ec2.models import ec2_backends
from werkzeug.wrappers import Response

from localcloud.ec2.backend.whole import Backend, backends
from localcloud.ec2.filters import page
from localcloud.ec2.quotas import BY_CODE, QUOTAS, VCPUS, Quota
from localcloud.errors import Refused

SERVICE, NAME = "ec2", "Amazon Elastic Compute Cloud (Amazon EC2)"
# The longest page (API Reference, ListServiceQuotas)
PAGE = 100


def answer(action: str, body: bytes, region: str) -> Response:
    """The answer to a call that reads quotas. Raises Refused."""
    backend = ec2_backends[backends()[0].account_id][region]
    assert isinstance(backend, Backend)
    try:
        given: Mapping[str, Any] = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise _refused("SerializationException", f"{error}") from error
    verbs = {
        "GetServiceQuota": lambda: _one(backend, given, own=True),
        "GetAWSDefaultServiceQuota": lambda: _one(backend, given, own=False),
        "ListServiceQuotas": lambda: _all(backend, given, own=True),
        "ListAWSDefaultServiceQuotas": lambda: _all(backend, given, own=False),
        "ListServices": _services,
    }
    if action not in verbs:
        raise _refused(
            "UnsupportedOperation",
            f"The rehearsal cloud does not have service-quotas:{action}. Its owner sets a quota:"
            " python -m localcloud account --quota L-34B43A08=64",
        )
    return Response(json.dumps(verbs[action]()), mimetype="application/x-amz-json-1.1")


def _refused(code: str, message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, code, message)


def _require_service(given: Mapping[str, Any]) -> None:
    if given.get("ServiceCode") != SERVICE:
        raise _refused(
            "NoSuchResourceException",
            f"The request failed because the specified service, {given.get('ServiceCode')!r}, does"
            f" not exist here; there is {SERVICE}.",
        )


def _one(backend: Backend, given: Mapping[str, Any], *, own: bool) -> object:
    _require_service(given)
    quota = BY_CODE.get(str(given.get("QuotaCode")))
    if quota is None:
        raise _refused(
            "NoSuchResourceException",
            f"The request failed because the specified quota, {given.get('QuotaCode')!r}, does not"
            " exist.",
        )
    return {"Quota": _shown(backend, quota, own=own)}


def _all(backend: Backend, given: Mapping[str, Any], *, own: bool) -> object:
    _require_service(given)
    shown, token = page(QUOTAS, given, low=1, high=PAGE)
    quotas = [_shown(backend, quota, own=own) for quota in shown]
    return {"Quotas": quotas, **({"NextToken": token} if token else {})}


def _services() -> object:
    return {"Services": [{"ServiceCode": SERVICE, "ServiceName": NAME}]}


def _shown(backend: Backend, quota: Quota, *, own: bool) -> dict[str, Any]:
    # A default is nobody's: its ARN has no account
    account = backend.account_id if own else ""
    place = f"{backend.region_name}:{account}:{SERVICE}/{quota.code}"
    shown: dict[str, Any] = {
        "ServiceCode": SERVICE,
        "ServiceName": NAME,
        "QuotaArn": f"arn:{backend.partition}:servicequotas:{place}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(backend.quota_value(quota) if own else quota.default),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
    if quota.unit == VCPUS:
        shown["UsageMetric"] = {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": quota.metric,
                "Resource": "vCPU",
                "Service": "EC2",
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        }
    return shown
