"""AWS Signature Version 4: what a call says of its signer, and whether that is true.

The algorithm is botocore's, which signs what the clients send
(IAM User Guide, "Create a signed AWS API request").
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.client import HTTPMessage
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit, urlunsplit

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signer
from werkzeug.wrappers import Request

# How far the clocks may be apart (same page: "within five minutes" at least; AWS takes fifteen)
SKEW = timedelta(minutes=15)
# The longest that a presigned URL may last: seven days
LONGEST = 604_800
# The parameters of its signature, each of which stands there once
PRESIGNED = frozenset(
    f"X-Amz-{name}"
    for name in (
        "Algorithm", "Credential", "Date", "Expires", "Security-Token", "Signature",
        "SignedHeaders",
    )
)  # fmt: skip
# Headers of this kind say what a call is, so they are signed (same page, "CanonicalHeaders"); a
# browser's SDK adds the other unsigned
SIGNED, FREE = "x-amz-", "x-amz-user-agent"
ALGORITHM = "AWS4-HMAC-SHA256"
SCOPE = re.compile(r"([^/\s]+)/(\d{8})/([^/\s]+)/([^/\s]+)/aws4_request")
HEADER = re.compile(
    rf"{ALGORITHM} Credential={SCOPE.pattern},\s*SignedHeaders=(\S+?),\s*Signature=([0-9a-f]{{64}})"
)


@dataclass(frozen=True)
class Signature:
    """The signer of a call as it names itself.

    ``seconds`` is how long a presigned URL lasts, None for any other call.
    """

    access_key: str
    region: str
    service: str
    token: str
    headers: tuple[str, ...]
    timestamp: str
    signature: str
    seconds: int | None = None


def signature_of(request: Request) -> Signature | None:
    """The signature in the header or, for a presigned URL, in the query string; None for none,
    for two, and for one that is incomplete."""
    pairs = parse_qsl(request.query_string.decode(errors="replace"), keep_blank_values=True)
    signing = [name for name, _ in pairs if name in PRESIGNED]
    if "Authorization" in request.headers and signing:
        return None
    if match := HEADER.fullmatch(request.headers.get("Authorization", "").strip()):
        access_key, _, region, service, headers, signature = match.groups()
        token = request.headers.get("X-Amz-Security-Token", "")
        timestamp = request.headers.get("X-Amz-Date", "")
        names = tuple(headers.lower().split(";"))
        return Signature(access_key, region, service, token, names, timestamp, signature)
    query, seconds = dict(pairs), dict(pairs).get("X-Amz-Expires", "")
    scope = SCOPE.fullmatch(query.get("X-Amz-Credential", ""))
    if query.get("X-Amz-Algorithm") != ALGORITHM or not scope or len(signing) > len(set(signing)):
        return None
    if not re.fullmatch(r"[0-9]{1,6}", seconds) or not 1 <= int(seconds) <= LONGEST:
        return None
    access_key, _, region, service = scope.groups()
    return Signature(
        access_key=access_key,
        region=region,
        service=service,
        token=query.get("X-Amz-Security-Token", ""),
        headers=tuple(query.get("X-Amz-SignedHeaders", "").lower().split(";")),
        timestamp=query.get("X-Amz-Date", ""),
        signature=query.get("X-Amz-Signature", ""),
        seconds=int(seconds),
    )


def is_timely(signature: Signature, now: datetime | None = None) -> bool:
    """Whether it was signed about now; a presigned URL, whether it still lasts."""
    now = now or datetime.now(UTC)
    try:
        signed = datetime.strptime(signature.timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    longest = SKEW if signature.seconds is None else timedelta(seconds=signature.seconds)
    return -SKEW <= now - signed <= longest


def is_genuine(request: Request, signature: Signature, secret_key: str) -> bool:
    """Whether who signed knows the secret, and signed this call: method, address, host and body."""
    if "host" not in signature.headers:
        return False
    if not all(name in request.headers for name in signature.headers):
        return False
    for name in map(str.lower, request.headers.keys()):
        if name.startswith(SIGNED) and name != FREE and name not in signature.headers:
            return False
    body = request.get_data(cache=True, parse_form_data=False)
    digest = request.headers.get("X-Amz-Content-SHA256")
    if digest is not None and not hmac.compare_digest(digest, sha256(body).hexdigest()):
        return False
    signed = HTTPMessage()
    for name in signature.headers:
        signed[name] = ",".join(request.headers.getlist(name))
    call = AWSRequest(request.method, _address(request), headers=signed, data=body)
    call.context["timestamp"] = signature.timestamp
    signer = _Verifier(
        Signer(signature.access_key, secret_key), signature.service, signature.region
    )
    text = signer.string_to_sign(call, signer.canonical_request(call))
    return hmac.compare_digest(signer.signature(text, call), signature.signature)


class _Verifier(SigV4Auth):  # type: ignore[misc]
    """Signs the headers that the other side has signed: other SDKs choose others."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers


def _address(request: Request) -> str:
    """The address as it was sent, undecoded, without the signature of a presigned URL."""
    parts = urlsplit(request.environ.get("RAW_URI") or request.full_path)
    pairs = parts.query.split("&") if parts.query else []
    kept = [one for one in pairs if unquote_plus(one.partition("=")[0]) != "X-Amz-Signature"]
    return urlunsplit(("http", request.host, parts.path or "/", "&".join(kept), ""))
