"""The settings: what is read, what wins, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from cloudtop import paths
from cloudtop.errors import CloudtopError
from cloudtop.settings import rules, settings


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings_local.yml"
    monkeypatch.setattr(paths, "OWN_SETTINGS", path)
    return path


def test_defaults_are_the_recipe() -> None:
    loaded = settings.load()
    assert (loaded.instance_type, loaded.bid, loaded.cloud) == ("m5d.4xlarge", 0.65, "rehearsal")


@pytest.mark.parametrize(
    "given", ["[c3.xlarge, i3.8xlarge]", "c3.xlarge,i3.8xlarge", "c3.xlarge, i3.8xlarge"]
)
def test_further_types_are_a_list_or_a_text(given: str) -> None:
    loaded = settings.load([f"cloudtop_instance_types={given}"])
    assert loaded.types == ("m5d.4xlarge", "c3.xlarge", "i3.8xlarge")


def test_a_further_type_may_be_the_first_for_a_while() -> None:
    given = ["cloudtop_instance_types=[c3.xlarge, i3.8xlarge]", "cloudtop_instance_type=c3.xlarge"]
    assert settings.load(given).types == ("c3.xlarge", "i3.8xlarge")


@pytest.mark.parametrize("given", ["", "[]", "c3.xlarge"])
def test_further_types_may_be_none_or_one(given: str) -> None:
    loaded = settings.load([f"cloudtop_instance_types={given}"])
    assert loaded.types == ("m5d.4xlarge", "c3.xlarge")[: 2 if "c3" in given else 1]


def test_no_budget_unless_one_is_set() -> None:
    loaded = settings.load()
    assert (loaded.monthly_budget, loaded.budget_action) == (0, "warn")
    loaded = settings.load(["cloudtop_monthly_budget=49.5", "cloudtop_budget_action=stop"])
    assert (loaded.monthly_budget, loaded.budget_action) == (49.5, "stop")


def test_own_file_wins_over_tracked_and_option_over_both(own_file: Path) -> None:
    own_file.write_text("cloudtop_bid: 0.5\ncloudtop_name: mine\n")
    loaded = settings.load(["cloudtop_bid=0.7"], name="other")
    assert (loaded.bid, loaded.name) == (0.7, "other")


def test_ansible_gets_every_value_that_differs(own_file: Path) -> None:
    own_file.write_text("cloudtop_volume_size: 7\n")
    overrides = settings.load(["cloudtop_bid=0.7"]).overrides
    assert overrides["cloudtop_volume_size"] == 7
    assert overrides["cloudtop_bid"] == 0.7
    assert overrides["cloudtop_owner"] == settings.login_name()


def test_variables_of_roles_pass_unchecked() -> None:
    assert settings.load(["tmux_packages=[tmux]"]).overrides["tmux_packages"] == ["tmux"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cloudtop_bid=0", "'0'"),
        ("cloudtop_bid=-1", "'-1'"),
        ("cloudtop_bid=cheap", "'cheap'"),
        ("cloudtop_bid=.nan", "'nan'"),
        ("cloudtop_bid=.inf", "'inf'"),
        ("cloudtop_bid=true", "'True'"),
        ("cloudtop_monthly_budget=-1", "'-1'"),
        ("cloudtop_monthly_budget=much", "'much'"),
        ("cloudtop_monthly_budget=.inf", "'inf'"),
        ("cloudtop_monthly_budget=.nan", "'nan'"),
        ("cloudtop_monthly_budget=false", "'False'"),
        ("cloudtop_budget_action=pray", "'pray'"),
        ("cloudtop_name=Not a name", "'Not a name'"),
        ("cloudtop_name=-x", "'-x'"),
        ("cloudtop_name=" + "x" * 41, "'" + "x" * 41 + "'"),
        ("cloudtop_owner=a b", "'a b'"),
        ("cloudtop_owner=jürgen", "'jürgen'"),
        ("cloudtop_owner=a,b", "'a,b'"),
        ("cloudtop_owner=AWS:me", "'AWS:me'"),
        ("cloudtop_region=virginia", "'virginia'"),
        ("cloudtop_zone=us-east-1", "'us-east-1'"),
        ("cloudtop_zone=eu-west-1a", "'eu-west-1a'"),
        ("cloudtop_instance_type=big", "'big'"),
        ("cloudtop_instance_types=[i3.8xlarge, big]", "every type in it has to look like"),
        ("cloudtop_instance_types=big", "'big'"),
        ("cloudtop_instance_types=7", "it has to be a list of types"),
        ("cloudtop_instance_types={i3.8xlarge: 1}", "it has to be a list of types"),
        ("cloudtop_instance_types=c3.large,c3.large", "c3.large is named twice"),
        ("cloudtop_interruption=explode", "'explode'"),
        ("cloudtop_idle_stop_minutes=-1", "'-1'"),
        ("cloudtop_idle_stop_minutes=half an hour", "'half an hour'"),
        ("cloudtop_idle_stop_minutes=5", "less than the 5 of cloudtop_idle_stop_minutes"),
        ("cloudtop_idle_action=sleep", "'sleep'"),
        ("cloudtop_idle_cpus=few", "'few'"),
        ("cloudtop_cloud=azure", "'azure'"),
        ("cloudtop_volume_size=0", "'0'"),
        ("cloudtop_volume_size=ten", "'ten'"),
        ("cloudtop_volume_type=io1", "'io1'"),
        ("cloudtop_root_size=1", "'1'"),
        ("cloudtop_ephemeral_filesystem=ntfs", "'ntfs'"),
        ("cloudtop_force_bid=perhaps", "'perhaps'"),
        ("cloudtop_snapshot_keep=-1", "'-1'"),
        ("cloudtop_snapshot_hours=5", "one of 0, 1, 2, 3, 4, 6, 8, 12, 24"),
        ("cloudtop_snapshot_hours=daily", "'daily'"),
    ],
)
def test_refuses_bad_value_with_value_rule_and_command(given: str, message: str) -> None:
    with pytest.raises(CloudtopError) as refused:
        settings.load([given])
    assert given.partition("=")[0] in refused.value.message
    assert message in refused.value.message
    own_options = {
        "cloudtop_name": "--name",
        "cloudtop_region": "--region",
        "cloudtop_cloud": "--cloud",
    }
    option = own_options.get(given.partition("=")[0], "-e")
    assert refused.value.hint.startswith(f"Try: {option} ")


@pytest.mark.parametrize(
    "word", ["007", "1e3", "1_000", "no", "on", "null", "0x10", "2024-01-01", "2024-13-45"]
)
def test_f20_words_stay_words(word: str, own_file: Path) -> None:
    given = [f"cloudtop_dotfiles_version={word}"]
    assert settings.load(given).overrides["cloudtop_dotfiles_version"] == word
    if word not in ("null", "2024-13-45"):
        own_file.write_text(f"cloudtop_dotfiles_version: {word}\n")
        assert settings.load().overrides["cloudtop_dotfiles_version"] == word


def test_f20_the_name_007_is_the_name_007(own_file: Path) -> None:
    for given in (["cloudtop_name=007"], ['cloudtop_name="007"']):
        loaded = settings.load(given)
        assert (loaded.name, loaded.overrides["cloudtop_name"]) == ("007", "007")
    own_file.write_text("cloudtop_name: 007\ncloudtop_zone:\n")
    assert (settings.load().name, settings.load().zone) == ("007", "")


@pytest.mark.parametrize("packages", ["[Foo_Bar]", "ripgrep;id", "[-y]", "[a b]", "{a: b}"])
def test_a_package_that_no_archive_can_have_is_refused_at_once(packages: str) -> None:
    with pytest.raises(CloudtopError, match="names of Debian packages") as refused:
        settings.load([f"cloudtop_packages={packages}"])
    assert "cloudtop_packages" in refused.value.hint


def test_s12_a_value_that_is_nested_too_deeply_is_a_sentence(own_file: Path) -> None:
    deep = "[" * 5000 + "]" * 5000
    with pytest.raises(CloudtopError, match="nested too deeply"):
        settings.load([f"cloudtop_packages={deep}"])
    own_file.write_text(f"cloudtop_packages: {deep}\n")
    with pytest.raises(CloudtopError, match="nested too deeply"):
        settings.load()


def test_f20_words_of_a_list_stay_words(own_file: Path) -> None:
    given = ["cloudtop_packages=[1.10, no]"]
    assert settings.load(given).overrides["cloudtop_packages"] == ["1.10", "no"]
    own_file.write_text("cloudtop_packages: [1.10, no]\n")
    assert settings.load().overrides["cloudtop_packages"] == ["1.10", "no"]


def test_f20_a_number_is_decimal(own_file: Path) -> None:
    assert settings.load(["cloudtop_volume_size=010"]).volume_size == 10
    own_file.write_text("cloudtop_volume_size: 010\n")
    assert settings.load().volume_size == 10
    assert settings.load(["cloudtop_bid=1"]).bid == 1
    assert settings.load(["cloudtop_bid=.5"]).bid == 0.5


@pytest.mark.parametrize(
    "given",
    [
        "cloudtop_launch_deadline=10:00",
        "cloudtop_volume_size=0x10",
        "cloudtop_images_kept=1_0",
        "cloudtop_idle_cpus=1_0.5",
    ],
)
def test_f20_a_number_of_another_kind_is_refused(given: str) -> None:
    with pytest.raises(CloudtopError, match="has to be a decimal number") as refused:
        settings.load([given])
    assert given.partition("=")[2] in refused.value.message


def test_refuses_unknown_setting_and_names_the_near_one() -> None:
    with pytest.raises(CloudtopError, match="no setting cloudtop_instance_typ") as refused:
        settings.load(["cloudtop_instance_typ=i3.large"])
    assert "cloudtop_instance_type" in refused.value.hint


def test_refuses_text_without_equals_sign() -> None:
    with pytest.raises(CloudtopError, match="key=value"):
        settings.load(["cloudtop_bid"])


def test_refuses_own_file_that_is_not_yaml(own_file: Path) -> None:
    own_file.write_text("cloudtop_bid: [")
    with pytest.raises(CloudtopError, match="is not YAML"):
        settings.load()
    own_file.write_text("cloudtop_zone: 2024-13-45")
    with pytest.raises(CloudtopError, match="is not YAML"):
        settings.load()


@pytest.mark.parametrize("keep", ["0", "1001"])
def test_a_schedule_keeps_a_number_of_snapshots(keep: str) -> None:
    given = ["cloudtop_snapshot_hours=6", f"cloudtop_snapshot_keep={keep}"]
    with pytest.raises(CloudtopError, match="keeps 1 to 1000 snapshots"):
        settings.load(given)
    assert settings.load(given[1:]).snapshot_keep == int(keep)


def test_docker_options_are_a_mapping_of_the_owners_keys() -> None:
    given = 'cloudtop_docker_options={"dns": ["10.0.0.2"], "log-driver": "journald"}'
    wanted = {"dns": ["10.0.0.2"], "log-driver": "journald"}
    assert settings.load([given]).overrides["cloudtop_docker_options"] == wanted


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ('{"data-root": "/var/lib/docker"}', "docker's data lies on the array"),
        ('{"hosts": ["tcp://0.0.0.0"]}', "docker does not start with both"),
        ('{"iptables": false}', "containers reach the credentials of the machine"),
        ("[dns]", "as a mapping"),
        ("{1: 2}", "as a mapping"),
    ],
)
def test_docker_options_that_are_not_the_owners_are_refused_with_the_reason(
    given: str, why: str
) -> None:
    with pytest.raises(CloudtopError, match="cloudtop_docker_options is") as refused:
        settings.load([f"cloudtop_docker_options={given}"])
    assert why in refused.value.message


def test_the_command_line_and_the_role_refuse_the_same_keys_of_docker() -> None:
    role = yaml.safe_load((paths.ROOT / "roles/docker/vars/main.yml").read_text())
    assert sorted(role["__docker_own_keys"]) == sorted(rules.DOCKER_OWN)


@pytest.mark.parametrize(
    ("options", "log"),
    [({}, "local"), ({"dns": ["10.0.0.2"], "log-driver": "journald"}, "journald")],
)
def test_the_owners_keys_come_beside_the_roles(options: dict[str, object], log: str) -> None:
    role = yaml.safe_load((paths.ROOT / "roles/docker/vars/main.yml").read_text())
    (keys,) = (each["keys"] for each in role["__docker_files"] if "keys" in each)
    values = {"docker_options": options, "docker_storage": "/mnt/fast"}
    known = trust_as_template(keys)
    merged = Templar(loader=DataLoader(), variables=values).template(known)
    assert merged == {**options, "log-driver": log, "data-root": "/mnt/fast/docker"}
