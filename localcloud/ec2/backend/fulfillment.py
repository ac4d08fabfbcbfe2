"""How spot requests move on by themselves: one step of all of them, called again and again."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.reaps import Reaps
from localcloud.ec2.launch.planner import Planner
from localcloud.ec2.records.instance import BY_HOST, BY_KEY, BY_SPOT, Instance
from localcloud.ec2.records.reap import STOPPED, TERMINATED
from localcloud.ec2.records.spot_request import SpotRequest

log = logging.getLogger("localcloud.ec2")

# EC2 lets go of an ended request's record after this (API reference,
# DescribeSpotInstanceRequests)
SHOWN = timedelta(hours=4)
# Between the cancelling of a request and the end of its stopped instance
CANCEL_LAG = timedelta(seconds=2)
# Between a launch that failed on this computer and the next
RETRY_AFTER = timedelta(seconds=15)

# Refusals that are no fault of the request: it is held, not ended
HELD = ("InsufficientAddressCapacity", "InsufficientFreeAddressesInSubnet")


class Fulfillment(Reaps):
    def step_requests(self) -> None:
        """Bring every request in line with time, price and its instance."""
        for request in list(self.spot_instance_requests.values()):
            try:
                self._step_request(request)
            except Exception as error:
                # A fault here is of one request, and holds up that one only
                reason = f"{type(error).__name__}: {error}"
                if request.message != reason:
                    log.exception("%s", request.id)
                request.retry_at = self.now() + RETRY_AFTER
                if request.state == "open":
                    request.enter("open", "capacity-not-available", reason)
                request.message = reason

    def _step_request(self, request: SpotRequest) -> None:
        if request.ended:
            self._wind_up(request)
        elif request.state == "open":
            self._evaluate(request)
        elif instance := self.known(request.instance_id):
            self._follow(request, instance)

    def _evaluate(self, request: SpotRequest) -> None:
        now = self.now()
        if request.valid_until and now >= request.valid_until:
            request.enter("cancelled", "schedule-expired")
        elif request.valid_from and now < request.valid_from:
            self._hold(request, "not-scheduled-yet")
        elif self.waits_for_the_old_one(request):
            return
        elif request.retry_at and now < request.retry_at:
            self._hold(request, "capacity-not-available")
        else:
            self._price_then_launch(request)

    def _price_then_launch(self, request: SpotRequest) -> None:
        request.retry_at = None
        kind = request.spec["InstanceType"]
        try:
            cheapest = self.market.zones_by_price(self.region_name, kind, self.now())
            plan = Planner(self, request.spec).plan(cheapest)
            if request.bid < self.market.price(kind, plan.zone, self.now()):
                self._hold(request, "price-too-low")
            elif not self.market.has_room(kind, plan.zone, self.now()):
                self._hold(request, "capacity-not-available")
            elif request.code != "pending-fulfillment":
                request.enter("open", "pending-fulfillment")
            else:
                reservation = self.launch(
                    plan, options=request.options, spot_request_ids=[request.id]
                )
                request.instance_id = reservation.instances[0].id
                request.launched_availability_zone = plan.zone
                request.enter("active", "fulfilled")
                self.came_back(request, request.instance_id)
        except EC2ClientError as error:
            if error.code in HELD:
                self._hold(request, "capacity-not-available", error.message)
            else:
                request.fault = {"Code": error.code, "Message": error.message}
                request.enter("failed", "bad-parameters", f"{error.code}: {error.message}")

    def _hold(self, request: SpotRequest, code: str, message: str = "") -> None:
        if request.code != code:
            request.enter("open", code, message)

    def _follow(self, request: SpotRequest, instance: Instance) -> None:
        """An active or disabled request is what its instance is."""
        if instance.state in ("shutting-down", "terminated"):
            self._lost(request, instance)
        elif instance.state in ("stopping", "stopped") and request.state == "active":
            user = instance.by_user
            request.retry_at = self._pause(instance) or request.retry_at
            code = "instance-stopped-by-user" if user else STOPPED[self._cause(instance)]
            request.enter("disabled", code)
            if reap := self.reap_of(instance):
                reap.request_disabled = request.update_time
        elif instance.state in ("pending", "running") and request.state == "disabled":
            request.enter("active", "fulfilled")
            self.came_back(request, instance.id)
        elif request.valid_until and self.now() >= request.valid_until:
            # The request ends, the instance stays (ec2-facts, "Expiry")
            request.enter("cancelled", "request-canceled-and-instance-running")
        elif instance.state == "stopped" and request.stopped_by_ec2:
            self._restart(request, instance)

    def _lost(self, request: SpotRequest, instance: Instance) -> None:
        code = self._ended(instance)
        request.instance_id = None
        request.launched_availability_zone = None
        if not request.persistent:
            request.enter("closed", code)
            return
        request.retry_at = self._pause(instance)
        if request.retry_at:
            request.enter("open", "capacity-not-available", instance.state_reason.message)
        else:
            request.enter("open", "pending-evaluation" if instance.by_user else code)
        self.opened_again(request, instance)

    def _ended(self, instance: Instance) -> str:
        """The status code for an instance that is terminated."""
        if instance.by_user:
            return "instance-terminated-by-user"
        return TERMINATED[self._cause(instance)]

    def _pause(self, instance: Instance) -> datetime | None:
        """A machine that could not start on this computer is not tried again at once."""
        failed = instance.state_reason.code in (BY_HOST[0], BY_KEY[0])
        return self.now() + RETRY_AFTER if failed else None

    def _cause(self, instance: Instance) -> str:
        reaps = [reap for reap in self.reaps if reap.instance_id == instance.id]
        failed = instance.state_reason.code == BY_HOST[0]
        return reaps[-1].terms.cause if reaps and not failed else "no-capacity"

    def _restart(self, request: SpotRequest, instance: Instance) -> None:
        """Only EC2 restarts what EC2 stopped, in the same zone and as the same type."""
        kind, zone = instance.instance_type, instance.availability_zone or ""
        price = self.market.price(kind, zone, self.now())
        waits = request.retry_at and self.now() < request.retry_at
        room = self.market.has_room(kind, zone, self.now())
        if request.bid >= price and room and not waits:
            try:
                self.revive(instance)
            except EC2ClientError:
                # No address is free: it stays stopped, as without capacity
                return
            request.enter("active", "fulfilled")
            self.came_back(request, instance.id)

    def _wind_up(self, request: SpotRequest) -> None:
        now = self.now()
        instance = self.known(request.instance_id)
        if instance is None or not instance.live:
            if instance and request.code == "request-canceled-and-instance-running":
                request.enter("cancelled", self._ended(instance))
            elif now - request.update_time > SHOWN:
                del self.spot_instance_requests[request.id]
                self.tags.pop(request.id, None)
                self.touch()
        elif instance.state == "stopped" and now - request.update_time > CANCEL_LAG:
            instance.become("shutting-down", BY_SPOT)

    def off_by_guest(self, instance: Instance, reason: tuple[str, str]) -> None:
        """The guest powered itself off: its owner's wish."""
        stops = instance.instance_initiated_shutdown_behavior == "stop"
        if instance.spot_instance_request_id:
            stops = stops and self.may_stop(instance)
        instance.become("stopping" if stops else "shutting-down", reason)
