# The journal of reaps on the persistent volume, one JSON object a line. Sourced, not run.
# shellcheck shell=sh
#
# Reads: mount_point, owner_id (whose the directory has to be; root's).
# Files, all of them root's: reaps.jsonl, last (who had the volume last), alive (its time is
# that of the last sign of life).

journal=reaps.jsonl

# enter: goes into the volume's .cloudtop. Its parent belongs to the user, who may put a link
# or a directory of their own there, so what was entered is looked at and not its name.
enter() {
    cd -P "$mount_point" || return 1
    here=$(pwd -P)
    mkdir -p .cloudtop || return 1
    cd -P .cloudtop || return 1
    if [ "$(pwd -P)" != "$here/.cloudtop" ] || [ "$(stat -c '%u' .)" != "${owner_id:-0}" ]; then
        echo "$here/.cloudtop is no directory of root's: the journal was left alone." >&2
        return 1
    fi
}

# entries: the newest 200 lines that are JSON objects; a journal may be torn, corrupt or huge
entries() {
    if [ -f "$journal" ]; then
        tail -c 1048576 "$journal" | tail -n 200 | jq -R -c 'fromjson? | select(type == "object")'
    fi
}

# append ENTRY: on the disk when it returns
append() {
    # A line that a power cut tore must not take the next one with it
    if [ -s "$journal" ] && [ -n "$(tail -c 1 "$journal" | tr -d '\n')" ]; then echo >>"$journal"; fi
    printf '%s\n' "$1" >>"$journal"
    sync "$journal"
}

# shorten: what is older than the newest 200 is nobody's concern
shorten() {
    if [ -f "$journal" ] && [ "$(head -c 1048577 "$journal" | wc -c)" -le 1048576 ] &&
        [ "$(wc -l <"$journal")" -le 200 ]; then return; fi
    entries >"$journal.new"
    sync "$journal.new"
    mv "$journal.new" "$journal"
}
