"""The market decides: a running machine that is outbid, or whose room is gone, is taken."""

from __future__ import annotations

import logging
from datetime import datetime

from localcloud.ec2.backend.reaps import Reaps
from localcloud.ec2.market.market import Place
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.reap import Reap, Terms

log = logging.getLogger("localcloud.ec2")


class Outbid(Reaps):
    def __init__(self, region_name: str, account_id: str) -> None:
        # Up to when the prices were compared with the bid, by running instance. A price may
        # have come and gone between two looks, or while the cloud was down.
        self.compared: dict[str, datetime] = {}
        super().__init__(region_name, account_id)

    def step_prices(self) -> None:
        """Reap whatever was outbid, or lost its room, since the last look."""
        now = self.now()
        running = self._running()
        for instance in running:
            self._compare(instance, now)
        self.compared = {instance.id: now for instance in running}

    def _running(self) -> list[Instance]:
        return [
            instance
            for instance in self.every_instance()
            if instance.state == "running" and instance.spot_instance_request_id
        ]

    def _compare(self, instance: Instance, now: datetime) -> None:
        request = self.request_of(instance)
        if request is None or self.reap_of(instance):
            return
        begin = max(self.compared.get(instance.id, instance.launch_time), instance.launch_time)
        place = instance.instance_type, instance.availability_zone or ""
        pool = self.market.pool(*place)
        price = pool.first_above(request.bid, begin, now)
        if price is not None:
            log.info("%s: $%g is above the bid of $%g", instance.id, price, request.bid)
            self._begin(instance, Terms(notice=self.market.notice, cause="price"), price)
        elif self.market.lost_room(place, begin, now):
            log.info("%s: there is no room for it any more", instance.id)
            self._begin(instance, Terms(notice=self.market.notice), None)

    def reap_all(self, place: Place) -> list[Reap]:
        """Take every running spot machine of this type in this zone: there is no room."""
        terms = Terms(notice=self.market.notice)
        return [
            self.reap(instance, terms)
            for instance in self._running()
            if (instance.instance_type, instance.availability_zone) == place
            and not self.reap_of(instance)
        ]
