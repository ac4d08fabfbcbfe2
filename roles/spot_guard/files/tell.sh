# Telling everyone who is on the machine. Sourced, not run.
# shellcheck shell=sh
#
# Reads: tmp (where tmux has its sockets). Calls say, which is the sourcing program's.

tmp=${tmp:-/tmp}

# tell SENTENCE: everyone at a terminal and in tmux
tell() {
    say "$1"
    printf '%s\n' "$1" | timeout 5 wall
    for socket in "$tmp"/tmux-*/*; do
        if [ -S "$socket" ]; then tell_tmux "$socket" "$1"; fi
    done
}

# tell_tmux SOCKET SENTENCE: a tmux client does as its server says, so it is the server's owner
tell_tmux() {
    owner=$(stat -c %u "$1") sentence=$2
    set -- timeout 2 tmux -S "$1"
    if [ "$owner" != "$(id -u)" ]; then
        set -- setpriv --reuid "$owner" --regid "$owner" --clear-groups "$@"
    fi
    "$@" list-clients -F '#{client_name}' 2>/dev/null | while IFS= read -r client; do
        "$@" display-message -d 15000 -c "$client" "$sentence" </dev/null
    done
}
