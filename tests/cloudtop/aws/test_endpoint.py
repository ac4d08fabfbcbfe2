"""``--cloud aws`` never goes to an endpoint of this computer, and names every other one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runner
from cloudtop.aws import endpoint
from cloudtop.errors import CloudtopError
from localcloud.credentials import ACCESS_KEY

PRIVATE = "https://ec2.vpce.example.com"


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AWS configuration, with nothing of AWS in the environment."""

    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "config"
    path.write_text("[default]\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return path


def refusal() -> CloudtopError:
    with pytest.raises(CloudtopError) as refused:
        endpoint.refuse_rehearsal()
    return refused.value


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4700",
        "http://127.9.9.9",
        "https://localhost:4700/",
        "http://cloud.localhost:1",
        "http://[::1]:4700",
        "http://0.0.0.0:4700",
        "http://169.254.0.2:4700",
    ],
)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"])
def test_an_endpoint_of_this_computer_is_refused_with_its_unset(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)
    refused = refusal()
    assert refused.message.startswith(f"{variable} is {url},")
    assert refused.hint == f"Try: unset {variable}"


def test_the_command_line_refuses_what_a_rehearsal_left_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nothing listens at port 9: if it were asked, the sentence would be another one
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "left over")
    assert runner.main(["status", "--cloud", "aws", "--region", "us-east-1"]) == 1
    errors = capsys.readouterr().err
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:9," in errors
    assert "Try: unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\n" in errors


def test_keys_of_ones_own_are_not_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    assert refusal().hint == "Try: unset AWS_ENDPOINT_URL"


def test_an_endpoint_of_a_profile_is_refused(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration.write_text("[profile me]\nendpoint_url = http://127.0.0.1:9\n")
    endpoint.refuse_rehearsal()
    monkeypatch.setenv("AWS_PROFILE", "me")
    refused = refusal()
    assert refused.message.startswith("endpoint_url of your AWS profile me is http://127.0.0.1:9,")
    name, _, value = refused.hint.rpartition("export ")[2].partition("=")
    monkeypatch.setenv(name, value)
    endpoint.refuse_rehearsal()


def test_an_endpoint_of_a_profiles_service_is_refused(configuration: Path) -> None:
    configuration.write_text(
        "[default]\nservices = here\n[services here]\nec2 =\n  endpoint_url = http://[::1]:9\n"
    )
    assert "endpoint_url of ec2 of your AWS profile default is" in refusal().message


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_a_service_that_is_never_asked_may_be_anywhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9000")
    endpoint.refuse_rehearsal()


def test_endpoints_of_others_are_named_and_used(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration.write_text("[default]\nendpoint_url = https://aws.example.com\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", PRIVATE)
    endpoint.refuse_rehearsal()
    assert endpoint.described() == (
        f"AWS_ENDPOINT_URL_EC2 {PRIVATE},"
        " endpoint_url of your AWS profile default https://aws.example.com"
    )


def test_without_any_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint.described() == ""
