"""The remedy of every refusal, typed as printed, leads out and not round in a circle (T9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtop.settings import rules
from tests.cloud import fake_cloud, own
from tests.localcloud.lab import Lab as Api
from tests.remedies.lab import Case, Lab
from tests.remedies.sites import Site, sites
from tests.remedies.states import STATES
from tests.remedies.table import NOTHING, TABLE
from tools.faults.clouds import Host

SITES = tuple(sites())
# Values that break a rule which takes any odd word
BREAKS = {"name": "--name §§", "ssh_key": "-e cloudtop_ssh_key=~nobody-of-this-name/id"}
# Options that break the second rule of a setting and not its first
SECOND = {
    "zone": "-e cloudtop_zone=eu-west-1a",
    "snapshot_keep": "-e cloudtop_snapshot_keep=0 -e cloudtop_snapshot_hours=24",
    "idle_stop_minutes": "-e cloudtop_idle_stop_minutes=30 --no-iam",
    "snapshot_hours": "-e cloudtop_snapshot_hours=24 --no-iam",
}


def cases_of(key: str) -> tuple[Case, ...]:
    row = TABLE[key]
    return () if isinstance(row, str) else row if isinstance(row, tuple) else (row,)


CASES = [(key, case) for key in TABLE for case in cases_of(key)]


def keys_of(site: Site) -> list[str]:
    """The keys of a site: the longest that it begins with."""
    fits = [key for key in TABLE if site.key.startswith(key)]
    return sorted(fits, key=len)[-1:]


@pytest.fixture(scope="module", autouse=True)
def quick_playbooks(packed_modules: Path) -> None:
    """Those that are played take what others have packed."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with fake_cloud(tmp_path_factory.mktemp("cloud"), Host()) as (endpoint, server, host):
        yield Api(endpoint, server, host)


@pytest.fixture
def lab(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    own(api.endpoint, "account", {"default": True})
    lab = Lab(api, tmp_path, f"box-{abs(hash(tmp_path)) % 10**8}")
    with lab.entered(monkeypatch):
        yield lab
    own(api.endpoint, "account", {"default": True})
    api.tidy()


def test_every_refusal_is_in_the_table() -> None:
    assert len(SITES) > 100
    assert [site.key for site in SITES if not keys_of(site)] == []
    used = {key for site in SITES for key in keys_of(site)}
    assert set(TABLE) - used == set()


def test_a_remedy_that_is_not_run_has_its_reason_and_one_that_is_has_one_site() -> None:
    for key, row in TABLE.items():
        of_key = [site for site in SITES if keys_of(site) == [key]]
        if row == NOTHING:
            assert [site.key for site in of_key if site.has_remedy] == [], key
        elif not isinstance(row, str):
            assert len(of_key) == 1, key
            assert of_key[0].has_remedy, key


@pytest.mark.parametrize(
    ("key", "case"), CASES, ids=[re.sub(r"\W+", "-", f"{key} {case.argv}") for key, case in CASES]
)
def test_the_remedy_leads_out(key: str, case: Case, lab: Lab) -> None:
    (site,) = (each for each in SITES if keys_of(each) == [key])
    name, lab.plays = lab.name, case.plays
    ways = list(case.ways or (0,))
    for way in ways:
        lab.name = f"{name}-{way}"
        if case.state:
            STATES[case.state](lab)
        count = lab.follow(case, way, site)
        if not case.ways and way == 0:
            ways += range(1, count)


RULES = [(number, row) for number, row in enumerate(rules.TABLE) if row.example]


@pytest.mark.parametrize(
    ("number", "row"), RULES, ids=[f"{number}-{row.key}" for number, row in RULES]
)
def test_the_example_of_a_rule_leads_out(number: int, row: rules.Rule, lab: Lab) -> None:
    STATES["prices"](lab)
    earlier = {each.key for each in rules.TABLE[:number]}
    first = BREAKS.get(row.key, f"-e cloudtop_{row.key}=§§")
    given = SECOND[row.key] if row.key in earlier else first
    lab.follow(Case(f"prices --history prices.csv {given}"), 0)
