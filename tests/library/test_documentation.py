"""Our modules are documented as they are: ``ansible-doc`` prints the arguments that they take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from tests.machine_programs.support import load

MODULES = sorted(path.stem for room in load.MODULES for path in room.glob("*.py"))
# All that can be said of an option in both places, and what holds if nothing is said
USUAL = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}


class Asked(Exception):
    """A module has said which arguments it takes."""


@pytest.fixture(scope="module")
def documented() -> Mapping[str, Any]:
    """The documentation of all modules, as a user sees it who runs it in a checkout."""
    program = Path(sys.executable).with_name("ansible-doc")
    done = subprocess.run(
        [program, "-t", "module", "--json", *MODULES],
        cwd=load.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def taken(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The argument spec that a module comes with."""

    def ask(self: object, argument_spec: dict[str, Any], **options: Any) -> NoReturn:
        raise Asked(argument_spec)

    monkeypatch.setattr(AnsibleModule, "__init__", ask)
    monkeypatch.setattr(AnsibleAWSModule, "__init__", ask)
    with pytest.raises(Asked) as asked:
        load.module(module).main()
    spec: dict[str, Any] = asked.value.args[0]
    return spec


def shown(options: Mapping[str, Any], nested: str) -> dict[str, Any]:
    """Options with all that they do not say."""
    return {
        name: {
            **{key: option.get(key, usual) for key, usual in USUAL.items()},
            "options": shown(option.get(nested) or {}, nested),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_documented_as_it_is(
    module: str, documented: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = documented[module]["doc"]
    assert doc["module"] == module
    # Those of every module of the collection
    own = {name: each for name, each in doc["options"].items() if not from_aws(name, documented)}
    assert shown(own, "suboptions") == shown(taken(module, monkeypatch), "options")
    assert all(option["description"] for option in own.values())


def from_aws(name: str, documented: Mapping[str, Any]) -> bool:
    """Whether every module that asks AWS has the option."""
    asking = [
        each["doc"]["options"] for each in documented.values() if "region" in each["doc"]["options"]
    ]
    return all(name in options for options in asking)
