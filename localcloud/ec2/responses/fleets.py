"""Fleets."""

from __future__ import annotations

from moto.core.responses import ActionResult

from localcloud.ec2.filters import page
from localcloud.ec2.records.fleet import ENDING, INSTANT, RUNNING
from localcloud.ec2.responses.base import BaseResponses

# EC2's names for those that cannot be deleted
WORDS = {
    "fleetIdDoesNotExist": "The fleet ID does not exist",
    "fleetNotInDeletableState": "The fleet is deleted already",
}


class FleetResponses(BaseResponses):
    def create_fleet(self) -> ActionResult:
        fleet = self.backend.make_fleet(self.given)
        launched = {"Errors": fleet.errors, "Instances": fleet.launched}
        return ActionResult({"FleetId": fleet.id, **(launched if fleet.type == INSTANT else {})})

    def modify_fleet(self) -> ActionResult:
        self.backend.change_fleet(self.given)
        return ActionResult({"Return": True})

    def describe_fleets(self) -> ActionResult:
        fleets = [fleet.shown for fleet in self.backend.find_fleets(self.given)]
        shown, token = page(fleets, self.given, low=1)
        return ActionResult({"Fleets": shown, "NextToken": token})

    def describe_fleet_instances(self) -> ActionResult:
        shown, token = page(self.backend.fleet_instances(self.given), self.given, low=1)
        active = [
            {
                "InstanceId": one.id,
                "InstanceType": one.instance_type,
                "SpotInstanceRequestId": one.spot_instance_request_id,
                "InstanceHealth": "healthy",
            }
            for one in shown
        ]
        ident = self.one("FleetId")
        return ActionResult({"FleetId": ident, "ActiveInstances": active, "NextToken": token})

    def describe_fleet_history(self) -> ActionResult:
        shown, token = page(self.backend.fleet_history(self.given), self.given, low=1)
        records = [
            {
                "EventType": one.kind,
                "Timestamp": one.time,
                "EventInformation": {
                    "EventSubType": one.name,
                    "EventDescription": one.text,
                    "InstanceId": one.instance_id,
                },
            }
            for one in shown
        ]
        return ActionResult(
            {
                "FleetId": self.one("FleetId"),
                "HistoryRecords": records,
                "LastEvaluatedTime": None if token else self.backend.now(),
                "StartTime": self.one("StartTime"),
                "NextToken": token,
            }
        )

    def delete_fleets(self) -> ActionResult:
        deleted, failed = self.backend.delete_fleet_records(self.given)
        return ActionResult(
            {
                "SuccessfulFleetDeletions": [
                    {
                        "FleetId": fleet.id,
                        "CurrentFleetState": ENDING if fleet.ends_machines else RUNNING,
                        "PreviousFleetState": before,
                    }
                    for fleet, before in deleted
                ],
                "UnsuccessfulFleetDeletions": [
                    {"FleetId": ident, "Error": {"Code": code, "Message": WORDS[code]}}
                    for ident, code in failed
                ],
            }
        )
