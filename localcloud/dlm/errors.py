"""DLM's own errors, with what was given and what the rule is."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.errors import Refused


def invalid(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "InvalidRequestException", message)


def not_found(what: str) -> Refused:
    message = f"{what} was not found."
    return Refused(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", message)


def too_many(limit: int) -> Refused:
    return Refused(
        HTTPStatus.TOO_MANY_REQUESTS,
        "LimitExceededException",
        f"There can be {limit} lifecycle policies in a Region.",
    )


def not_rehearsed(what: str) -> Refused:
    """For what DLM can do and the rehearsal cloud cannot."""
    return invalid(f"The rehearsal cloud does not support {what}.")
