"""The instance metadata service over its unix socket: what EC2 answers, and refuses."""

from __future__ import annotations

import gzip
import http.client
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud.machines import metadata_server
from localcloud.machines.interface import MetadataTree

TREE: MetadataTree = {
    "meta-data": {
        "instance-id": "i-0aa",
        "placement": {"availability-zone": "us-east-1a"},
        "public-keys": {"0=laptop": {"openssh-key": "ssh-ed25519 AAAA laptop"}},
        "iam": {"security-credentials": {"role": '{"Code": "Success"}'}},
    },
    "dynamic": {"instance-identity": {"document": "{}"}},
}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, directory: Path) -> None:
        super().__init__("metadata", timeout=10)
        self.directory = directory

    def connect(self) -> None:
        handle = os.open(self.directory, os.O_PATH)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(f"/proc/self/fd/{handle}/metadata_server.sock")
        os.close(handle)


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    headers: Mapping[str, str]


class Service:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tree: MetadataTree | None = TREE
        self.server = self.serve()

    def serve(self) -> metadata_server.MetadataServer:
        return metadata_server.MetadataServer(
            self.directory, "metadata_server.sock", "i-0aa", lambda _instance_id: self.tree
        )

    def ask(self, method: str, path: str, **headers: str) -> Reply:
        connection = UnixConnection(self.directory)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        body = answer.read().decode(errors="surrogateescape")
        reply = Reply(answer.status, body, dict(answer.headers))
        connection.close()
        return reply

    def token(self, ttl: str = "60") -> Reply:
        return self.ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=ttl)

    def get(self, path: str, method: str = "GET") -> Reply:
        return self.ask(method, path, X_aws_ec2_metadata_token=self.token().body)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    # As deep as a home may lie: a unix socket's path has 107 bytes at most
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    service = Service(directory)
    yield service
    service.server.close()


def test_without_a_token_nothing_is_told(service: Service) -> None:
    assert service.ask("GET", "/latest/meta-data/instance-id").status == 401
    assert service.ask("GET", "/").status == 401


@pytest.mark.parametrize("token", ["", "nonsense", "ümlaut", "AAAA", "A" * 56])
def test_wrong_token_is_refused(service: Service, token: str) -> None:
    reply = service.ask(
        "GET", "/latest/meta-data/", X_aws_ec2_metadata_token=token.encode().decode("latin-1")
    )
    assert reply.status == 401


def test_token_of_another_machine_is_refused(service: Service, tmp_path: Path) -> None:
    other = metadata_server.Tokens(metadata_server.machine_key(tmp_path)).issue(60)
    assert service.ask("GET", "/latest/", X_aws_ec2_metadata_token=other).status == 401


@pytest.mark.parametrize("ttl", ["", "0", "-1", "21601", "x", "1.5", "²"])
def test_bad_lifetime_is_refused(service: Service, ttl: str) -> None:
    assert service.token(ttl.encode().decode("latin-1")).status == 400


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_lifetime_is_repeated(service: Service, ttl: str) -> None:
    reply = service.token(ttl)
    assert reply.status == 200
    assert reply.headers["X-aws-ec2-metadata-token-ttl-seconds"] == ttl


def test_token_expires(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    token = service.token("10").body
    now = time.time()
    assert service.ask("GET", "/latest/", X_aws_ec2_metadata_token=token).status == 200
    monkeypatch.setattr(time, "time", lambda: now + 11)
    assert service.ask("GET", "/latest/", X_aws_ec2_metadata_token=token).status == 401


def test_token_through_a_proxy_is_refused(service: Service) -> None:
    reply = service.ask(
        "PUT",
        "/latest/api/token",
        X_aws_ec2_metadata_token_ttl_seconds="60",
        X_Forwarded_For="10.0.0.1",
    )
    assert reply.status == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(service: Service, method: str) -> None:
    assert service.get("/latest/meta-data/", method).status == 405


def test_token_path_is_for_put_and_put_for_it(service: Service) -> None:
    assert service.get("/latest/api/token").status == 405
    assert service.get("/latest/meta-data/instance-id", "PUT").status == 405


def test_versions_are_listed(service: Service) -> None:
    versions = service.get("/").body.splitlines()
    assert versions[0] == "1.0"
    assert versions[-1] == "latest"
    assert "2021-03-23" in versions


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/latest", "dynamic\nmeta-data"),
        ("/latest/", "dynamic\nmeta-data"),
        ("/latest/meta-data", "iam/\ninstance-id\nplacement/\npublic-keys/"),
        ("/2021-03-23/meta-data/", "iam/\ninstance-id\nplacement/\npublic-keys/"),
        ("/latest/meta-data/instance-id", "i-0aa"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/public-keys/", "0=laptop"),
        ("/latest/meta-data/public-keys/0/", "openssh-key"),
        ("/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA laptop"),
        ("/latest/meta-data/iam/security-credentials/", "role"),
        ("/latest/dynamic/instance-identity/document", "{}"),
    ],
)
def test_tree_is_answered_as_ec2_does(service: Service, path: str, body: str) -> None:
    reply = service.get(path)
    assert (reply.status, reply.body) == (200, body)


@pytest.mark.parametrize(
    "path",
    [
        "/latest/user-data",
        "/latest/meta-data/spot/instance-action",
        "/latest/meta-data/instance-id/",
        "/latest/meta-data/instance-id/more",
        "/latest/meta-data/public-keys/1/openssh-key",
        "/latest/Meta-Data/",
        "/1999-01-01/meta-data/",
        "/nonsense",
    ],
)
def test_what_is_not_there_is_a_404(service: Service, path: str) -> None:
    assert service.get(path).status == 404


def test_head_has_no_body(service: Service) -> None:
    reply = service.get("/latest/meta-data/instance-id", "HEAD")
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, "", "5")


def test_tree_is_asked_for_on_each_request(service: Service) -> None:
    service.tree = {"meta-data": {"spot": {"instance-action": "{}"}}, "user-data": "hello"}
    assert service.get("/latest/meta-data/spot/instance-action").status == 200
    assert service.get("/latest/user-data").body == "hello"


def test_machine_unknown_to_the_api_is_asked_to_try_again(service: Service) -> None:
    service.tree = None
    assert service.get("/latest/meta-data/").status == 503


def test_tokens_outlive_the_server(service: Service) -> None:
    token = service.token().body
    service.server.close()
    service.server = service.serve()
    assert service.ask("GET", "/latest/", X_aws_ec2_metadata_token=token).status == 200


def test_key_is_the_owners_alone(service: Service) -> None:
    assert (service.directory / metadata_server.KEY_FILE).stat().st_mode & 0o077 == 0


def test_user_data_that_is_no_text_comes_through(service: Service) -> None:
    packed = gzip.compress(b"#cloud-config\n")
    service.tree = {"user-data": packed.decode(errors="surrogateescape")}
    body = service.get("/latest/user-data").body
    assert body.encode(errors="surrogateescape") == packed
