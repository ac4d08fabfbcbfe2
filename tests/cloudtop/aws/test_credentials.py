"""The owner's credentials: resolved once, one question for a code, handed to Ansible, renewed."""

from __future__ import annotations

import getpass
import io
import json
import os
import pty
import select
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws import credentials
from cloudtop.errors import CloudtopError
from cloudtop.playbooks import run as playbooks
from cloudtop.playbooks.progress import Progress
from cloudtop.preflight import plan as preflight
from cloudtop.preflight.checklist import OK
from cloudtop.settings import settings
from tests import cloud

SERIAL = "arn:aws:iam::123456789012:mfa/me"
ROLE = "arn:aws:iam::123456789012:role/developer"
PROFILES = f"""
[profile base]
region = us-east-1
[profile work]
role_arn = {ROLE}
mfa_serial = {SERIAL}
source_profile = base
[profile plain]
role_arn = {ROLE}
source_profile = base
[profile chained]
role_arn = {ROLE}
source_profile = signed-on
[profile signed-on]
sso_session = company
sso_account_id = 123456789012
sso_role_name = developer
[sso-session company]
sso_region = us-east-1
sso_start_url = https://company.example.com/start
[profile broken]
credential_process = /nonexistent/program
"""
QUESTION = b"Enter MFA code"
Use = Callable[[str], None]


