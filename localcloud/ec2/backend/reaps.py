"""EC2 takes machines away: the notice, the request's change, the power cut, in that order."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from localcloud.ec2.backend.spot_requests import SpotRequests
from localcloud.ec2.errors import invalid, refusal
from localcloud.ec2.records.instance import BY_HOST, BY_SPOT, STOPPED_BY_SPOT, Instance
from localcloud.ec2.records.reap import Reap, Terms
from localcloud.ec2.records.spot_request import SpotRequest

# Reaps whose timeline is kept
KEPT = 200


class Reaps(SpotRequests):
    def __init__(self, region_name: str, account_id: str) -> None:
        # Oldest first
        self.reaps: list[Reap] = []
        super().__init__(region_name, account_id)

    def reap(self, instance: Instance, terms: Terms) -> Reap:
        """Begin to take a running spot instance. Raises EC2's error for any other."""
        self.require_reapable(instance)
        return self._begin(instance, terms)

    def require_reapable(self, instance: Instance) -> None:
        """Raises EC2's error for what is no spot instance, does not run, or ends already."""
        if instance.spot_instance_request_id is None:
            raise invalid(f"'{instance.id}' is no spot instance; EC2 takes only those away.")
        if instance.state != "running":
            raise refusal(
                "IncorrectInstanceState",
                f"'{instance.id}' is '{instance.state}'; only a running instance can be reaped.",
            )
        if known := self.reap_of(instance):
            raise refusal(
                "IncorrectInstanceState",
                f"'{instance.id}' is being reaped already; its end is due at {_second(known.due)}.",
            )

    def reap_of(self, instance: Instance) -> Reap | None:
        """The reap of this instance that is under way."""
        reaps = [r for r in self.reaps if r.instance_id == instance.id and r.under_way]
        return reaps[-1] if reaps else None

    def step_reaps(self) -> None:
        """Whatever is due by now."""
        for reap in self.reaps:
            if reap.under_way:
                self._step(reap)

    def _begin(self, instance: Instance, terms: Terms, price: float | None = None) -> Reap:
        """Begin a reap; ``price`` is the one that decided, if the market has another by now."""
        now = self.now()
        zone = instance.availability_zone or ""
        behavior = self._behavior(instance)
        # Hibernation begins with its notice (EC2 User Guide, hibernate-spot-instances)
        wait = 0.0 if behavior == "hibernate" else terms.notice or 0.0
        reap = Reap(
            instance_id=instance.id,
            request_id=instance.spot_instance_request_id or "",
            behavior=behavior,
            terms=terms,
            price=price or self.market.price(instance.instance_type, zone, now),
            asked=now,
            due=now + timedelta(seconds=terms.lead + wait),
        )
        self.reaps = [*self.reaps[1 - KEPT :], reap]
        if terms.notice is not None:
            reap.recommended = now
            instance.rebalance = _second(now)
        self._step(reap)
        self.touch()
        return reap

    def _behavior(self, instance: Instance) -> str:
        request = self.request_of(instance)
        if request is None or request.instance_id != instance.id or not request.persistent:
            return "terminate"
        return "terminate" if request.ended else str(request.instance_interruption_behavior)

    def _step(self, reap: Reap) -> None:
        instance = self.known(reap.instance_id)
        # One that its owner ends meanwhile is gone by `gone` or `went_off`
        if instance is None or instance.state != "running":
            return
        if not reap.announced and self.now() >= reap.tell_at:
            self._tell(reap, instance, warned=reap.terms.notice is not None)
        if reap.announced and self.now() >= reap.due:
            self._take(reap, instance)

    def _tell(self, reap: Reap, instance: Instance, *, warned: bool) -> None:
        """The guest by its metadata, the owner by the request's status, both at once."""
        reap.announced = True
        now = self.now()
        if warned:
            reap.notice = now
            instance.spot_notice = {"action": reap.behavior, "time": _second(reap.due)}
        request = self.request_of(instance)
        if request is None or request.ended or request.instance_id != instance.id:
            self.touch()
        elif reap.behavior == "terminate" and reap.terms.cause == "price":
            # By price it opens, or is closed, when the machine is gone: only without
            # capacity is that at once (EC2 User Guide, spot-request-status)
            request.enter("active", "marked-for-termination")
        elif reap.behavior == "terminate" and request.persistent:
            # While the machine still runs
            request.instance_id = request.launched_availability_zone = None
            request.enter("open", reap.code)
            reap.request_open = now
        elif reap.behavior == "terminate":
            request.enter("closed", "marked-for-termination")
        else:
            suffix = "-by-experiment" if reap.terms.cause == "experiment" else ""
            request.enter("active", f"marked-for-stop{suffix}")

    def _take(self, reap: Reap, instance: Instance) -> None:
        if reap.behavior != "terminate" and self.may_stop(instance):
            instance.become("stopping", STOPPED_BY_SPOT)
            return
        request = self.request_of(instance)
        if request and (request.state, request.code) == ("closed", "marked-for-termination"):
            request.enter("closed", reap.code)
        instance.power_cut = True
        instance.become("shutting-down", BY_SPOT)

    # --- a machine is gone ------------------------------------------------------------

    def gone(self, instance: Instance) -> None:
        super().gone(instance)
        self._finish(instance)

    def went_off(self, instance: Instance) -> None:
        super().went_off(instance)
        self._finish(instance)

    def _finish(self, instance: Instance) -> None:
        reap = self.reap_of(instance)
        if reap is None:
            return
        reap.gone = self.now()
        request = self.request_of(instance)
        waits = request is not None and request.instance_id in (None, instance.id)
        if request and waits and reap.terms.keep_down:
            request.retry_at = reap.gone + timedelta(seconds=reap.terms.keep_down)
        self.touch()

    def taken(self, instance: Instance) -> None:
        """The machine is gone and nobody asked for it: as if EC2 had needed its capacity."""
        if instance.spot_instance_request_id is None:
            self.went_off(instance)
            instance.become("stopped", BY_HOST)
            return
        reap = self.reap_of(instance) or self._begin(instance, Terms(notice=None))
        if not reap.announced:
            self._tell(reap, instance, warned=False)
        reap.due = min(reap.due, self.now())
        self._step(reap)

    def opened_again(self, request: SpotRequest, instance: Instance) -> None:
        """Note when the request was opened for its lost machine, if not at once."""
        last = [reap for reap in self.reaps if reap.instance_id == instance.id][-1:]
        for reap in last:
            if reap.behavior == "terminate" and reap.request_open is None:
                reap.request_open = request.update_time

    # --- and comes back ---------------------------------------------------------------

    def waits_for_the_old_one(self, request: SpotRequest) -> bool:
        """While EC2 takes a machine because it needs the room, there is none for another."""
        return any(
            reap.request_id == request.id and reap.under_way and not reap.terms.overlap
            for reap in self.reaps
        )

    def came_back(self, request: SpotRequest, instance_id: str) -> None:
        """The request is fulfilled again: by another instance, or by the stopped one."""
        for reap in self.reaps:
            if reap.request_id == request.id and reap.relaunched is None:
                reap.relaunched, reap.relaunched_instance = self.now(), instance_id


def _second(when: datetime) -> str:
    """As the metadata has times; never earlier than ``when``."""
    whole = when.replace(microsecond=0) + timedelta(seconds=math.ceil(when.microsecond / 1e6))
    return whole.strftime("%Y-%m-%dT%H:%M:%SZ")
