"""Launch templates: versions, and launches by them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import TYPE, ZONE, Lab
from tests.localcloud.roles import Roles, allow

NAME = "nightly"


@pytest.fixture(autouse=True)
def no_templates(lab: Lab) -> Iterator[None]:
    yield
    for one in lab.ec2.describe_launch_templates()["LaunchTemplates"]:
        lab.ec2.delete_launch_template(LaunchTemplateId=one["LaunchTemplateId"])


def template(lab: Lab, name: str = NAME, **data: Any) -> str:
    """Id of a template with the lab's launch and this data."""
    created = lab.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={**lab.spec(), **data}
    )
    return str(created["LaunchTemplate"]["LaunchTemplateId"])


def run(lab: Lab, version: str = "", **params: Any) -> dict[str, Any]:
    named = {"LaunchTemplateName": NAME, **({"Version": version} if version else {})}
    answer = lab.ec2.run_instances(LaunchTemplate=named, MinCount=1, MaxCount=1, **params)
    return dict(answer["Instances"][0])


def numbers(lab: Lab, **params: Any) -> list[int]:
    answer = lab.ec2.describe_launch_template_versions(**{"LaunchTemplateName": NAME, **params})
    return [one["VersionNumber"] for one in answer["LaunchTemplateVersions"]]


def test_a_template_is_made_shown_and_deleted(lab: Lab) -> None:
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "k", "Value": "v"}]}]
    created = lab.ec2.create_launch_template(
        LaunchTemplateName=NAME, LaunchTemplateData=lab.spec(), VersionDescription="first",
        TagSpecifications=tags,
    )  # fmt: skip
    assert "Warning" not in created
    shown = lab.ec2.describe_launch_templates(LaunchTemplateNames=[NAME])["LaunchTemplates"][0]
    assert shown == created["LaunchTemplate"]
    assert (shown["DefaultVersionNumber"], shown["LatestVersionNumber"]) == (1, 1)
    assert shown["Tags"] == tags[0]["Tags"]
    version = lab.ec2.describe_launch_template_versions(LaunchTemplateName=NAME)
    (version,) = version["LaunchTemplateVersions"]
    assert version["VersionDescription"] == "first"
    assert version["LaunchTemplateData"]["ImageId"] == lab.image
    ident = shown["LaunchTemplateId"]
    lab.ec2.delete_launch_template(LaunchTemplateId=ident)
    lab.refused(
        "InvalidLaunchTemplateId.NotFound",
        lab.ec2.delete_launch_template,
        LaunchTemplateId=ident,
    )
    assert lab.ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_a_version_inherits_from_another_only_if_asked(lab: Lab) -> None:
    template(lab, KeyName="one")
    data = {"InstanceType": "m5d.large"}
    for source in ({}, {"SourceVersion": "1"}):
        lab.ec2.create_launch_template_version(
            LaunchTemplateName=NAME, LaunchTemplateData=data, **source
        )
    alone, inherited = (
        lab.ec2.describe_launch_template_versions(LaunchTemplateName=NAME, Versions=[number])[
            "LaunchTemplateVersions"
        ][0]["LaunchTemplateData"]
        for number in ("2", "3")
    )
    assert alone == data
    assert inherited == {**lab.spec(), "KeyName": "one", **data}


def test_versions_are_chosen_and_come_newest_first(lab: Lab) -> None:
    template(lab)
    for _ in range(3):
        lab.ec2.create_launch_template_version(
            LaunchTemplateName=NAME, LaunchTemplateData=lab.spec()
        )
    assert numbers(lab) == [4, 3, 2, 1]
    assert numbers(lab, MinVersion="2", MaxVersion="3") == [3, 2]
    assert numbers(lab, Versions=["$Latest", "$Default"]) == [4, 1]
    wanted = [{"Name": "is-default-version", "Values": ["true"]}]
    assert numbers(lab, Filters=wanted) == [1]
    lab.ec2.modify_launch_template(LaunchTemplateName=NAME, DefaultVersion="3")
    assert numbers(lab, Filters=wanted) == [3]
    assert [one["VersionNumber"] for one in lab.ec2.describe_launch_template_versions(
        Versions=["$Default"]
    )["LaunchTemplateVersions"]] == [3]  # fmt: skip


