"""Our FIS backend: the templates and experiments of one region, and how an experiment runs."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from boto3.session import Session
from moto.core.base_backend import BackendDict, BaseBackend
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from localcloud.authorization.resource_keys import keys_of
from localcloud.authorization.role_policies import permits
from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.reap import NOTICE_SECONDS, Terms
from localcloud.fis import urls
from localcloud.fis.errors import conflict, invalid, not_found, not_rehearsed, too_many
from localcloud.fis.experiment import OVER, Experiment, Failure
from localcloud.fis.template import INSTANCE, Template, checked
from localcloud.iam.context import Context
from localcloud.iam.trust import trusts

SERVICE, LINKED_ROLE = "fis.amazonaws.com", "AWSServiceRoleForFIS"
ACTION = "SendSpotInstanceInterruptions"
# FIS User Guide, "Quotas and limitations": templates, experiments that run, spot instances of one
TEMPLATES, ACTIVE, INSTANCES = 500, 5, 5
# Experiments that are kept
KEPT = 200
LETTERS = string.ascii_letters + string.digits
# EC2 User Guide, "Initiate a Spot Instance interruption"
NOT_IN = ("ap-northeast-3", "ap-southeast-3", "cn-north-1", "cn-northwest-1", "me-central-1")


class Experiments(BaseBackend):
    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.templates: dict[str, Template] = {}
        self.experiments: dict[str, Experiment] = {}

    @property
    def _url_module(self) -> ModuleType:
        return urls

    @property
    def ec2(self) -> Backend:
        backend = ec2_backends[self.account_id][self.region_name]
        assert isinstance(backend, Backend)
        return backend

    # --- templates --------------------------------------------------------------------

    def make(self, given: dict[str, Any]) -> Template:
        """A new template, or the one that the same token made."""
        if self.region_name in NOT_IN:
            raise not_rehearsed(f"FIS in {self.region_name}, as AWS does not")
        for known in self.templates.values():
            if known.token == given["clientToken"]:
                if known.given != given:
                    raise conflict("The clientToken was used with other parameters.")
                return known
        if len(self.templates) >= TEMPLATES:
            raise too_many(f"There can be {TEMPLATES} experiment templates in a Region.")
        details = checked(given)
        self._require_here(details)
        if self._role(details["roleArn"]) is None:
            raise invalid(f"The role {details['roleArn']} does not exist.")
        ident = _ident("EXT")
        template = Template(
            ident, self._arn("experiment-template", ident), given["clientToken"], given, details,
            self.ec2.now(), dict(given.get("tags") or {}),
        )  # fmt: skip
        self.templates[ident] = template
        self.ec2.touch()
        return template

    def template(self, ident: str) -> Template:
        if ident not in self.templates:
            raise not_found(f"The experiment template {ident}")
        return self.templates[ident]

    def remove(self, ident: str) -> Template:
        """Experiments that run go on (FIS User Guide, "Delete an experiment template")."""
        template = self.template(ident)
        del self.templates[ident]
        self.ec2.touch()
        return template

    # --- experiments ------------------------------------------------------------------

    def start(self, given: Mapping[str, Any]) -> Experiment:
        """Run a template; what goes wrong then is the experiment's failure."""
        if given.get("experimentOptions", {}).get("actionsMode", "run-all") != "run-all":
            raise not_rehearsed("experiments that skip their actions")
        for known in self.experiments.values():
            if known.token == given["clientToken"]:
                return known
        template, now = self.template(given["experimentTemplateId"]), self.ec2.now()
        active = [one for one in self.experiments.values() if one.status(now) not in OVER]
        if len(active) >= ACTIVE:
            raise too_many(f"There can be {ACTIVE} active experiments in a Region.")
        orders = list(template.orders())
        self._make_linked_role()
        failure = self._failure(template)
        ident = _ident("EXP")
        experiment = Experiment(
            ident, self._arn("experiment", ident), given["clientToken"], self.account_id, template,
            max(seconds for _, _, seconds in orders), now, failure, dict(given.get("tags") or {}),
        )  # fmt: skip
        if failure is None:
            for _, arn, seconds in orders:
                terms = Terms(NOTICE_SECONDS, lead=seconds - NOTICE_SECONDS, cause="experiment")
                self.ec2.reap(self._instance(arn), terms)
        kept = [*self.experiments.values(), experiment][-KEPT:]
        self.experiments = {one.id: one for one in kept}
        self.ec2.touch()
        return experiment

    def experiment(self, ident: str) -> Experiment:
        if ident not in self.experiments:
            raise not_found(f"The experiment {ident}")
        return self.experiments[ident]

    def tagged(self, arn: str) -> Template | Experiment:
        every: list[Template | Experiment] = [*self.templates.values(), *self.experiments.values()]
        for one in every:
            if one.arn == arn:
                return one
        raise not_found(f"The resource {arn}")

    def _failure(self, template: Template) -> Failure | None:
        """The first thing that keeps the experiment from being done, or None."""
        role = self._role(template.role_arn)
        keys = {"aws:sourceaccount": (self.account_id,)}
        if role is None or not trusts(role.assume_role_policy_document, SERVICE, keys):
            return Failure(
                "AuthorizationFailure", "experiment",
                f"The role {template.role_arn} does not exist or does not trust {SERVICE}.",
            )  # fmt: skip
        orders = list(template.orders())
        if len(orders) > INSTANCES:
            reason = f"An experiment can interrupt {INSTANCES} spot instances."
            return Failure("QuotaExceededFailure", "actions", reason)
        for name, arn, _ in orders:
            try:
                self.ec2.require_reapable(self._instance(arn))
            except (EC2ClientError, LookupError) as error:
                reason = f"{arn}: {getattr(error, 'message', None) or 'there is no such instance'}"
                return Failure("InvalidTarget", f"targets.{name}", reason)
            if not self._may(role, "DescribeInstances") or not self._may(role, ACTION, arn):
                reason = f"The role {role.arn} is not authorized to perform the required action."
                return Failure("AuthorizationFailure", f"targets.{name}", reason)
        return None

    def _may(self, role: Any, action: str, arn: str = "*") -> bool:
        """Whether the role's policies permit the action of EC2, as that would be asked by FIS."""
        own = {} if arn == "*" else keys_of(self.ec2, "instance", self._instance(arn).id)
        keys = {**own, "aws:requestedregion": self.region_name, "ec2:region": self.region_name,
                "aws:principalarn": role.arn, "aws:principalaccount": self.account_id}  # fmt: skip
        context = Context(f"ec2:{action}", arn, {name: (value,) for name, value in keys.items()})
        return permits(role, self.account_id, self.partition, context)

    def _instance(self, arn: str) -> Instance:
        """Raises LookupError."""
        match = INSTANCE.fullmatch(arn)
        for instance in self.ec2.every_instance():
            if match and instance.id == match[4]:
                return instance
        raise LookupError(arn)

    def _require_here(self, details: Mapping[str, Any]) -> None:
        for target in details["targets"].values():
            for arn in target["resourceArns"]:
                match = INSTANCE.fullmatch(arn)
                if match and match.group(1, 2, 3) != (
                    self.partition, self.region_name, self.account_id,
                ):  # fmt: skip
                    raise invalid(f"{arn} is not in {self.region_name} of this account.")

    def _role(self, arn: str) -> Any:
        roles = iam_backends[self.account_id][self.partition].roles.values()
        return next((role for role in roles if role.arn == arn), None)

    def _make_linked_role(self) -> None:
        """The first experiment makes it (FIS User Guide, "Use service-linked roles")."""
        iam = iam_backends[self.account_id][self.partition]
        if not any(role.name == LINKED_ROLE for role in iam.roles.values()):
            iam.create_service_linked_role(SERVICE, "", "")

    def _arn(self, kind: str, ident: str) -> str:
        return f"arn:{self.partition}:fis:{self.region_name}:{self.account_id}:{kind}/{ident}"


def _ident(prefix: str) -> str:
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(15))


fis_backends: Any = BackendDict(
    Experiments,
    "fis",
    # botocore has no list of FIS's regions
    use_boto3_regions=False,
    additional_regions=Session().get_available_regions("ec2"),
)
