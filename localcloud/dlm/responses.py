"""DLM's calls as the rehearsal cloud answers them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from localcloud.dlm.errors import invalid, not_rehearsed
from localcloud.dlm.models import Lifecycles, dlm_backends
from localcloud.shapes import problems, strangers


class Responses(BaseResponse):
    def __init__(self) -> None:
        super().__init__(service_name="dlm")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Lifecycles:
        backend = dlm_backends[self.current_account][self.region]
        assert isinstance(backend, Lifecycles)
        return backend

    @property
    def given(self) -> dict[str, Any]:
        """The call's parameters, checked against the service model."""
        # A list in the query that nobody gave comes as an empty one
        given = {key: value for key, value in self.params.items() if value not in (None, [])}
        action = self._get_action()
        if unknown := strangers("dlm", action, self.body):
            raise not_rehearsed(f"the parameter {', '.join(unknown)}")
        if wrong := problems("dlm", action, given):
            raise invalid(wrong)
        return given

    def create_lifecycle_policy(self) -> ActionResult:
        return ActionResult({"PolicyId": self.backend.make(self.given).id})

    def get_lifecycle_policies(self) -> ActionResult:
        policies = self.backend.find(self.given)
        return ActionResult({"Policies": [one.summary() for one in policies]})

    def get_lifecycle_policy(self) -> ActionResult:
        return ActionResult({"Policy": self.backend.policy(self.given["PolicyId"]).whole()})

    def update_lifecycle_policy(self) -> ActionResult:
        given = self.given
        self.backend.change(given["PolicyId"], given)
        return EmptyResult()

    def delete_lifecycle_policy(self) -> ActionResult:
        self.backend.remove(self.given["PolicyId"])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"Tags": self.backend.policy_of(self.given["ResourceArn"]).tags})

    def tag_resource(self) -> ActionResult:
        given = self.given
        policy = self.backend.policy_of(given["ResourceArn"])
        tags = {**policy.tags, **given["Tags"]}
        if len(tags) > 50:
            raise invalid("A resource can have 50 tags.")
        policy.tags = tags
        self.backend.touch()
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        given = self.given
        policy = self.backend.policy_of(given["ResourceArn"])
        policy.tags = {k: v for k, v in policy.tags.items() if k not in given["TagKeys"]}
        self.backend.touch()
        return EmptyResult()
