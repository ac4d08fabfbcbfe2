"""Whether a machine may do what it asks, by the policies of its role as they are now.

The account's administrator, which is everyone else, may do everything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.parse import RequestParserError
from moto.ec2.models import ec2_backends
from werkzeug.wrappers import Request

from localcloud.authorization.action_resources import action_resources, tagged_at_birth, tags
from localcloud.authorization.caller import FORGED, UNKNOWN, UNTIMELY, Machine, caller_of, refused
from localcloud.authorization.denied import refuse_denied
from localcloud.authorization.failure_message import BEFORE, encoded
from localcloud.authorization.launches import keys_at_birth, launches, resources_of_launch
from localcloud.authorization.one_reading import require_one_reading
from localcloud.authorization.passed_role import passed_roles
from localcloud.authorization.resource_keys import keys_of, resource_arn
from localcloud.authorization.signature import Signature, is_genuine, is_timely
from localcloud.credentials import Credentials
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import Backend, backends
from localcloud.ec2.query import parameters
from localcloud.errors import Refused
from localcloud.iam.context import Context
from localcloud.iam.policy import Decision, decide

log = logging.getLogger("localcloud.iam")

# Further permissions of a call (AWS Service Authorization Reference, dependent actions)
BESIDE = {
    "dlm:CreateLifecyclePolicy": ("iam:PassRole",),
    "fis:CreateExperimentTemplate": ("iam:PassRole",),
    "fis:StartExperiment": ("iam:CreateServiceLinkedRole",),
}
# Nobody needs a permission for it (API Reference of STS, GetCallerIdentity)
FREE = "sts:GetCallerIdentity"


def authorize(
    request: Request, signature: Signature, administrator: Credentials, action: str
) -> Machine | None:
    """Returns whose call it is, None for the administrator's, if it is genuine and permitted.

    Raises Refused, and then nothing has looked at what it asks.
    """
    region, service = signature.region, signature.service
    caller = caller_of(service, signature.access_key, signature.token, backends(), administrator)
    if not is_genuine(request, signature, caller.secret_key):
        raise refused(FORGED, service)
    if not is_timely(signature):
        raise refused(UNTIMELY, service)
    require_one_reading(request, service)
    machine = caller.machine
    name = f"{service}:{action}"
    if region not in ec2_backends[backends()[0].account_id]:
        code, status, _ = UNKNOWN.get(service, UNKNOWN[""])
        message = f"Credential should be scoped to a valid region, not '{region}'."
        raise Refused(status, code, message)
    if region in Base.cloud.account.regions_off:
        # A region that is off does not know the account's credentials
        raise refused(UNKNOWN, service)
    if name == FREE:
        return machine
    if machine is None:
        _refuse_denied(request, region, service, action)
        return None
    common = {key: (value,) for key, value in machine.keys().items()}
    common["aws:requestedregion"] = (region,)
    if service != "ec2":
        # Here nothing says which resources these touch
        _require(machine, Context(name, "", common), service)
        return machine
    common["ec2:region"] = (region,)
    if request.query_string and request.get_data():
        raise Refused(
            HTTPStatus.BAD_REQUEST, "MalformedQueryString",
            "The parameters stand in the address or in the body, not in both.",
        )  # fmt: skip
    account = machine.instance.ec2_backend.account_id
    backend = ec2_backends[account][region]
    assert isinstance(backend, Backend)
    for context in _contexts(backend, action, _parameters(request, action), common):
        _require(machine, context)
    if action == "AttachVolume":
        _require_key(machine, backend, _parameters(request, action), common)
    return machine


def _refuse_denied(request: Request, region: str, service: str, action: str) -> None:
    """The administrator may do everything but what the account denies."""
    if not Base.cloud.account.denied:
        return
    actions = [f"{service}:{action}", *BESIDE.get(f"{service}:{action}", ())]
    if service == "ec2":
        given = _parameters(request, action)
        backend = ec2_backends[backends()[0].account_id][region]
        assert isinstance(backend, Backend)
        some = launches(backend, action, given)
        actions += ["ec2:RunInstances"] * bool(some)
        tagged = [one for one in (given, *some) if one.get("TagSpecifications")]
        actions += ["ec2:CreateTags"] * bool(tagged)
        actions += ["iam:PassRole"] * bool(passed_roles(backend, action, given))
    refuse_denied(service, *actions)


def _require_key(
    machine: Machine,
    backend: Backend,
    given: Mapping[str, Any],
    common: Mapping[str, tuple[str, ...]],
) -> None:
    """Who attaches a volume of a customer-managed key has to grant EC2 the use of that key
    (EC2 User Guide, "Requirements for Amazon EBS encryption")."""
    volume = backend.volumes.get(given.get("VolumeId", ""))
    key = backend.customer_key_arn
    if volume is None or volume.kms_key_id != key:
        return
    keys = {
        **common,
        "kms:grantisforawsresource": ("true",),
        "kms:viaservice": (f"ec2.{backend.region_name}.amazonaws.com",),
    }
    if decide(machine.policies(), Context("kms:CreateGrant", key, keys)) is not Decision.ALLOWED:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "CustomerKeyHasBeenRevoked",
            f"The customer managed key {key} of the volume cannot be used by this caller.",
        )  # fmt: skip


def _parameters(request: Request, action: str) -> dict[str, Any]:
    """By their names in EC2's model, as the action itself will get them."""
    try:
        return parameters(request, action)
    except (OperationNotFoundError, RequestParserError, ValueError):
        # The action says what is wrong, to those who may call it with anything
        return {}