@pytest.fixture
def use(entered: None, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Goes into a profile, in a home of its own with an empty cache; no call was counted yet."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text(PROFILES)
    (folder / "credentials").write_text(
        f"[base]\naws_access_key_id = {cloud.KEY}\naws_secret_access_key = {cloud.SECRET}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    cloud.own(endpoint, "calls/reset", {})
    return lambda profile: monkeypatch.setenv("AWS_PROFILE", profile)


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that a terminal was asked; each has a code for an answer."""
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return "123456"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", answer)
    return questions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def assumed(endpoint: str) -> int:
    """How often STS was asked to assume a role."""
    actions: dict[str, dict[str, int]] = cloud.own(endpoint, "calls")["actions"]
    return sum(
        count for kind in actions.values() for name, count in kind.items() if "AssumeRole" in name
    )


def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The caller that Ansible's own module sees in a playbook."""
    (tmp_path / "play.yml").write_text(f"""
- hosts: localhost
  connection: local
  tasks:
    - amazon.aws.aws_caller_info:
      register: caller
    - ansible.builtin.copy:
        content: "{{{{ caller | to_json }}}}"
        dest: {tmp_path}/caller.json
        mode: "0600"
""")
    (tmp_path / "facts.yml").write_text("{}")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "all: {hosts: {localhost: {ansible_python_interpreter: '" + sys.executable + "'}}}"
    )
    monkeypatch.setattr("cloudtop.paths.INVENTORY", inventory)
    wanted = playbooks.Run(tmp_path / "play.yml", tmp_path / "facts.yml", {})
    playbooks.run(wanted, tmp_path / "box", Progress(io.StringIO()))
    caller: dict[str, Any] = json.loads((tmp_path / "caller.json").read_text())
    return caller


def test_b6_one_code_and_one_role_for_a_whole_command(
    use: Use, codes: list[str], endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("work")
    wanted = settings.load([f"cloudtop_ssh_key={tmp_path}/id"], name="mfa")
    rows = preflight.diagnose(wanted, lambda _: None)
    assert {row.state for row in rows} == {OK}
    assert ":assumed-role/developer/" in play(tmp_path, monkeypatch)["arn"]
    assert assumed(endpoint) == 1
    assert codes == [f"Enter MFA code for {SERIAL}: "]


def test_b6_the_next_command_asks_for_no_code(use: Use, codes: list[str], endpoint: str) -> None:
    use("work")
    aws.client("sts").get_caller_identity()
    # Another process begins without one
    credentials._sessions.clear()
    aws.client("sts").get_caller_identity()
    assert assumed(endpoint) == 1
    assert len(codes) == 1


def test_b6_the_code_is_asked_for_on_the_terminal(use: Use, endpoint: str, tmp_path: Path) -> None:
    use("work")
    program = (
        "from cloudtop.aws import client as aws\n"
        "for each in range(3): print(aws.client('sts').get_caller_identity()['Arn'])\n"
    )
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    shown = b""
    try:
        # A second question ends it, too
        while shown.count(QUESTION) < 2 and (more := read(terminal)):
            shown += more
            if more.endswith(f"{SERIAL}: ".encode()):
                os.write(terminal, b"654321\n")
    finally:
        # Who still reads there is hung up on
        os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0, shown
    assert shown.count(QUESTION) == 1
    assert shown.count(b":assumed-role/developer/") == 3
    assert b"654321" not in shown


def test_b6_without_a_terminal_the_command_to_run_first_is_named(use: Use, endpoint: str) -> None:
    use("work")
    with pytest.raises(CloudtopError) as refused, aws.plain_errors():
        aws.client().describe_regions()
    assert "there is no terminal to ask on" in refused.value.message
    assert refused.value.hint == (
        "On a terminal, run first: aws sts get-caller-identity --profile work"
    )
    assert assumed(endpoint) == 0


def test_b6_that_command_gives_the_keys_that_are_then_used(
    use: Use, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS command line and cloudtop have one cache."""
    use("plain")
    cloud_line = [str(Path(sys.executable).with_name("aws")), "sts", "get-caller-identity"]
    assert os.spawnv(os.P_WAIT, cloud_line[0], cloud_line) == 0
    aws.client().describe_regions()
    assert assumed(endpoint) == 1


def test_b6_a_command_that_goes_on_takes_the_code_of_another_terminal(
    use: Use, endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """As `watch` in a service, which looks again and again."""
    use("work")
    for _ in range(2):
        with pytest.raises(CloudtopError, match="no terminal to ask on"):
            aws.client().describe_regions()
    waiting = dict(credentials._sessions)
    with monkeypatch.context() as terminal:
        terminal.setattr(credentials, "_sessions", {})
        codes = request.getfixturevalue("codes")
        aws.client().describe_regions()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert credentials._sessions == waiting
    aws.client().describe_regions()
    assert assumed(endpoint) == len(codes) == 1


def test_a_role_is_assumed_elsewhere_if_the_region_is_off(
    use: Use, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("plain")
    cloud.own(endpoint, "account", {"regions_off": ["eu-south-1"]})
    try:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "eu-south-1")
        given = [f"cloudtop_ssh_key={tmp_path}/id"]
        wanted = settings.load(given, name="off", region="eu-south-1")
        with pytest.raises(CloudtopError, match="eu-south-1 is off for your account"):
            preflight.check(wanted)
    finally:
        cloud.own(endpoint, "account", {"default": True})


@pytest.mark.parametrize("given", ["", "12345", "1234567", "abcdef"])
def test_what_is_no_code_is_not_sent(
    use: Use, codes: list[str], endpoint: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("work")
    monkeypatch.setattr(getpass, "getpass", lambda _: given)
    with pytest.raises(CloudtopError, match="has six digits"):
        aws.client().describe_regions()
    assert assumed(endpoint) == 0


def read(terminal: int) -> bytes:
    """The next output; empty if nobody is there any more, or silent for half a minute."""
    if not select.select([terminal], [], [], 30)[0]:
        return b""
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""  # Linux's way to say that nobody has the other end


def age(tmp_path: Path, minutes: float) -> None:
    """Have the cached keys expire in so many minutes, and forget those in memory."""
    (path,) = (tmp_path / ".aws" / "cli" / "cache").glob("*.json")
    kept = json.loads(path.read_text())
    expires = datetime.now(UTC) + timedelta(minutes=minutes)
    kept["Credentials"]["Expiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    path.write_text(json.dumps(kept))


def test_keys_are_resolved_anew_before_they_expire(
    use: Use, codes: list[str], endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that runs for days, with a client that it made at its beginning."""
    use("work")
    client = aws.client("sts")
    client.get_caller_identity()
    first = credentials.keys()
    source = next(iter(credentials._sessions.values()))[1]
    age(tmp_path, 4)
    # An hour passes for the keys in memory
    inner: Any = source._inner
    inner._expiry_time = datetime.now(UTC) + timedelta(minutes=4)
    client.get_caller_identity()
    second = credentials.keys()
    assert assumed(endpoint) == len(codes) == 2
    assert first["AWS_ACCESS_KEY_ID"] != second["AWS_ACCESS_KEY_ID"]


def test_a_playbook_begins_with_keys_that_last(
    use: Use, codes: list[str], endpoint: str, tmp_path: Path
) -> None:
    use("work")
    credentials.keys()
    age(tmp_path, 10)
    inner: Any = next(iter(credentials._sessions.values()))[1]._inner
    inner._expiry_time = datetime.now(UTC) + timedelta(minutes=10)
    aws.client("sts").get_caller_identity()
    assert assumed(endpoint) == 1
    credentials.keys()
    assert assumed(endpoint) == 2


def test_keys_that_another_program_writes_are_seen(use: Use, tmp_path: Path) -> None:
    use("base")
    assert credentials.keys()["AWS_ACCESS_KEY_ID"] == cloud.KEY
    (tmp_path / ".aws" / "credentials").write_text(
        "[base]\naws_access_key_id = AKIANEW\naws_secret_access_key = new\n"
    )
    assert credentials.keys()["AWS_ACCESS_KEY_ID"] == "AKIANEW"


def test_a_home_that_cannot_be_written_to_has_no_cache(
    use: Use, codes: list[str], endpoint: str, tmp_path: Path
) -> None:
    use("work")
    # Not even root makes a folder in a file
    (tmp_path / ".aws" / "cli").write_text("")
    aws.client("sts").get_caller_identity()
    aws.client().describe_regions()
    assert assumed(endpoint) == len(codes) == 1


def test_ansible_asks_where_the_profile_says(use: Use, tmp_path: Path) -> None:
    use("me")
    (tmp_path / ".aws" / "config").write_text(
        "[profile me]\nrole_arn = x\nmfa_serial = y\nregion = eu-west-1\nservices = near\n"
        "endpoint_url = https://aws.example.com\nuse_dualstack_endpoint = true\n"
        "[services near]\nec2 =\n  endpoint_url = https://ec2.example.com\n"
    )
    assert credentials.configuration() == (
        "[default]\nendpoint_url = https://aws.example.com\nservices = near\n"
        "use_dualstack_endpoint = true\n"
        "[services near]\nec2 =\n  endpoint_url = https://ec2.example.com\n"
    )


@pytest.mark.parametrize(
    ("profile", "hint"),
    [
        ("signed-on", "Try: aws sso login --profile signed-on"),
        # The login is that of the profile at the end of the chain
        ("chained", "Try: aws sso login --profile signed-on"),
    ],
)
def test_a_session_of_sso_that_is_over_names_the_login(use: Use, profile: str, hint: str) -> None:
    use(profile)
    with pytest.raises(CloudtopError) as refused, aws.plain_errors():
        aws.client().describe_regions()
    assert "session is over" in refused.value.message
    assert refused.value.hint == hint


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
@pytest.mark.parametrize(
    ("profile", "command"),
    [
        ("base", "aws configure --profile base"),
        ("work", "aws configure --profile base"),
        ("signed-on", "aws sso login --profile signed-on"),
        ("broken", "aws sts get-caller-identity --profile broken"),
    ],
)
def test_expired_keys_name_the_command_of_their_kind(
    use: Use, profile: str, command: str, code: str
) -> None:
    use(profile)
    assert refused_by_aws(code, "DescribeInstances").hint.endswith(f": {command}")


def test_expired_keys_of_the_environment_are_unset(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("signed-on")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAOLD")
    assert "unset AWS_ACCESS_KEY_ID" in refused_by_aws("ExpiredToken", "DescribeInstances").hint


def test_a_role_that_refuses_is_no_missing_permission(use: Use) -> None:
    use("work")
    refused = refused_by_aws("AccessDenied", "AssumeRole")
    assert refused.message == "STS answered AccessDenied: because."
    assert "wrong or used code" in refused.hint


def refused_by_aws(code: str, operation: str) -> CloudtopError:
    with pytest.raises(CloudtopError) as refused, aws.plain_errors():
        raise ClientError({"Error": {"Code": code, "Message": "because"}}, operation)
    return refused.value


def test_a_program_that_gives_no_keys_is_named(use: Use) -> None:
    use("broken")
    with pytest.raises(CloudtopError) as refused, aws.plain_errors():
        aws.client().describe_regions()
    assert "/nonexistent/program" in refused.value.message
    assert "--profile broken" in refused.value.hint
