"""Prices, replays and capacity after a restart, and what happened in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from moto.core.utils import utcnow

from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.localcloud.lab import TYPE, ZONE, Lab, until


def test_market_survives_a_restart(tmp_path: Path) -> None:
    host = FakeHost()
    place = {"type": TYPE, "zone": ZONE}
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        sir, old = lab.spot_instance()
        lab.own("price", {**place, "price": 0.7, "notice": 0})
        lab.becomes(old, "terminated")
        lab.reaches(sir, "open", "price-too-low")
        lab.own("capacity", {**place, "capacity": "none"})
        before = lab.own("prices")
        history = lab.ec2.describe_spot_price_history(InstanceTypes=[TYPE])["SpotPriceHistory"]
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.own("prices") == before
        shown = lab.ec2.describe_spot_price_history(InstanceTypes=[TYPE])["SpotPriceHistory"]
        assert shown == history
        assert lab.request(sir)["Status"]["Code"] == "price-too-low"
        lab.price(None)
        lab.reaches(sir, "open", "capacity-not-available")
        lab.own("capacity", {**place, "capacity": "some"})
        lab.relaunched(sir, old)


def test_replay_goes_on_and_a_price_that_came_meanwhile_reaps(tmp_path: Path) -> None:
    """It is over by the time that the cloud is up again; its machine was not looked after."""
    host = FakeHost()
    hour_ago = utcnow() - timedelta(hours=1)
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        lab.server.cloud.clock = lambda: hour_ago
        sir, old = lab.spot_instance()
        lab.own("price", {"notice": 0})
        series = {"type": TYPE, "zone": ZONE, "times": [0, 600, 700], "prices": [0.1, 5, 0.15]}
        (row,) = lab.own("replay", {"series": [series], "speed": 2})["prices"]
        assert (row["price"], row["replay"]["over"]) == (0.1, False)
        assert lab.own("reaps") == []
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        (row,) = lab.own("prices")["prices"]
        assert (row["price"], row["replay"]["over"]) == (0.15, True)
        lab.relaunched(sir, old)
        (steps,) = until("a reap", lambda: lab.own("reaps"))
        assert (steps["instance"], steps["cause"], steps["price"]) == (old, "price", 5)
