"""Interruptions that AWS carries out by order: its Fault Injection Service (FIS).

FIS sends the rebalance recommendation, EC2's notice two minutes before the end, and then the end
itself (FIS User Guide, "Amazon EC2 actions", aws:ec2:send-spot-instance-interruptions).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop.aws.client import Client, plain_errors
from cloudtop.errors import CloudtopError

SERVICE, LINKED_ROLE = "fis.amazonaws.com", "AWSServiceRoleForFIS"
ACTION = "aws:ec2:send-spot-instance-interruptions"
# From the experiment's begin to the interruption; at least the notice, which is EC2's own
MINUTES, NOTICE_SECONDS = 2, 120.0
# EC2 User Guide, "Initiate a Spot Instance interruption"
NOT_IN = ("ap-northeast-3", "ap-southeast-3", "cn-north-1", "cn-northwest-1", "me-central-1")
# FIS User Guide, "Troubleshooting", error codes
AUTHORIZATION = "AuthorizationFailure"
# Seconds in which an experiment begins, and in which all of AWS knows a new role (IAM User Guide,
# "Changes that I make are not always immediately visible")
BEGINS, SETTLES = 120.0, 60.0


def role_name(name: str, owner: str, region: str) -> str:
    """The role of FIS, as the role ``interruption`` makes it."""
    digest = hashlib.sha256("/".join((owner, name, region, "interruptions")).encode()).hexdigest()
    return f"cloudtop-{name}-{digest[:12]}"


def refuse_region(region: str) -> None:
    """Raise CloudtopError for a region in which FIS interrupts no spot instances."""
    if region in NOT_IN:
        raise CloudtopError(
            f"AWS interrupts no spot instances by order in {region}.",
            "Rehearse it at no cost: python runner.py rehearse --cloud rehearsal",
        )


@dataclass(frozen=True)
class Interrupter:
    """Orders interruptions. ``place`` is the ARN of instances without their id, ``tags`` are the
    cloudtop's; with ``fresh`` the role was made just now."""

    fis: Client
    role: str
    place: str
    tags: dict[str, str]
    fresh: bool = False
    tell: Callable[[str], None] = print
    poll: float = 1.0

    def interrupt(self, instance: str) -> None:
        """Return once the experiment runs. Raises CloudtopError with FIS's reason if it fails."""
        end = time.monotonic() + SETTLES
        while (failure := self._ordered(instance)) is not None:
            code = failure.get("error", {}).get("code", "")
            if not (self.fresh and code == AUTHORIZATION and time.monotonic() < end):
                raise CloudtopError(
                    f"FIS did not interrupt {instance}: {code} {failure.get('reason', '')}".strip(),
                    "Try again; all that rehearse needs is in docs/aws-policy.json",
                )
            self.tell("FIS does not know its new role yet; asking again.")
            time.sleep(5 * self.poll)

    def remove_left(self) -> list[str]:
        """Delete the templates that a killed rehearsal of this cloudtop left; returns their ids."""
        with plain_errors("FIS"):
            pages = self.fis.get_paginator("list_experiment_templates").paginate()
            left = [
                str(one["id"])
                for page in pages
                for one in page["experimentTemplates"]
                if self.tags.items() <= one.get("tags", {}).items()
            ]
            for ident in left:
                self.fis.delete_experiment_template(id=ident)
        return left

    def _ordered(self, instance: str) -> dict[str, Any] | None:
        """The state of an experiment that failed, None for one that runs."""
        with self._template(instance) as template, plain_errors("FIS"):
            experiment = self.fis.start_experiment(experimentTemplateId=template, tags=self.tags)
            return self._begun(experiment["experiment"]["id"])

    @contextmanager
    def _template(self, instance: str) -> Iterator[str]:
        """A template of one interruption. It is deleted whatever happens, which does not touch
        its experiment (FIS User Guide, "Delete an experiment template")."""
        with plain_errors("FIS"):
            answer = self.fis.create_experiment_template(
                description=f"cloudtop rehearses the interruption of {instance}",
                roleArn=self.role,
                stopConditions=[{"source": "none"}],
                targets={
                    "machine": {
                        "resourceType": "aws:ec2:spot-instance",
                        "resourceArns": [f"{self.place}{instance}"],
                        "selectionMode": "ALL",
                    }
                },
                actions={
                    "interrupt": {
                        "actionId": ACTION,
                        "parameters": {"durationBeforeInterruption": f"PT{MINUTES}M"},
                        "targets": {"SpotInstances": "machine"},
                    }
                },
                tags=self.tags,
            )
        ident = str(answer["experimentTemplate"]["id"])
        try:
            yield ident
        finally:
            self._delete(ident)

    def _delete(self, ident: str) -> None:
        """A template costs nothing, so one that stays is named, and the rehearsal goes on."""
        try:
            self.fis.delete_experiment_template(id=ident)
        except (ClientError, BotoCoreError) as error:
            self.tell(
                f"The experiment template {ident} is still there ({error}). It costs nothing; the"
                f" next rehearse deletes it, or: aws fis delete-experiment-template --id {ident}"
            )

    def _begun(self, experiment: str) -> dict[str, Any] | None:
        end = time.monotonic() + BEGINS
        while True:
            state = dict(self.fis.get_experiment(id=experiment)["experiment"]["state"])
            if state["status"] in ("running", "completed"):
                return None
            if state["status"] in ("failed", "stopped", "cancelled"):
                return state
            if time.monotonic() > end:
                raise CloudtopError(
                    f"The experiment {experiment} of FIS did not begin within {BEGINS:.0f} s: it is"
                    f" {state['status']}.",
                    f"Look at it: aws fis get-experiment --id {experiment}",
                )
            time.sleep(self.poll)
