"""Experiment templates: what the API takes and refuses, as clients see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.cloud import KEY, SECRET, aws, own
from tests.localcloud.experiments import arn, role, template, wanted
from tests.localcloud.lab import Lab

GONE = "i-0123456789abcdef0"


@pytest.fixture
def fis(lab: Lab) -> Any:
    client = lab.client("fis")
    for one in client.list_experiment_templates()["experimentTemplates"]:
        client.delete_experiment_template(id=one["id"])
    return client


def changed(given: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same mapping with the value at the path, or without it for None."""
    *way, last = path.split("/")
    place = given
    for step in way:
        place = place[step]
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return given


def test_a_template_is_shown_as_it_was_made(lab: Lab, fis: Any) -> None:
    ident = template(lab, GONE, duration="PT180S")
    whole = fis.get_experiment_template(id=ident)["experimentTemplate"]
    assert whole["arn"] == f"arn:aws:fis:us-east-1:123456789012:experiment-template/{ident}"
    assert whole["targets"]["machines"]["resourceArns"] == [arn(GONE)]
    assert whole["actions"]["interrupt"]["parameters"] == {"durationBeforeInterruption": "PT180S"}
    assert whole["roleArn"] == role(lab)
    assert whole["tags"] == {"cloudtop:name": "box"}
    (short,) = fis.list_experiment_templates()["experimentTemplates"]
    assert (short["id"], short["tags"]) == (ident, whole["tags"])
    assert fis.delete_experiment_template(id=ident)["experimentTemplate"]["id"] == ident
    for call in (fis.get_experiment_template, fis.delete_experiment_template):
        assert ident in lab.refused("ResourceNotFoundException", call, id=ident)


def test_a_token_makes_one_template(lab: Lab, fis: Any) -> None:
    given = wanted(lab, GONE)
    ids = {fis.create_experiment_template(**given)["experimentTemplate"]["id"] for _ in range(2)}
    assert len(ids) == 1
    lab.refused(
        "ConflictException", fis.create_experiment_template, **{**given, "description": "another"}
    )


def test_templates_come_in_pages(lab: Lab, fis: Any) -> None:
    ids = {template(lab, GONE, duration=f"PT{minutes}M") for minutes in (2, 3, 4)}
    first = fis.list_experiment_templates(maxResults=2)
    rest = fis.list_experiment_templates(nextToken=first["nextToken"])
    assert "nextToken" not in rest
    assert {one["id"] for part in (first, rest) for one in part["experimentTemplates"]} == ids
    lab.refused("ValidationException", fis.list_experiment_templates, nextToken="x")


