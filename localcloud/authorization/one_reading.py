"""One reading of a call for who authorizes it and who answers it: action, account and region.

Moto looks for an action in the form, then in a header, then in whatever the body is like; for the
account and the region in headers that anybody sets. A call in which they could differ is refused.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

from werkzeug.wrappers import Request

from localcloud.errors import Refused

# Services whose calls are forms (AWS's query protocol); the others' are JSON
FORMS = ("ec2", "iam", "sts")
FORM = "application/x-www-form-urlencoded"
# Moto takes them for the account and the region
IDENTITY, AGENT = "HTTP_X_MOTO_ACCOUNT_ID", "HTTP_USER_AGENT"


def require_one_reading(request: Request, service: str) -> None:
    """Raise Refused for a call that names its action twice, or where its service does not.

    Words that moto takes for an account or a region are removed: the signature has both.
    """
    if why := _conflict(request, service):
        raise Refused(HTTPStatus.BAD_REQUEST, "MalformedQueryString", why)
    request.environ.pop(IDENTITY, None)
    request.environ[AGENT] = "localcloud"


def _conflict(request: Request, service: str) -> str:
    query = parse_qs(request.query_string.decode(errors="replace"))
    body = request.get_data(cache=True, parse_form_data=False)
    form = parse_qs(body.decode(errors="replace"))
    if "Action" in request.headers:
        return "A header can't name the action."
    if "amazonaws.com" in request.path or b"amazonaws.com" in request.query_string:
        return "The address can't name a host of AWS."
    if service not in FORMS:
        named = "Action" in query or "Action" in form
        return f"A call of {service} names its action in X-Amz-Target or its path." if named else ""
    if "X-Amz-Target" in request.headers:
        return f"A call of {service} names its action as a parameter, not in X-Amz-Target."
    if body and request.mimetype != FORM:
        return f"The parameters of {service} are sent as {FORM}."
    if len(query.get("Action", [])) + len(form.get("Action", [])) > 1:
        return "The call names more than one action."
    return ""
