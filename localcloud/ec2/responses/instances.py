"""Instances, their types and their consoles."""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString

from localcloud.ec2.backend.instances import Change
from localcloud.ec2.describe import instance_attributes
from localcloud.ec2.describe.instance_filters import FILTERS, STATUS_FILTERS
from localcloud.ec2.describe.instance_type_filters import TYPE_FILTERS
from localcloud.ec2.errors import missing, refusal
from localcloud.ec2.filters import page, require_one_of, select
from localcloud.ec2.launch.options import require_metadata_options
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.responses.base import BaseResponses

# EC2 answers with at most so many types at once
TYPES_PAGE = 100
METADATA_OPTIONS = {
    "HttpTokens": "http_tokens",
    "HttpEndpoint": "http_endpoint",
    "HttpProtocolIpv6": "http_protocol_ipv6",
    "HttpPutResponseHopLimit": "http_put_response_hop_limit",
    "InstanceMetadataTags": "instance_metadata_tags",
}


def _changes(changes: list[Change]) -> list[dict[str, Any]]:
    return [
        {
            "InstanceId": instance.id,
            "CurrentState": {"Code": instance.state_code, "Name": instance.state},
            "PreviousState": before,
        }
        for instance, before in changes
    ]


class InstanceResponses(BaseResponses):
    def describe_instances(self) -> ActionResult:
        given = self.given
        require_one_of(given, "InstanceIds")
        chosen = self.backend.every_instance()
        if given.get("InstanceIds"):
            chosen = self.backend.instances_of(given["InstanceIds"])
        wanted = {i.id for i in select(chosen, given.get("Filters", []), FILTERS)}
        reservations = []
        for reservation in self.backend.reservations.values():
            some = [i for i in reservation.instances if i.id in wanted]
            if some:
                shown = copy.copy(reservation)
                shown.instances = some
                reservations.append(shown)
        part, token = page(reservations, given, ids="InstanceIds")
        return ActionResult({"Reservations": part, "NextToken": token})

    def describe_instance_status(self) -> ActionResult:
        given = self.given
        require_one_of(given, "InstanceIds")
        chosen = self.backend.every_instance()
        if given.get("InstanceIds"):
            chosen = self.backend.instances_of(given["InstanceIds"])
        if not given.get("IncludeAllInstances"):
            chosen = [i for i in chosen if i.state == "running"]
        instances = select(chosen, given.get("Filters", []), STATUS_FILTERS)
        shown, token = page(instances, given, ids="InstanceIds")
        return ActionResult({"InstanceStatuses": shown, "NextToken": token})

    def run_instances(self) -> ActionResult:
        return ActionResult(self.backend.run(self.given))

    def start_instances(self) -> ActionResult:
        return ActionResult(
            {"StartingInstances": _changes(self.backend.start(self.one("InstanceIds") or []))}
        )

    def stop_instances(self) -> ActionResult:
        return ActionResult(
            {"StoppingInstances": _changes(self.backend.stop(self.one("InstanceIds") or []))}
        )

    def terminate_instances(self) -> ActionResult:
        ids = self.one("InstanceIds") or _none_to_terminate()
        return ActionResult({"TerminatingInstances": _changes(self.backend.terminate(ids))})

    def reboot_instances(self) -> ActionResult:
        self.backend.reboot(self.one("InstanceIds") or [])
        return EmptyResult()

    def get_console_output(self) -> ActionResult:
        instance = self.backend.instance(self.one("InstanceId") or _no_instance())
        # Latest or not, it is the serial log of now; EC2 may be a few minutes behind
        text = self.backend.cloud.host.console(instance.id)
        output = Base64EncodedString.from_raw_string(text) if text else None
        return ActionResult(
            {"InstanceId": instance.id, "Timestamp": self.backend.now(), "Output": output}
        )

    def describe_instance_attribute(self) -> ActionResult:
        instance = self.backend.instance(self.one("InstanceId") or _no_instance())
        return ActionResult(instance_attributes.shown(instance, self.one("Attribute") or ""))

    def modify_instance_attribute(self) -> ActionResult:
        self.backend.change_attribute(self.given)
        return EmptyResult()

    def modify_instance_metadata_options(self) -> ActionResult:
        refuse_unknown("ModifyInstanceMetadataOptions", self.given)
        instance = self.backend.instance(self.one("InstanceId") or _no_instance())
        require_metadata_options(self.given)
        options = instance.metadata_options
        for name, attribute in METADATA_OPTIONS.items():
            if self.one(name) is not None:
                setattr(options, attribute, self.one(name))
        return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": options})

    def describe_instance_types(self) -> ActionResult:
        types = select(
            self.backend.describe_instance_types(self.one("InstanceTypes") or []),
            self.one("Filters") or [],
            TYPE_FILTERS,
            tagged=False,
        )
        shown, token = page(types, self.given, high=TYPES_PAGE, ids="InstanceTypes")
        return ActionResult({"InstanceTypes": shown, "NextToken": token})

    def describe_instance_type_offerings(self) -> ActionResult:
        offerings = self.backend.describe_instance_type_offerings(
            self.one("LocationType"), self._filters_from_querystring()
        )
        shown, token = page(offerings, self.given)
        return ActionResult({"InstanceTypeOfferings": shown, "NextToken": token})


def _no_instance() -> str:
    raise missing("InstanceId")


def _none_to_terminate() -> list[str]:
    raise refusal("InvalidParameterCombination", "No instances specified")