def test_tags_of_a_template(lab: Lab, fis: Any) -> None:
    ident = template(lab, GONE)
    named = fis.get_experiment_template(id=ident)["experimentTemplate"]["arn"]
    fis.tag_resource(resourceArn=named, tags={"b": "2"})
    fis.untag_resource(resourceArn=named, tagKeys=["cloudtop:name"])
    assert fis.list_tags_for_resource(resourceArn=named)["tags"] == {"b": "2"}
    lab.refused("ResourceNotFoundException", fis.list_tags_for_resource, resourceArn=f"{named}0")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("roleArn", "arn:aws:iam::123456789012:role/nobody", "does not exist"),
        ("roleArn", None, "'roleArn' must not be null"),
        ("actions", None, "'actions' must not be null"),
        ("actions", {}, "needs an action"),
        ("stopConditions", None, "'stopConditions' must not be null"),
        ("stopConditions", [], "stopConditions needs a source"),
        (
            "stopConditions",
            [{"source": "aws:cloudwatch:alarm", "value": f"arn:aws:cloudwatch:{'x' * 9}"}],
            "does not support stop conditions",
        ),
        ("logConfiguration", {"logSchemaVersion": 2}, "does not support logConfiguration"),
        (
            "experimentOptions",
            {"emptyTargetResolutionMode": "skip"},
            "does not support experimentOptions",
        ),
        ("experimentOptions", {"accountTargeting": "both"}, "[single-account, multi-account]"),
        ("targets/machines/resourceType", "aws:ec2:instance", "does not support the resource type"),
        ("targets/machines/resourceTags", {"a": "b"}, "does not support resourceTags"),
        ("targets/machines/selectionMode", "COUNT(1)", "does not support the selectionMode"),
        ("targets/machines/selectionMode", None, "selectionMode' must not be null"),
        ("targets/machines/resourceArns", None, "neither resourceArns nor resourceTags"),
        ("targets/machines/resourceArns", [arn(GONE)] * 2, "the same one twice"),
        ("targets/machines/resourceArns", [arn("x-1")], "is no ARN of a resource"),
        ("targets/machines/resourceArns", [arn(f"i-{n}") for n in range(6)], "at most 5"),
        (
            "targets/machines/resourceArns",
            [arn(GONE).replace("us-east-1", "us-east-2")],
            "is not in us-east-1 of this account",
        ),
        ("actions/interrupt/actionId", "aws:ec2:stop-instances", "does not support the action"),
        ("actions/interrupt/startAfter", ["other"], "does not support startAfter"),
        ("actions/interrupt/parameters", None, "takes the parameter durationBeforeInterruption"),
        (
            "actions/interrupt/targets",
            {"Instances": "machines"},
            "a target for SpotInstances",
        ),
        ("actions/interrupt/targets/SpotInstances", "others", "which the template lacks"),
        *(
            ("actions/interrupt/parameters/durationBeforeInterruption", value, message)
            for value, message in (
                ("PT119S", "from 2 to 15 minutes"),
                ("PT16M", "from 2 to 15 minutes"),
                ("PT1H", "an ISO 8601 duration"),
                ("PT", "an ISO 8601 duration"),
                ("2", "an ISO 8601 duration"),
            )
        ),
    ],
)
def test_refuses_a_template(lab: Lab, fis: Any, path: str, value: Any, message: str) -> None:
    given = changed(wanted(lab, GONE), path, value)
    assert message in lab.refused("ValidationException", fis.create_experiment_template, **given)
    assert fis.list_experiment_templates()["experimentTemplates"] == []


def test_a_parameter_that_nobody_knows_is_refused(lab: Lab, fis: Any) -> None:
    """boto3 would not send it, and moto's parser drops it."""
    fis.meta.events.register("before-call.fis.CreateExperimentTemplate", _with_more)
    message = lab.refused(
        "ValidationException", fis.create_experiment_template, **wanted(lab, GONE)
    )
    assert "does not support the parameter actions.interrupt.shade, colour" in message


def _with_more(params: dict[str, Any], **_: Any) -> None:
    body = json.loads(params["body"])
    body["colour"] = "red"
    body["actions"]["interrupt"]["shade"] = "dark"
    params["body"] = json.dumps(body).encode()


def test_a_region_without_fis_has_none(lab: Lab, fis: Any) -> None:
    far = boto3.client(
        "fis", endpoint_url=lab.endpoint, region_name="ap-southeast-3", aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )  # fmt: skip
    message = lab.refused(
        "ValidationException", far.create_experiment_template, **wanted(lab, GONE)
    )
    assert "FIS in ap-southeast-3" in message


def test_the_aws_command_line_reaches_it(lab: Lab, fis: Any, tmp_path: Path) -> None:
    given = tmp_path / "template.json"
    given.write_text(json.dumps(wanted(lab, GONE)))
    answer = aws(
        lab.endpoint, "fis", "create-experiment-template", "--cli-input-json", f"file://{given}"
    )
    (known,) = aws(lab.endpoint, "fis", "list-experiment-templates")["experimentTemplates"]
    assert known["id"] == answer["experimentTemplate"]["id"]


@pytest.mark.parametrize("action", ["fis:CreateExperimentTemplate", "iam:PassRole"])
def test_what_the_account_denies_makes_no_template(lab: Lab, fis: Any, action: str) -> None:
    given = wanted(lab, GONE)
    own(lab.endpoint, "account", {"denied": [action]})
    try:
        message = lab.refused("AccessDeniedException", fis.create_experiment_template, **given)
    finally:
        own(lab.endpoint, "account", {"default": True})
    assert action in message
    assert fis.list_experiment_templates()["experimentTemplates"] == []
