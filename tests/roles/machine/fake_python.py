"""In place of a machine's Python: runs ``machine_state`` as Ansible has packed it, with a directory
for ``/`` and stubs for the machine's programs. Other modules are refused.

    python fake_python.py DIRECTORY < what Ansible sends
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

TREE = Path(sys.argv[1])
FILES, PROGRAMS = "ansible.module_utils.machine_files", "ansible.module_utils.basic"


def files(module: Any) -> None:
    module.inside = lambda _root, path: TREE / "root" / path.lstrip("/")
    module._uid = lambda _entry: os.getuid()
    module._gid = lambda _entry: os.getgid()


def programs(module: Any) -> None:
    real = module.AnsibleModule.run_command

    def run(self: Any, argv: list[str], **options: Any) -> Any:
        stub = TREE / "bin" / Path(argv[0]).name
        return real(self, [str(stub), *argv[1:]] if stub.exists() else argv, **options)

    module.AnsibleModule.run_command = run


class Changed:
    """Finds what Ansible has packed, and changes two modules once they are loaded."""

    CHANGES = {FILES: files, PROGRAMS: programs}  # noqa: RUF012

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> Any:
        if name not in cls.CHANGES:
            return None
        spec: Any = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None and spec.loader is not None
        spec.loader = Loader(spec.loader, cls.CHANGES[name])
        return spec


class Loader:
    def __init__(self, real: Any, change: Any) -> None:
        self.real = real
        self.change = change

    def create_module(self, spec: Any) -> Any:
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.real.exec_module(module)
        self.change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def main() -> None:
    text = sys.stdin.read()
    with (TREE / "runs").open("a") as log:
        log.write("machine_state\n" if "machine_state" in text else "another module\n")
    if "machine_state" not in text:
        print(json.dumps({"failed": True, "msg": "This machine runs machine_state alone."}))
        sys.exit(1)
    # With arguments Ansible's wrapper would take it for somebody who debugs it
    del sys.argv[1:]
    sys.meta_path.insert(0, Changed)
    exec(compile(text, "<stdin>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
