"""Makes docs/settings.md of the settings file, so that each setting is described once.

``python -m tools.settings_page`` writes the page; a test compares it with the file. In the
settings file a line ``# --- TITLE ---`` begins a section, and the comment above a setting
describes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "inventory" / "group_vars" / "all" / "settings.yml"
PAGE = ROOT / "docs" / "settings.md"

SECTION = re.compile(r"# --- (.+?) -+")
SETTING = re.compile(r"(cloudtop_\w+): (.*)")
# A name of the code in a comment: a setting, a path or an option
CODE = re.compile(r"(?<!\S)(cloudtop_\w+|/[\w/.]+\w|-e(?= )|\[a, b\]|a,b|\w+\.sh)(?=[\s,.;:)]|$)")
HEAD = """\
# Settings

<!-- Made by `python -m tools.settings_page` from the settings file: change the comments there. -->

All settings are in
[inventory/group_vars/all/settings.yml](../inventory/group_vars/all/settings.yml). Put your own
values into `settings_local.yml` beside that file, which git ignores, or give one for a single run:

    python3 runner.py provision -e cloudtop_bid=0.65 -e cloudtop_volume_size=100

`-e` wins over `settings_local.yml`, and that wins over the defaults below.
"""


@dataclass(frozen=True)
class Setting:
    """A setting: its section, name, default as written in YAML, and description."""

    section: str
    name: str
    default: str
    description: str


def settings(text: str) -> Iterator[Setting]:
    """Every setting of the file's text, in order. Raises ValueError for one with no comment."""
    section, comment = "", list[str]()
    for line in text.splitlines():
        if title := SECTION.fullmatch(line):
            section, comment = title[1], []
        elif setting := SETTING.fullmatch(line):
            if not comment:
                raise ValueError(f"{setting[1]} has no comment above it in {SETTINGS.name}.")
            yield Setting(section, setting[1], setting[2], " ".join(comment))
            comment = []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# "))
        else:
            comment = []


def page(text: str) -> str:
    """The page for the settings file's text: a table a section."""
    lines, section = [HEAD], ""
    for setting in settings(text):
        if setting.section != section:
            section = setting.section
            blank = [""] if lines[1:] else []
            lines += [*blank, f"## {section}", "", "| setting | default | |", "|---|---|---|"]
        default = f"`{setting.default}`" if setting.default != '""' else "empty"
        description = CODE.sub(r"`\1`", setting.description).replace("|", r"\|")
        lines.append(f"| `{setting.name}` | {default} | {description} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(SETTINGS.read_text()))


if __name__ == "__main__":
    main()
