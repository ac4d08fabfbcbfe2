"""iam:SimulatePrincipalPolicy for the account's administrator, which moto lacks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from localcloud.authorization.denied import is_denied


def answer(given: Mapping[str, str]) -> Response:
    """A decision for each of ActionNames: what the account denies, or else allowed."""
    prefix = "ActionNames.member."
    names = [value for key, value in given.items() if key.startswith(prefix)]
    members = "".join(
        f"<member><EvalActionName>{escape(name)}</EvalActionName>"
        f"<EvalDecision>{'explicitDeny' if is_denied(name) else 'allowed'}</EvalDecision>"
        "<EvalResourceName>*</EvalResourceName></member>"
        for name in names
    )
    action = "SimulatePrincipalPolicy"
    return Response(
        f'<{action}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{action}Result>'
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{members}</EvaluationResults>"
        f"</{action}Result><ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId>"
        f"</ResponseMetadata></{action}Response>",
        mimetype="text/xml",
    )