def test_the_default_version_is_not_deleted_and_numbers_are_not_used_again(lab: Lab) -> None:
    ident = template(lab)
    for _ in range(2):
        lab.ec2.create_launch_template_version(
            LaunchTemplateId=ident, LaunchTemplateData=lab.spec()
        )
    answer = lab.ec2.delete_launch_template_versions(
        LaunchTemplateId=ident, Versions=["1", "3", "9"]
    )
    gone = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in gone] == [3]
    kept = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [(one["VersionNumber"], one["ResponseError"]["Code"]) for one in kept] == [
        (1, "unexpectedError"),
        (9, "launchTemplateVersionDoesNotExist"),
    ]
    lab.ec2.create_launch_template_version(LaunchTemplateId=ident, LaunchTemplateData=lab.spec())
    assert numbers(lab) == [4, 2, 1]


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidLaunchTemplateName.MalformedException", {"LaunchTemplateName": "a b"}),
        ("MissingParameter", {"LaunchTemplateData": {}}),
        ("InvalidUserData.Malformed", {"LaunchTemplateData": {"UserData": "#!/bin/sh"}}),
        (
            "InvalidParameterValue",
            {"LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "perhaps"}}},
        ),
        (
            "InvalidParameterValue",
            {"LaunchTemplateData": {"TagSpecifications": [{"ResourceType": "instance"}]}},
        ),
        ("UnsupportedOperation", {"LaunchTemplateData": {"CpuOptions": {"CoreCount": 1}}}),
    ],
)
def test_a_template_that_no_launch_could_use_is_refused(lab: Lab, code: str, params: Any) -> None:
    given = {"LaunchTemplateName": NAME, "LaunchTemplateData": lab.spec(), **params}
    lab.refused(code, lab.ec2.create_launch_template, **given)
    assert lab.ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_a_name_is_used_once_and_a_client_token_makes_one(lab: Lab) -> None:
    given = {
        "LaunchTemplateName": NAME, "LaunchTemplateData": lab.spec(), "ClientToken": "t" * 128,
    }  # fmt: skip
    first, second = (
        lab.ec2.create_launch_template(**given)["LaunchTemplate"]["LaunchTemplateId"]
        for _ in range(2)
    )
    assert first == second
    lab.refused(
        "InvalidLaunchTemplateName.AlreadyExistsException",
        lab.ec2.create_launch_template,
        **{**given, "ClientToken": "other"},
    )


def test_what_does_not_exist_yet_is_a_warning(lab: Lab) -> None:
    created = lab.ec2.create_launch_template(
        LaunchTemplateName=NAME, LaunchTemplateData=lab.spec(KeyName="not-yet")
    )
    (warning,) = created["Warning"]["Errors"]
    assert warning["Code"] == "InvalidKeyPair.NotFound"
    named = {"LaunchTemplateName": NAME}
    lab.refused(
        "InvalidKeyPair.NotFound",
        lab.ec2.run_instances, LaunchTemplate=named, MinCount=1, MaxCount=1,
    )  # fmt: skip


def test_a_launch_takes_what_it_does_not_say_from_the_template(lab: Lab) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"},
                                                  {"Key": "b", "Value": "1"}]}]  # fmt: skip
    data = base64.b64encode(b"#!/bin/sh\n").decode()
    ident = template(lab, UserData=data, TagSpecifications=tags, DisableApiStop=True)
    over = [{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "2"}]}]
    instance = run(lab, InstanceType="m5d.large", TagSpecifications=over)
    assert instance["InstanceType"] == "m5d.large"
    assert instance["Placement"]["AvailabilityZone"] == ZONE
    seen = {tag["Key"]: tag["Value"] for tag in lab.instance(instance["InstanceId"])["Tags"]}
    assert seen == {
        "a": "1", "b": "2", "aws:ec2launchtemplate:id": ident,
        "aws:ec2launchtemplate:version": "1",
    }  # fmt: skip
    attribute = lab.ec2.describe_instance_attribute(
        InstanceId=instance["InstanceId"], Attribute="userData"
    )
    assert attribute["UserData"]["Value"] == data


def test_a_launch_names_a_version_or_gets_the_default(lab: Lab) -> None:
    template(lab)
    lab.ec2.create_launch_template_version(
        LaunchTemplateName=NAME, LaunchTemplateData=lab.spec(InstanceType="m5d.large")
    )
    assert run(lab)["InstanceType"] == TYPE
    assert run(lab, "$Latest")["InstanceType"] == "m5d.large"
    assert run(lab, "2")["InstanceType"] == "m5d.large"


