"""Who gets in: neither a web page in the owner's browser nor another user of the computer."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials as Signer
from botocore.exceptions import ClientError

from localcloud.authorization.one_reading import FORM
from localcloud.config import Config, from_environment
from localcloud.credentials import ACCESS_KEY, Credentials, credentials, make_home
from localcloud.daemon import process
from localcloud.daemon.claims import claim_home
from localcloud.errors import LocalCloudError
from localcloud.own_calls import PROOF, own_call, proof
from tests.cloud import KEY, OPENER, REGION, SECRET, SIGNER
from tests.localcloud.lab import Lab

SERVICES = {
    "ec2": "DescribeInstances",
    "iam": "ListRoles",
    "sts": "GetCallerIdentity",
    "ssm": "DescribeParameters",
}
CONTROLS = ("health", "calls", "reaps", "prices")
STRANGER = Credentials(KEY, "what-another-user-guesses")


def signed(lab: Lab, body: bytes, service: str = "ec2", key: str = SECRET) -> AWSRequest:
    """A call as botocore signs it."""
    call = AWSRequest("POST", f"{lab.endpoint}/", {"Content-Type": FORM}, body)
    SigV4Auth(Signer(KEY, key), service, REGION).add_auth(call)
    return call


def status(call: AWSRequest | urllib.request.Request, **changes: str) -> int:
    """The status of the answer; ``changes`` are headers in place of the call's own."""
    if isinstance(call, AWSRequest):
        headers = dict(call.headers.items())
        call = urllib.request.Request(call.url, call.data, headers, method=call.method)
    for name, value in changes.items():
        call.add_header(name, value)
    try:
        with OPENER.open(call, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_s2_web_page_with_a_rebound_name_gets_nothing(lab: Lab) -> None:
    port = lab.endpoint.rpartition(":")[2]
    body = b"Action=DescribeInstances&Version=2016-11-15"
    for host in (
        f"evil.example:{port}",
        "evil.example",
        f"127.0.0.1.evil.example:{port}",
        "127.0.0.1",
    ):
        assert status(signed(lab, body), Host=host) == 403
        for control in (*CONTROLS, "caller-address", "nothing"):
            assert status(own_call(lab.endpoint, control, SIGNER), Host=host) == 403


def test_s2_web_page_that_knows_the_address_gets_nothing(lab: Lab) -> None:
    for service, action in SERVICES.items():
        page = urllib.request.Request(
            f"{lab.endpoint}/",
            f"Action={action}&Version=2016-11-15".encode(),
            {"Origin": "http://evil.example", "Content-Type": "text/plain"},
        )
        assert status(page) == 403, service
    for control in CONTROLS:
        assert status(urllib.request.Request(f"{lab.endpoint}/localcloud/{control}")) == 403
    for control in ("reap", "price", "calls/reset"):
        page = urllib.request.Request(f"{lab.endpoint}/localcloud/{control}", b"{}")
        assert status(page) == 403, control


@pytest.mark.parametrize("service", SERVICES)
def test_s2_other_user_without_the_secret_gets_nothing(lab: Lab, service: str) -> None:
    operation = {
        "ec2": "describe_instances",
        "iam": "list_roles",
        "sts": "get_caller_identity",
        "ssm": "describe_parameters",
    }[service]
    for key, secret in ((KEY, STRANGER.secret_key), ("AKIAIOSFODNN7EXAMPLE", "guess"), (KEY, "")):
        client = boto3.client(
            service,
            endpoint_url=lab.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret or "x",
            config=BotoConfig(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_s2_other_user_can_use_no_control(lab: Lab) -> None:
    for control in CONTROLS:
        assert status(own_call(lab.endpoint, control, STRANGER)) == 403
    assert status(own_call(lab.endpoint, "reap", STRANGER, {"instance": lab.run()})) == 403


def test_call_is_bound_to_its_body_and_its_address(lab: Lab) -> None:
    body = b"Action=DescribeInstances&Version=2016-11-15"
    assert status(signed(lab, body)) == 200
    other = signed(lab, body)
    other.data = b"Action=DescribeVolumes&Version=2016-11-15"
    assert status(other) == 403
    other = signed(lab, body)
    other.url += "?Action=DescribeVolumes"
    assert status(other) == 403
    # A signature that leaves out the host would be good for any
    hostless = signed(lab, body)
    hostless.headers.replace_header(
        "Authorization", hostless.headers["Authorization"].replace("host;", "")
    )
    assert status(hostless) == 403
    control = own_call(lab.endpoint, "price", SIGNER, {"type": "c5.large"})
    control.data = json.dumps({"type": "m5.large"}).encode()
    assert status(control) == 403


def test_call_with_the_body_of_another_hash_is_refused(lab: Lab) -> None:
    call = AWSRequest(
        "POST",
        f"{lab.endpoint}/",
        {"Content-Type": FORM, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"},
        b"Action=DescribeInstances&Version=2016-11-15",
    )
    SigV4Auth(Signer(KEY, SECRET), "ec2", REGION).add_auth(call)
    assert status(call) == 403


@pytest.mark.parametrize("minutes", (-20, 20))
def test_call_of_another_time_is_refused(
    lab: Lab, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now)
    call = signed(lab, b"Action=GetCallerIdentity&Version=2011-06-15", "sts")
    monkeypatch.undo()
    assert status(call) == 403


def test_presigned_url_works_until_it_expires_and_only_as_it_was_signed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = lab.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with OPENER.open(url, timeout=5) as answer:
        assert b"<Account>" in answer.read()
    assert (
        status(urllib.request.Request(url.replace("GetCallerIdentity", "GetSessionToken"))) == 403
    )
    assert status(urllib.request.Request(url.replace("Expires=3600", "Expires=9999"))) == 403
    then = datetime.now(UTC) - timedelta(minutes=2)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then)
    call = AWSRequest("GET", f"{lab.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15")
    SigV4QueryAuth(Signer(KEY, SECRET), "sts", REGION, expires=60).add_auth(call)
    monkeypatch.undo()
    assert status(call) == 403


def presigned(
    lab: Lab, seconds: int = 60, headers: dict[str, str] | None = None, service: str = "sts"
) -> AWSRequest:
    """GetCallerIdentity as Vault, EKS and the aws command line sign it."""
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    call = AWSRequest("GET", f"{lab.endpoint}/?{query}", headers=headers or {})
    SigV4QueryAuth(Signer(KEY, SECRET), service, REGION, expires=seconds).add_auth(call)
    return call


def test_fault_18_a_presigned_url_has_its_own_signed_headers(lab: Lab) -> None:
    header = {"x-k8s-aws-id": "cluster"}
    assert status(presigned(lab, headers=header)) == 200
    for other in ("", "another"):
        call = presigned(lab, headers=header)
        del call.headers["x-k8s-aws-id"]
        if other:
            call.headers["x-k8s-aws-id"] = other
        assert status(call) == 403


@pytest.mark.parametrize("seconds", [0, 604_801, 9_999_999])
def test_fault_18_a_presigned_url_lasts_from_a_second_to_seven_days(lab: Lab, seconds: int) -> None:
    assert status(presigned(lab, 604_800)) == 200
    assert status(presigned(lab, seconds)) == 403


def test_fault_18_a_url_has_one_signature_only(lab: Lab) -> None:
    twice = presigned(lab)
    twice.url += "&X-Amz-Expires=60"
    assert status(twice) == 403
    both = presigned(lab)
    SigV4Auth(Signer(KEY, SECRET), "sts", REGION).add_auth(both)
    assert status(both) == 403


@pytest.mark.parametrize("name", ["X-Amz-Target", "X-Amz-Security-Token"])
def test_headers_that_say_what_a_call_is_are_signed(lab: Lab, name: str) -> None:
    call = presigned(lab)
    call.headers[name] = "more"
    assert status(call) == 403
    plain = signed(lab, b"Action=GetCallerIdentity&Version=2011-06-15", "sts")
    plain.headers[name] = "more"
    assert status(plain) == 403


def test_fault_18_a_presigned_url_of_ec2_reads(lab: Lab) -> None:
    url = lab.ec2.generate_presigned_url("describe_volumes", HttpMethod="GET")
    with OPENER.open(url, timeout=5) as answer:
        assert b"DescribeVolumesResponse" in answer.read()


def jwt(**claims: str) -> str:
    parts = [json.dumps(one).encode() for one in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(one).decode() for one in parts), "signed"])


def test_fault_18_a_token_that_nobody_can_verify_gives_no_keys(lab: Lab) -> None:
    sts, iam = lab.client("sts"), lab.client("iam")
    given = {"RoleArn": "arn:aws:iam::123456789012:role/r", "RoleSessionName": "s"}
    assume = sts.assume_role_with_web_identity
    lab.refused("InvalidIdentityToken", assume, **given, WebIdentityToken="no token")
    token = jwt(iss="https://login.example.com")
    message = lab.refused("InvalidIdentityToken", assume, **given, WebIdentityToken=token)
    assert message == (
        "No OpenIDConnect provider found in your account for https://login.example.com"
    )
    iam.create_open_id_connect_provider(
        Url="https://login.example.com", ThumbprintList=["0" * 40], ClientIDList=["x"]
    )
    lab.refused("UnsupportedOperation", assume, **given, WebIdentityToken=token)
    lab.refused(
        "InvalidIdentityToken",
        sts.assume_role_with_saml,
        RoleArn=given["RoleArn"], PrincipalArn="arn:aws:iam::1:saml-provider/x",
        SAMLAssertion="eA==",
    )  # fmt: skip


def test_keys_that_iam_and_sts_gave_out_work_with_their_own_secrets(lab: Lab) -> None:
    iam, sts = lab.client("iam"), lab.client("sts")
    iam.create_user(UserName="colleague")
    key = iam.create_access_key(UserName="colleague")["AccessKey"]
    session = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="s")
    assumed = session["Credentials"]

    def asks(ident: str, secret: str, token: str | None = None) -> Any:
        client = boto3.client(
            "ec2", endpoint_url=lab.endpoint, region_name=REGION, aws_access_key_id=ident,
            aws_secret_access_key=secret, aws_session_token=token,
        )  # fmt: skip
        return client.describe_instances()

    asks(key["AccessKeyId"], key["SecretAccessKey"])
    asks(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    for wrong in (
        (key["AccessKeyId"], SECRET),
        (assumed["AccessKeyId"], assumed["SecretAccessKey"]),
        (assumed["AccessKeyId"], assumed["SecretAccessKey"], "another"),
        (assumed["AccessKeyId"], SECRET, assumed["SessionToken"]),
    ):
        with pytest.raises(ClientError, match="AuthFailure"):
            asks(*wrong)


# --- the home -------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return from_environment({"HOME": str(tmp_path)})


def test_secret_is_the_homes_own_and_for_its_owner_only(config: Config, tmp_path: Path) -> None:
    mine = credentials(config)
    assert credentials(config) == mine
    assert mine.access_key == ACCESS_KEY and len(mine.secret_key) >= 40
    assert stat.S_IMODE(config.credentials_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.home.stat().st_mode) == 0o700
    other = credentials(from_environment({"HOME": str(tmp_path / "other")}))
    assert other.secret_key != mine.secret_key


def test_file_is_one_that_other_clients_read(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = credentials(config)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config.credentials_file))
    keys = boto3.Session().get_credentials()
    assert keys and (keys.access_key, keys.secret_key) == (mine.access_key, mine.secret_key)


