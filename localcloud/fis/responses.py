"""FIS's calls as the rehearsal cloud answers them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from localcloud.fis.errors import invalid, not_rehearsed
from localcloud.fis.models import Experiments, fis_backends
from localcloud.shapes import problems, strangers

# Tags of a resource (FIS User Guide, "Tagging restrictions")
TAGS = 50
PAGE = 100


class Responses(BaseResponse):
    def __init__(self) -> None:
        super().__init__(service_name="fis")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Experiments:
        backend = fis_backends[self.current_account][self.region]
        assert isinstance(backend, Experiments)
        return backend

    @property
    def given(self) -> dict[str, Any]:
        """The call's parameters, checked against the service model."""
        # The list in the query comes as an empty one if nobody gave it
        given = {
            key: value
            for key, value in self.params.items()
            if value is not None and (key, value) != ("tagKeys", [])
        }
        action = self._get_action()
        if unknown := strangers("fis", action, self.body):
            raise not_rehearsed(f"the parameter {', '.join(unknown)}")
        if wrong := problems("fis", action, given):
            raise invalid(wrong)
        return given

    def create_experiment_template(self) -> ActionResult:
        template = self.backend.make(self.given)
        return ActionResult({"experimentTemplate": template.whole()})

    def get_experiment_template(self) -> ActionResult:
        template = self.backend.template(self.given["id"])
        return ActionResult({"experimentTemplate": template.whole()})

    def list_experiment_templates(self) -> ActionResult:
        every = [one.summary() for one in self.backend.templates.values()]
        return ActionResult(page("experimentTemplates", every, self.given))

    def delete_experiment_template(self) -> ActionResult:
        template = self.backend.remove(self.given["id"])
        return ActionResult({"experimentTemplate": template.whole()})

    def start_experiment(self) -> ActionResult:
        experiment = self.backend.start(self.given)
        return ActionResult({"experiment": experiment.whole(self.backend.ec2.now())})

    def get_experiment(self) -> ActionResult:
        experiment = self.backend.experiment(self.given["id"])
        return ActionResult({"experiment": experiment.whole(self.backend.ec2.now())})

    def list_experiments(self) -> ActionResult:
        given, now = self.given, self.backend.ec2.now()
        wanted = given.get("experimentTemplateId")
        every = [
            one.summary(now)
            for one in self.backend.experiments.values()
            if wanted in (None, one.template.id)
        ]
        return ActionResult(page("experiments", every, given))

    def stop_experiment(self) -> ActionResult:
        self.backend.experiment(self.given["id"])
        raise not_rehearsed("StopExperiment: a notice that was given is not taken back")

    def list_tags_for_resource(self) -> ActionResult:
        return ActionResult({"tags": self.backend.tagged(self.given["resourceArn"]).tags})

    def tag_resource(self) -> ActionResult:
        given = self.given
        tagged = self.backend.tagged(given["resourceArn"])
        tags = {**tagged.tags, **given["tags"]}
        if len(tags) > TAGS:
            raise invalid(f"A resource can have {TAGS} tags.")
        tagged.tags = tags
        self.backend.ec2.touch()
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        given = self.given
        tagged = self.backend.tagged(given["resourceArn"])
        gone = given.get("tagKeys", tagged.tags)
        tagged.tags = {key: value for key, value in tagged.tags.items() if key not in gone}
        self.backend.ec2.touch()
        return EmptyResult()


def page(name: str, every: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """One page of a list. Raises ValidationException for a token that no page gave."""
    token = given.get("nextToken", "0")
    if not token.isdecimal() or int(token) > len(every):
        raise invalid(f"The nextToken {token} is of no page.")
    end = int(token) + int(given.get("maxResults", PAGE))
    more = {"nextToken": str(end)} if end < len(every) else {}
    return {name: every[int(token) : end], **more}
