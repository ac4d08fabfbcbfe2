"""Calls of the cloud's own paths, below /localcloud/: signed, and answered with a proof.

AWS's signature would need AWS's library, which takes longer to load than such a call takes: each
command of the product makes one. So this is a plain HMAC over what is sent, by the secret of the
home's credentials. It never travels itself: another program may listen at the port.
"""

from __future__ import annotations

import hmac
import json
import re
import time
import urllib.request
from hashlib import sha256
from typing import Any

from localcloud.credentials import Credentials

# Seconds that a signed call may be old, and that the clocks of one computer never differ by
LASTS = 60
SCHEME = "Localcloud-HMAC-SHA256"
HEADER = re.compile(rf"{SCHEME} Time=(\d{{1,12}}), Signature=([0-9a-f]{{64}})")
# The answer has this header, with what only the owner of the home can say
PROOF = "X-Localcloud-Proof"


def own_call(
    endpoint: str, path: str, signer: Credentials, given: Any = None, method: str = ""
) -> urllib.request.Request:
    """A signed call of the path below /localcloud/: GET, or POST with ``given`` as JSON."""
    body = b"" if given is None else json.dumps(given).encode()
    method = method or ("GET" if given is None else "POST")
    now = str(int(time.time()))
    signature = _sign(signer, method, f"/localcloud/{path}", body, now)
    return urllib.request.Request(
        f"{endpoint}/localcloud/{path}",
        data=body if method == "POST" else None,
        headers={
            "Content-Type": "application/json",
            "Authorization": f"{SCHEME} Time={now}, Signature={signature}",
        },
        method=method,
    )


def is_genuine(
    signer: Credentials, method: str, path: str, body: bytes, authorization: str
) -> bool:
    """Whether who sent this knows the home's secret, and sent it within the last minute.

    ``path`` has its query string, as it was sent.
    """
    match = HEADER.fullmatch(authorization)
    if not match or abs(time.time() - int(match[1])) > LASTS:
        return False
    return hmac.compare_digest(_sign(signer, method, path, body, match[1]), match[2])


def proof(signer: Credentials, authorization: str) -> str:
    """The answer to a call with that header that only the home's secret can make."""
    return _digest(signer, f"proof\n{authorization}")


def _sign(signer: Credentials, method: str, path: str, body: bytes, when: str) -> str:
    return _digest(signer, "\n".join(("call", method, path, sha256(body).hexdigest(), when)))


def _digest(signer: Credentials, message: str) -> str:
    return hmac.new(signer.secret_key.encode(), message.encode(), sha256).hexdigest()
