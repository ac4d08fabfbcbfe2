"""An experiment: a run of a template, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from localcloud.fis.template import Template

# Until it runs, the seconds in which FIS looks for its targets
INITIATING = 1.0
REASONS = {
    "initiating": "Experiment is initiating.",
    "running": "Experiment is running.",
    "completed": "Experiment completed.",
}
OVER = ("completed", "failed")


@dataclass(frozen=True)
class Failure:
    """Code of FIS (FIS User Guide, "Troubleshooting", error codes), where, and why in words."""

    code: str
    location: str
    reason: str


@dataclass
class Experiment:
    """``seconds`` is how long its actions are active. The template is kept as it was, as it can be
    deleted meanwhile, which does not touch the experiment."""

    id: str
    arn: str
    token: str
    account: str
    template: Template
    seconds: float
    started: datetime
    failure: Failure | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def status(self, now: datetime) -> str:
        since = (now - self.started).total_seconds()
        if since < INITIATING:
            return "initiating"
        if self.failure:
            return "failed"
        return "running" if since < self.seconds else "completed"

    def summary(self, now: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "arn": self.arn,
            "experimentTemplateId": self.template.id,
            "state": self._state(now),
            "creationTime": self.started,
            "tags": self.tags,
        }

    def whole(self, now: datetime) -> dict[str, Any]:
        details, status = self.template.details, self.status(now)
        actions = {
            name: {
                **action,
                "startTime": self.started,
                "state": {"status": status, "reason": self._reason(status)},
            }
            for name, action in details["actions"].items()
        }
        ends = self.started + timedelta(seconds=INITIATING if self.failure else self.seconds)
        return {
            **self.summary(now),
            "roleArn": self.template.role_arn,
            "targets": details["targets"],
            "actions": actions,
            "stopConditions": details["stopConditions"],
            "experimentOptions": {**details["experimentOptions"], "actionsMode": "run-all"},
            "startTime": self.started,
            "targetAccountConfigurationsCount": 0,
            **({"endTime": ends} if status in OVER else {}),
        }

    def _reason(self, status: str) -> str:
        return self.failure.reason if status == "failed" and self.failure else REASONS[status]

    def _state(self, now: datetime) -> dict[str, Any]:
        status = self.status(now)
        state: dict[str, Any] = {"status": status, "reason": self._reason(status)}
        if status == "failed" and self.failure:
            state["error"] = {
                "accountId": self.account,
                "code": self.failure.code,
                "location": self.failure.location,
            }
        return state
