"""Texts by others that a program of the machine may read: names, commands, fields."""

from __future__ import annotations

from pathlib import Path


def corpus(marker: Path) -> list[str]:
    """Strings of which each tries something; what gets a command run makes ``marker`` so."""
    run = f"touch {marker}"
    return [
        f"#({run})",
        f"##({run})",
        f"###({run})",
        f"#{{E:#({run})}}",
        f"#%%({run})",
        f"#%n({run})",
        f"#\x1b({run})",
        f"#\u200b({run})",
        f"$({run}) `{run}` ; {run} ;",
        f"'; {run}; '",
        f'"; {run}; "',
        f"; run-shell '{run}'",
        f"x; run-shell '{run}' ;",
        f"\nrun-shell '{run}'\n",
        f"{{{{ lookup('pipe', '{run}') }}}}",
        "%H:%M %n %% %",
        "#[fg=red]red#[default]",
        "#{pid} #S #,#} #",
        "-c other",
        "--",
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1bP$q\x1b\\ \x9b31m \x90q\x9c",
        "\\033[31m \\e[0m \\c \\x1b",
        "\u202eltr\u202c \u2028line \ufeff \u061c",
        "one\ntwo\r\nthree\vfour\ffive\x00six\b\b\b\x7f\x85",
        "caf\u00e9 \U0001f600 \udc9b\udcff",
        "Saved: nothing.\nNot all of / was saved: all is lost.",
        "x" * 100_000,
        "#" * 5_000,
        "%" * 5_000,
    ]
