"""An end whose configuration is torn: two minutes are too short to have it written anew."""

from __future__ import annotations

import shlex

from cloudtop_machine import config, status_file
from cloudtop_machine.reap.steps import SETTINGS, say
from cloudtop_machine.saved_work import save

# Other files that say where the volume and the array are: the setting that names the file
ELSEWHERE = {"persistent": "journal_config", "ephemeral": "array_config"}


def mend(path: str, trouble: str, settings: dict[str, str]) -> str:
    """Set what the torn file does not say any more; returns the path of a whole one.

    More is saved than its owner wanted, rather than less: without lists all of the array is.
    """
    known, _ = config.read_torn(path, {**save.SETTINGS, **SETTINGS})
    known.update(settings)
    for key, file in ELSEWHERE.items():
        if not known[key]:
            known[key] = config.read_torn(known[file], {"mount_point": ""})[0]["mount_point"]
    for key, default in save.SETTINGS.items():
        if default.isdecimal() and not known[key].isdecimal():
            known[key] = default
    settings["persistent"] = known["persistent"]
    places = (
        f"{known['ephemeral']} is saved to {known['persistent']} with the defaults of the rest"
        if known["ephemeral"] and known["persistent"]
        else "nothing says where the array and the volume are"
    )
    say(
        f"{path} is torn ({trouble}): {places}. It is written anew by: runner.py converge",
        errors=True,
    )
    whole = f"{settings['run']}/spot-guard.conf"
    lines = [f"{key}={shlex.quote(value)}" for key, value in known.items()]
    try:
        status_file.write_text(whole, "\n".join(lines))
    except OSError as error:
        say(f"{whole} could not be written: {error.strerror}.", errors=True)
        return path
    return whole