def test_a_template_may_ask_for_spot(lab: Lab) -> None:
    template(lab, InstanceMarketOptions={"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.65"}})
    instance = run(lab)
    assert instance["InstanceLifecycle"] == "spot"
    assert lab.request(instance["SpotInstanceRequestId"])["SpotPrice"] == "0.650000"


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("InvalidLaunchTemplateName.NotFoundException", {"LaunchTemplateName": "none"}),
        ("InvalidLaunchTemplateId.NotFound", {"LaunchTemplateId": "lt-0123456789abcdef0"}),
        ("InvalidLaunchTemplateId.Malformed", {"LaunchTemplateId": "nightly"}),
        ("InvalidLaunchTemplateId.VersionNotFound", {"LaunchTemplateName": NAME, "Version": "7"}),
        ("MissingParameter", {"Version": "1"}),
        (
            "InvalidParameterCombination",
            {"LaunchTemplateName": NAME, "LaunchTemplateId": "lt-0123456789abcdef0"},
        ),
    ],
)
def test_a_template_that_is_not_there_launches_nothing(lab: Lab, code: str, named: Any) -> None:
    template(lab)
    before = everything(lab)
    lab.refused(
        code, lab.ec2.run_instances, LaunchTemplate=named, MinCount=1, MaxCount=1, **lab.spec()
    )
    assert everything(lab) == before


def test_a_machines_data_makes_a_template_that_launches_its_like(lab: Lab) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "kind", "Value": "first"}]}]
    first = lab.run(MetadataOptions={"HttpPutResponseHopLimit": 2}, TagSpecifications=tags)
    data = lab.ec2.get_launch_template_data(InstanceId=first)["LaunchTemplateData"]
    created = lab.ec2.create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData=data)
    assert "Warning" not in created
    assert data["TagSpecifications"] == tags
    second = run(lab)
    assert second["InstanceType"] == TYPE
    assert second["MetadataOptions"]["HttpPutResponseHopLimit"] == 2


def test_templates_and_versions_have_tags_and_pages(lab: Lab) -> None:
    idents = [template(lab, f"name-{number}") for number in range(3)]
    lab.ec2.create_tags(Resources=[idents[1]], Tags=[{"Key": "kind", "Value": "b"}])
    wanted = [{"Name": "tag:kind", "Values": ["b"]}]
    (one,) = lab.ec2.describe_launch_templates(Filters=wanted)["LaunchTemplates"]
    assert one["LaunchTemplateId"] == idents[1]
    pages = lab.ec2.get_paginator("describe_launch_templates").paginate(
        PaginationConfig={"PageSize": 2}
    )
    assert [len(page["LaunchTemplates"]) for page in pages] == [2, 1]


def test_the_role_of_a_template_has_to_be_passed(roles: Roles) -> None:
    lab = roles.lab
    lab.profile("of-a-template")
    template(lab, IamInstanceProfile={"Name": "of-a-template"})
    ec2 = roles.of(roles.machine(allow("ec2:RunInstances")))
    given = {"LaunchTemplate": {"LaunchTemplateName": NAME}, "MinCount": 1, "MaxCount": 1}
    lab.refused("UnauthorizedOperation", ec2.run_instances, **given)
    roles.may(allow("ec2:RunInstances"), allow("iam:PassRole"))
    assert ec2.run_instances(**given)["Instances"]


@pytest.mark.parametrize(
    ("code", "params"),
    [("MissingParameter", {}), ("InvalidParameterValue", {"Versions": ["1"]})],
)
def test_versions_of_all_templates_are_the_latest_or_the_default(
    lab: Lab, code: str, params: Any
) -> None:
    call = lab.ec2.describe_launch_template_versions
    assert lab.refused(code, call, **params).startswith("To describe the launch template data")


def test_refusals_of_a_change_are_in_awss_own_words(lab: Lab) -> None:
    ident = template(lab)
    message = lab.refused(
        "InvalidParameterCombination", lab.ec2.modify_launch_template,
        LaunchTemplateId=ident, LaunchTemplateName=NAME, DefaultVersion="1",
    )  # fmt: skip
    assert message == (
        "Either provide launch template ID or launch template name to modify the template."
    )
    message = lab.refused(
        "InvalidLaunchTemplateId.VersionNotFound", lab.ec2.modify_launch_template,
        LaunchTemplateName=NAME, DefaultVersion="2",
    )  # fmt: skip
    assert message == (
        "The launch template version 2 is not found for the specified launch template."
    )
    for code, given in (("MissingParameter", {}), ("InvalidParameterValue", {"Versions": ["1"]})):
        message = lab.refused(code, lab.ec2.describe_launch_template_versions, **given)
        assert "for \u2018--versions\u2019 specify \u2018$Latest\u2019" in message