def _contexts(
    backend: Backend, action: str, given: Mapping[str, Any], common: Mapping[str, tuple[str, ...]]
) -> list[Context]:
    name = f"ec2:{action}"
    asked = tags(given.get("Tags", [])) if action in ("CreateTags", "DeleteTags") else {}
    keys = {**common, **_request_tags(asked)}
    resources = action_resources(backend, action, given)
    whole = Context(name, "" if resources is None else "*", keys)
    contexts = [] if resources or action == "RunInstances" else [whole]
    for kind, ident in resources or []:
        own = {key: (value,) for key, value in keys_of(backend, kind, ident).items()}
        contexts.append(Context(name, resource_arn(backend, kind, ident), {**keys, **own}))
    for launch in launches(backend, action, given):
        contexts += _contexts_of_launch(backend, launch, common)
    if action != "RunInstances":
        contexts += _contexts_of_tags(backend, action, given, common)
    for role in passed_roles(backend, action, given):
        to = {**common, "iam:passedtoservice": ("ec2.amazonaws.com",)}
        contexts.append(Context("iam:PassRole", role, to))
    return contexts


def _contexts_of_launch(
    backend: Backend, launch: Mapping[str, Any], common: Mapping[str, tuple[str, ...]]
) -> list[Context]:
    """A launch by a template or a fleet needs what one by RunInstances needs."""
    contexts = []
    for kind, ident in resources_of_launch(launch):
        facts = keys_of(backend, kind, ident)
        if ident == "*":
            facts |= keys_at_birth(backend, kind, launch)
        own = {key: (value,) for key, value in facts.items()}
        arn = resource_arn(backend, kind, ident)
        contexts.append(Context("ec2:RunInstances", arn, {**common, **own}))
    return contexts + _contexts_of_tags(backend, "RunInstances", launch, common)


def _contexts_of_tags(
    backend: Backend, action: str, given: Mapping[str, Any], common: Mapping[str, tuple[str, ...]]
) -> list[Context]:
    contexts = []
    for kind, wanted in tagged_at_birth(given):
        born = {**common, **_request_tags(wanted), "ec2:createaction": (action,)}
        contexts.append(Context("ec2:CreateTags", resource_arn(backend, kind, "*"), born))
    return contexts


def _request_tags(wanted: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {
        f"aws:requesttag/{key.lower()}": (value,) for key, value in wanted.items()
    }
    return {**keys, "aws:tagkeys": tuple(wanted)} if wanted else {}


def _require(machine: Machine, context: Context, service: str = "ec2") -> None:
    decision = decide(machine.policies(), context)
    boundary = machine.boundary()
    if decision is Decision.ALLOWED and boundary is not None:
        decision = decide([boundary], context)
    if decision is Decision.ALLOWED:
        return
    message = _sentence(machine, context, decision)
    log.info("refused: %s", message)
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
        if context.resource != "*":
            details = encoded(
                context, principal=machine.arn, user_id=machine.user_id,
                explicit=decision is Decision.DENIED,
            )  # fmt: skip
            message = f"{message}. {BEFORE}{details}"
        raise Refused(HTTPStatus.FORBIDDEN, "UnauthorizedOperation", message)
    if service == "ssm":
        raise Refused(HTTPStatus.BAD_REQUEST, "AccessDeniedException", message)
    raise Refused(HTTPStatus.FORBIDDEN, "AccessDenied", message)


def _sentence(machine: Machine, context: Context, decision: Decision) -> str:
    """IAM User Guide, "Troubleshoot access denied error messages"."""
    on = f" on resource: {context.resource}" if context.resource not in ("", "*") else ""
    why = (
        "with an explicit deny in an identity-based policy"
        if decision is Decision.DENIED
        else f"because no identity-based policy allows the {context.action} action"
    )
    return f"User: {machine.arn} is not authorized to perform: {context.action}{on} {why}"
