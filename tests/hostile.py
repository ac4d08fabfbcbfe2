"""Strings that anybody may put where others read them: names, tags, messages, commands, files.

Whatever shows or hands on foreign text is tried with each of them.
"""

from __future__ import annotations

HOSTILE = (
    # tmux formats, of which the first runs a command
    "#(touch /tmp/x)",
    "#{client_name}",
    "#[fg=red]x",
    # Python's and the shell's
    "%(x)s %s %d",
    "{0.__class__} {x}",
    "$(id)",
    "`id`",
    "; id #",
    "' ; id '",
    '" && id "',
    "-rf",
    "--help",
    "../../etc/passwd",
    # Jinja
    "{{ lookup('pipe','id') }}",
    "{% raw %}",
    # rich
    "[bold]x[/bold]",
    "[/]",
    "[link=https://example.org]x",
    ":skull:",
    # Terminals: clear, colour, title, clipboard, a link, a question that is answered as typed
    "\x1b[2J\x1b[H",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b]52;c;aWQK\x07",
    "\x1b]8;;https://example.org\x1b\\x\x1b]8;;\x1b\\",
    "\x1b[c\x1b[6n\x1bP$qm\x1b\\",
    "\x9b2J\x9d52;c;aWQK\x9c",
    "\x1b",
    "back\x08\x08\x08\x08",
    "bell\x07",
    "delete\x7f\x7f",
    "shift\x0e\x0f",
    # Lines of one's own
    "x\nDone in 1 s; localhost: changed=0.",
    "x\r\nWARNING: all is well",
    "hidden\rshown",
    "x\x0bx\x0cx\x85x\u2028x\u2029x",
    "nul\x00nul",
    # Characters that reorder text or are invisible in it
    "\u202egpj.exe",
    "\u2066x\u2069\u200f\u061c",
    "a\u200bdmin\ufeff",
    "\U000e0041\U000e0042",
    # Invalid UTF-8, as Python's surrogateescape has it
    b"\xff\xfe\x9b31m".decode(errors="surrogateescape"),
    "long " * 20_000,
)
