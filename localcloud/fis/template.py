"""An experiment template, and what it may say."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.fis.errors import invalid, not_rehearsed

# FIS User Guide, "Amazon EC2 actions"
INTERRUPT, TARGET, SPOT = (
    "aws:ec2:send-spot-instance-interruptions", "SpotInstances", "aws:ec2:spot-instance",
)  # fmt: skip
DURATION = "durationBeforeInterruption"
# Minutes between the experiment's begin and the interruption
SHORTEST, LONGEST = 2, 15
# ISO 8601, in minutes or seconds
PERIOD = re.compile(r"PT(?:(\d{1,4})M)?(?:(\d{1,6})S)?")
INSTANCE = re.compile(r"arn:(aws[a-z-]*):ec2:([a-z0-9-]+):(\d{12}):instance/(i-[0-9a-f]+)")
OPTIONS = {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"}


@dataclass
class Template:
    """``given`` are the parameters that it was made of; ``details`` those that are kept."""

    id: str
    arn: str
    token: str
    given: dict[str, Any]
    details: dict[str, Any]
    created: datetime
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def role_arn(self) -> str:
        return str(self.details["roleArn"])

    def orders(self) -> Iterator[tuple[str, str, float]]:
        """The interruptions: name of the target, ARN of an instance, seconds until its end."""
        for action in self.details["actions"].values():
            name = action["targets"][TARGET]
            seconds = period(action["parameters"][DURATION])
            for arn in self.details["targets"][name]["resourceArns"]:
                yield name, arn, seconds

    def summary(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "arn": self.arn,
            "description": self.details["description"],
            "creationTime": self.created,
            "lastUpdateTime": self.created,
            "tags": self.tags,
        }

    def whole(self) -> dict[str, Any]:
        return {**self.details, **self.summary(), "targetAccountConfigurationsCount": 0}


def period(text: str) -> float:
    """Seconds of an ISO 8601 duration. Raises ValidationException for any other text."""
    match = PERIOD.fullmatch(text)
    if not match or text == "PT":
        raise invalid(f"{DURATION} is {text}; it has to be an ISO 8601 duration such as PT2M.")
    return int(match[1] or 0) * 60 + int(match[2] or 0)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they are kept. Raises ValidationException for what can't be."""
    kept = copy.deepcopy(dict(given))
    kept.pop("clientToken", None)
    kept.pop("tags", None)
    for name in ("logConfiguration", "experimentReportConfiguration"):
        if name in kept:
            raise not_rehearsed(name)
    kept["experimentOptions"] = {**OPTIONS, **kept.get("experimentOptions", {})}
    if kept["experimentOptions"] != OPTIONS:
        raise not_rehearsed("experimentOptions other than single-account and fail")
    if not kept["stopConditions"]:
        raise invalid("stopConditions needs a source; for none say: [{source: none}]")
    if any(one != {"source": "none"} for one in kept["stopConditions"]):
        raise not_rehearsed("stop conditions other than the source none")
    targets = kept.setdefault("targets", {})
    for name, target in targets.items():
        _check_target(name, target)
    if not kept["actions"]:
        raise invalid("A template needs an action.")
    for name, action in kept["actions"].items():
        _check_action(name, action, targets)
    return kept


def _check_target(name: str, target: dict[str, Any]) -> None:
    if target["resourceType"] != SPOT:
        raise not_rehearsed(f"the resource type {target['resourceType']} of the target {name}")
    if more := sorted({"resourceTags", "filters", "parameters"} & {*target}):
        raise not_rehearsed(f"{', '.join(more)} of the target {name}")
    if target["selectionMode"] != "ALL":
        raise not_rehearsed(f"the selectionMode {target['selectionMode']} of the target {name}")
    arns = target.get("resourceArns") or []
    if not arns:
        raise invalid(f"The target {name} has neither resourceArns nor resourceTags.")
    if len(set(arns)) < len(arns):
        raise invalid(f"resourceArns of the target {name} has the same one twice.")
    for arn in arns:
        if not INSTANCE.fullmatch(arn):
            raise invalid(f"{arn} is no ARN of a resource of the type {SPOT}.")


def _check_action(name: str, action: dict[str, Any], targets: Mapping[str, Any]) -> None:
    if action["actionId"] != INTERRUPT:
        raise not_rehearsed(f"the action {action['actionId']}")
    if "startAfter" in action:
        raise not_rehearsed(f"startAfter of the action {name}")
    parameters = action.get("parameters", {})
    if set(parameters) != {DURATION}:
        raise invalid(f"The action {name} takes the parameter {DURATION}, and no other.")
    if not SHORTEST * 60 <= period(parameters[DURATION]) <= LONGEST * 60:
        raise invalid(
            f"{DURATION} is {parameters[DURATION]}; it has to be from {SHORTEST} to {LONGEST}"
            " minutes."
        )
    if set(action.get("targets", {})) != {TARGET}:
        raise invalid(f"The action {name} needs a target for {TARGET}, and no other.")
    if (wanted := action["targets"][TARGET]) not in targets:
        raise invalid(f"The action {name} names the target {wanted}, which the template lacks.")
