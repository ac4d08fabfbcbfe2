"""FIS's own errors (AWS FIS API Reference), with what was given and what the rule is."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.errors import Refused


def invalid(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "ValidationException", message)


def not_found(what: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", f"{what} was not found.")


def conflict(message: str) -> Refused:
    return Refused(HTTPStatus.CONFLICT, "ConflictException", message)


def too_many(message: str) -> Refused:
    return Refused(HTTPStatus.PAYMENT_REQUIRED, "ServiceQuotaExceededException", message)


def not_rehearsed(what: str) -> Refused:
    """For what FIS can do and the rehearsal cloud cannot."""
    return invalid(f"The rehearsal cloud does not support {what}.")
