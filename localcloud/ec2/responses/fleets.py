"""Fleets."""

from __future__ import annotations

from moto.core.responses import ActionResult

from localcloud.ec2.filters import page
from localcloud.ec2.responses.base import BaseResponses

# EC2's names for those that cannot be deleted
WORDS = {
    "fleetIdDoesNotExist": "The fleet ID does not exist",
    "fleetNotInDeletableState": "The fleet is deleted already",
}


class FleetResponses(BaseResponses):
    def create_fleet(self) -> ActionResult:
        fleet = self.backend.make_fleet(self.given)
        return ActionResult(
            {"FleetId": fleet.id, "Errors": fleet.errors, "Instances": fleet.launched}
        )

    def describe_fleets(self) -> ActionResult:
        fleets = [fleet.shown for fleet in self.backend.find_fleets(self.given)]
        shown, token = page(fleets, self.given, low=1)
        return ActionResult({"Fleets": shown, "NextToken": token})

    def describe_fleet_instances(self) -> ActionResult:
        self.backend.fleet_instances(self.given)
        return ActionResult({})

    def delete_fleets(self) -> ActionResult:
        deleted, failed = self.backend.delete_fleet_records(self.given)
        return ActionResult(
            {
                "SuccessfulFleetDeletions": [
                    {
                        "FleetId": fleet.id,
                        "CurrentFleetState": fleet.state,
                        "PreviousFleetState": "active",
                    }
                    for fleet in deleted
                ],
                "UnsuccessfulFleetDeletions": [
                    {"FleetId": ident, "Error": {"Code": code, "Message": WORDS[code]}}
                    for ident, code in failed
                ],
            }
        )