def test_s10_home_that_others_may_enter_is_closed(config: Config) -> None:
    config.home.mkdir(parents=True, mode=0o755)
    config.home.chmod(0o777)
    make_home(config)
    assert stat.S_IMODE(config.home.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_s10_home_of_somebody_else_is_refused(config: Config) -> None:
    config.home.mkdir(parents=True)
    os.chown(config.home, 65534, 65534)
    with pytest.raises(LocalCloudError, match="belongs to the user 65534"):
        make_home(config)
    with pytest.raises(LocalCloudError, match="belongs to the user 65534"):
        claim_home(config)


def test_unreadable_credentials_are_a_sentence(config: Config) -> None:
    make_home(config)
    config.credentials_file.write_text("nonsense")
    with pytest.raises(LocalCloudError, match="no credentials that can be read") as caught:
        credentials(config)
    assert str(config.credentials_file) in caught.value.hint


class Impostor(BaseHTTPRequestHandler):
    """Answers as the cloud of a home does, but for the secret."""

    home = ""
    calls: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.calls.append(str(self.headers))
        body = json.dumps({"pid": os.getpid(), "home": self.home}).encode()
        self.send_response(200)
        self.send_header(PROOF, proof(STRANGER, self.headers["Authorization"]))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_s11_program_that_listens_first_is_not_taken_for_ours(config: Config) -> None:
    mine = credentials(config)
    Impostor.home = str(config.home)
    with ThreadingHTTPServer(("127.0.0.1", 0), Impostor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(LocalCloudError, match="not by a rehearsal cloud"):
            process.health(replace(config, port=server.server_port))
        server.shutdown()
    assert Impostor.calls and mine.secret_key not in "".join(Impostor.calls)


def test_s11_cloud_proves_that_it_is_ours(lab: Lab, tmp_path: Path) -> None:
    mine = replace(lab.server.config, port=int(lab.endpoint.rpartition(":")[2]))
    assert (process.health(mine) or {})["home"] == str(mine.home)
    other = replace(mine, home=tmp_path / "elsewhere")
    credentials(other)
    with pytest.raises(LocalCloudError, match="belongs to the rehearsal cloud of"):
        process.health(other)


def test_s11_before_its_first_start_nothing_that_answers_is_ours(config: Config) -> None:
    """A proof by an empty secret is no proof."""
    Impostor.home = str(config.home)
    with ThreadingHTTPServer(("127.0.0.1", 0), Impostor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("tests.localcloud.api.test_private.STRANGER", Credentials("", ""))
            with pytest.raises(LocalCloudError, match="not by a rehearsal cloud"):
                process.health(replace(config, port=server.server_port))
        server.shutdown()
