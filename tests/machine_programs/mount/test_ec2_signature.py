"""The calls that ec2.py makes with the real curl, checked as EC2 would check them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cloudtop_machine.ec2 import Ec2, Trouble
from cloudtop_machine.imds import Metadata

_METADATA = {
    "/meta-data/placement/region": "eu-central-1",
    "/meta-data/iam/security-credentials/": "role",
    "/meta-data/iam/security-credentials/role": '{"AccessKeyId" : "ASIAEXAMPLE", '
    '"SecretAccessKey" : "wJalr/XUt+nFEMI", "Token" : "IQoJb3/Jp+Z2=="}',
}


class _Server(BaseHTTPRequestHandler):
    seen: list[tuple[dict[str, str], bytes]]

    def do_PUT(self) -> None:
        self._answer("TOKEN")

    def do_GET(self) -> None:
        known = self.headers.get("X-aws-ec2-metadata-token") == "TOKEN"
        self._answer(_METADATA[self.path.replace("//", "/")] if known else "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self._answer("<AttachVolumeResponse/>".replace("/>", "><a/></AttachVolumeResponse>"))

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    _Server.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as here:
        threading.Thread(target=here.serve_forever, daemon=True).start()
        yield here
        here.shutdown()


def test_curl_signs_as_botocore_would(server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    answer = Ec2(url, Metadata(f"{url}/", 60)).ask("AttachVolume", "Device=/dev/xvdj")
    assert answer.find("a") is not None
    ((headers, body),) = _Server.seen
    assert body == b"Action=AttachVolume&Version=2016-11-15&Device=%2Fdev%2Fxvdj"
    assert headers["x-amz-security-token"] == "IQoJb3/Jp+Z2=="

    match = re.match(
        r"AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/\d{8}/eu-central-1/ec2/aws4_request,"
        r" ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$",
        headers["authorization"],
    )
    assert match, headers["authorization"]
    signed, signature = match.groups()
    request = AWSRequest("POST", f"{url}/", data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    for name in signed.split(";"):
        request.headers[name] = headers[name]
    signer = SigV4Auth(Credentials("ASIAEXAMPLE", "wJalr/XUt+nFEMI"), "ec2", "eu-central-1")
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    assert signer.signature(to_sign, request) == signature
    assert "x-amz-security-token" in signed.split(";")


class _Answers(_Server):
    text: str

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.text)


_REFUSED = (
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You may not.\n Encoded"
    " authorization failure message: abc</Message></Error></Errors></Response>"
)
_BUSY = _REFUSED.replace("UnauthorizedOperation", "Throttling")


@pytest.mark.parametrize(
    ("text", "code", "sentence", "passes"),
    [
        (_REFUSED, "UnauthorizedOperation", "You may not.", False),
        (_BUSY, "Throttling", "You may not.", True),
        ("<html>502 Bad Gateway</html>", "Unreachable", "an answer that is not EC2's", True),
        ("<Code>half", "Unreachable", "an answer that is not EC2's", True),
        ("<AttachVolumeResponse><half>", "Unreachable", "an answer that is not EC2's", True),
    ],
)
def test_a_refusal_is_its_code_and_a_sentence(
    text: str, code: str, sentence: str, passes: bool
) -> None:
    _Answers.text = text
    lines: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as here:
        threading.Thread(target=here.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{here.server_port}"
        with pytest.raises(Trouble) as trouble:
            Ec2(url, Metadata(f"{url}/", 60), lines.append).ask("AttachVolume")
        here.shutdown()
    assert (trouble.value.code, trouble.value.passes) == (code, passes)
    assert trouble.value.text.endswith(sentence)
    assert lines == [f"AttachVolume: {trouble.value}"]


def test_nobody_at_the_endpoint_is_curls_sentence() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as here:
        threading.Thread(target=here.serve_forever, daemon=True).start()
        metadata = Metadata(f"http://127.0.0.1:{here.server_port}/", 60)
        with pytest.raises(Trouble, match="Unreachable: curl"):
            Ec2("http://127.0.0.1:9", metadata).call("AttachVolume")
        here.shutdown()
