"""The XML of EC2's answers, in which moto's differs from EC2's (API Reference, "Making requests").

botocore reads either; other clients look for a namespace with its last slash and for
``<return>true</return>``, and for errors without a namespace.
"""

from __future__ import annotations

import uuid
from collections.abc import MutableMapping
from typing import Any

from moto.core.serialize import EC2Serializer

# The header that has the same id as the answer
REQUEST_ID = "x-amzn-requestid"
# The service model does not have the element for these, the API Reference's examples do
ALSO_TRUE = frozenset({"AssociateAddress"})


class Serializer(EC2Serializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context.request_id = request_id()

    def _serialized_error_to_response(self, *args: Any) -> Any:
        response = super()._serialized_error_to_response(*args)
        response["headers"][REQUEST_ID] = self.context.request_id
        return response

    def _serialized_result_to_response(
        self, resp: Any, result: Any, shape: Any, serialized_result: MutableMapping[str, Any]
    ) -> Any:
        if self._answers_true(shape):
            serialized_result.setdefault("return", "true")
        response = super()._serialized_result_to_response(resp, result, shape, serialized_result)
        response["headers"][REQUEST_ID] = self.context.request_id
        return response

    def _answers_true(self, shape: Any) -> bool:
        """Whether there is nothing else to say than that it was done."""
        name = self.operation_model.name
        return shape is None or "Return" in shape.members or name in ALSO_TRUE

    def _serialize_namespace_attribute(self, serialized: MutableMapping[str, Any]) -> None:
        if "Errors" not in serialized:
            serialized["@xmlns"] = f"{self.operation_model.metadata['xmlNamespace']}/"


def request_id() -> str:
    """A new id of a request, in the form that EC2's have."""
    return str(uuid.uuid4())
