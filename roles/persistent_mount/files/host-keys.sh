# The ssh host keys on the persistent volume, and who may take them when. Sourced, not run.
# shellcheck shell=sh
#
# Reads: run, mount_point, etc_ssh, state (what this machine knows of itself), cloud_instance
# (where cloud-init keeps the instance's id). Calls: say, warn.

# settle STATE: tells cloudtop-host-keys whether the volume is mounted or failed to come. The
# fifo is opened for both directions: neither side waits for the other to open it.
settle() {
    printf '%s\n' "$1" >"$run/host-keys.settled.new"
    mv "$run/host-keys.settled.new" "$run/host-keys.settled"
    if [ -p "$run/host-keys.wait" ]; then printf '\n' 1<>"$run/host-keys.wait"; fi
}

# settled: sets settled to what settle said in this boot, or to nothing
settled() { first_line "$run/host-keys.settled" settled; }

# first_line FILE NAME: sets NAME to it, or to nothing if there is none. No program is
# started for it: ssh waits for these lines, and in an emulated machine each start is long.
first_line() {
    line=''
    if [ -r "$1" ]; then read -r line <"$1" || true; fi
    eval "$2=\$line"
}

# Whether the keys in /etc/ssh were put there on this very instance: true after a reboot and
# after a stop, and not on a machine made of an image of this one
keys_are_ours() {
    first_line "$cloud_instance" instance_now
    first_line "$state/host-keys.instance" instance_then
    [ -n "$instance_now" ] && [ "$instance_now" = "$instance_then" ]
}

# enter DIRECTORY [PARENT]: goes into a directory of root's on the volume. Its name may come to
# mean another at any moment, as the volume's root is the user's; the directory that a process is
# in stays the same one.
enter() {
    cd "$1" || return 1
    shift
    # shellcheck disable=SC2046
    set -- $(id -u) $(stat -L -c %d "$mount_point") $(stat -c '%u %d' . "$@")
    root=$1 volume=$2
    shift 2
    while [ "${1-} ${2-}" = "$root $volume" ]; do
        shift 2
        if [ $# -eq 0 ]; then return; fi
    done
    cd /
    return 1
}

# enter_kept: goes into the volume's directory of the keys, and sets keys to those in it that are
# files. If there is none, keys is empty; it fails if somebody else may write there.
enter_kept() {
    kept=$mount_point/.cloudtop/ssh keys=''
    for place in "$mount_point/.cloudtop" "$kept"; do
        if [ -L "$place" ] || { [ -e "$place" ] && [ ! -d "$place" ]; }; then refuse_place "$place" || return 1; fi
    done
    if [ ! -d "$kept" ]; then return; fi
    enter "$kept" .. || refuse_place "$kept" || return 1
    for key in ssh_host_*_key ssh_host_*_key.pub; do
        case $key in
            *[!A-Za-z0-9_.]*) ;;
            # Root of a container that has the volume may put a link there, or a pipe
            *) if is_file "$key"; then keys="$keys $key"; else warn "$kept/$key is no regular file: it was left alone."; fi ;;
        esac
    done
}

refuse_place() {
    warn "$1 is no directory of root's: the ssh host keys were left alone."
    return 1
}

is_file() { [ -f "$1" ] && [ ! -L "$1" ]; }

# Whether each kept key, in this directory, is in place
in_place() {
    for key in $keys; do
        cmp --silent "$key" "$etc_ssh/$key" || return 1
    done
}

# early_host_keys: has the kept keys ready while cloud-init is still at work, so that they have
# only to be taken when it has ended
early_host_keys() {
    if keys_are_ours || ! enter_kept; then return; fi
    if ! in_place; then stage_host_keys; fi
    cd /
}

# In memory: what is there is gone at the next boot, and in no image
stage_host_keys() {
    new=$run/host-keys.new
    rm -rf "$new" "$run/host-keys"
    mkdir -p "$run"
    mkdir -m 0700 "$new"
    # A link that was put there since the look is copied as one. Here nobody else can put any.
    # shellcheck disable=SC2086
    cp -P $keys "$new"
    for key in "$new"/*; do
        if ! is_file "$key"; then rm -rf "$key"; fi
    done
    set -- "$new"/*
    if [ -e "$1" ]; then chmod 0600 "$@"; fi
    set -- "$new"/*.pub
    if [ -e "$1" ]; then chmod 0644 "$@"; fi
    mv "$new" "$run/host-keys"
}

# keep_host_keys: sets host_key, and restored if keys were exchanged. It fails if the volume does not
# take them; half of them are never kept.
# The machine's identity lives with the data, so that a relaunch is the same host to ssh
keep_host_keys() {
    restored=''
    enter_kept || return 0
    took=yes
    if [ ! -d "$kept" ]; then
        mkdir -p "$mount_point/.cloudtop" || return 1
        enter "$mount_point/.cloudtop" || refuse_place "$mount_point/.cloudtop" || return 0
        rm -rf ssh.new
        # One command with all its steps: an error of one of them ends no caller's condition
        mkdir -m 0700 ssh.new \
            && cp -p --remove-destination "$etc_ssh"/ssh_host_*_key "$etc_ssh"/ssh_host_*_key.pub ssh.new \
            && sync -f ssh.new && mv -T ssh.new ssh || took=''
        if [ -z "$took" ]; then rm -rf ssh.new; fi
    elif ! in_place; then
        stage_host_keys
        if staged; then take_host_keys; fi
    fi
    cd /
    mkdir -p "$state"
    if [ -r "$cloud_instance" ]; then cp "$cloud_instance" "$state/host-keys.instance"; fi
    if [ -r "$etc_ssh/ssh_host_ed25519_key.pub" ]; then
        read -r algorithm key _ <"$etc_ssh/ssh_host_ed25519_key.pub" || true
        host_key="$algorithm $key"
    fi
    [ -n "$took" ]
}

# Whether take_host_keys has something to take
staged() {
    set -- "$run/host-keys"/ssh_host_*
    [ -e "$1" ]
}

# take_host_keys: puts the keys that were made ready in place. All at once, as ssh waits for it.
take_host_keys() {
    mv -f "$run/host-keys"/ssh_host_* "$etc_ssh"
    restored=yes
    say "The ssh host keys of this cloudtop are in place again."
}
