"""EC2's own error codes, with what was given and what the rule is."""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError


def refusal(code: str, message: str) -> EC2ClientError:
    """An error as the API answers it: ``raise refusal("VolumeInUse", "…")``."""
    return EC2ClientError(code, message)


def invalid(message: str) -> EC2ClientError:
    return refusal("InvalidParameterValue", message)


def invalid_value(parameter: str, value: object, rule: str) -> EC2ClientError:
    return invalid(f"Value ({value}) for parameter {parameter} is invalid. {rule}")


def missing(parameter: str) -> EC2ClientError:
    return refusal("MissingParameter", f"The request must contain the parameter {parameter}")


def not_rehearsed(what: str) -> EC2ClientError:
    """For what EC2 can do and the rehearsal cloud cannot."""
    return refusal("UnsupportedOperation", f"The rehearsal cloud does not support {what}.")
