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

# Sets kept to the volume's directory of the keys; fails if somebody else may write there
kept_place() {
    kept=$mount_point/.cloudtop/ssh
    for place in "$mount_point/.cloudtop" "$kept"; do
        if [ -L "$place" ] || { [ -e "$place" ] && [ "$(stat -c '%u %F' "$place")" != "$(id -u) directory" ]; }; then
            warn "$place is no directory of root's: the ssh host keys were left alone."
            return 1
        fi
    done
}

# Whether each kept key is in place
in_place() {
    for key in "$kept"/ssh_host_*; do
        cmp --silent "$key" "$etc_ssh/${key##*/}" || return 1
    done
}

# early_host_keys: has the kept keys ready while cloud-init is still at work, so that they have
# only to be taken when it has ended
early_host_keys() {
    if keys_are_ours || ! kept_place || [ ! -d "$kept" ] || in_place; then return; fi
    stage_host_keys
}

# In memory: what is there is gone at the next boot, and in no image
stage_host_keys() {
    rm -rf "$run/host-keys.new" "$run/host-keys"
    mkdir -p "$run"
    mkdir -m 0700 "$run/host-keys.new"
    cp "$kept"/ssh_host_* "$run/host-keys.new"
    chmod 0600 "$run/host-keys.new"/ssh_host_*
    chmod 0644 "$run/host-keys.new"/ssh_host_*.pub
    mv "$run/host-keys.new" "$run/host-keys"
}

# keep_host_keys: sets host_key, and restored if keys were exchanged.
# The machine's identity lives with the data, so that a relaunch is the same host to ssh
keep_host_keys() {
    restored=''
    kept_place || return 0
    if [ ! -d "$kept" ]; then
        rm -rf "$kept.new"
        mkdir -p "$mount_point/.cloudtop"
        mkdir -m 0700 "$kept.new"
        cp -p "$etc_ssh"/ssh_host_*_key "$etc_ssh"/ssh_host_*_key.pub "$kept.new"
        sync
        mv "$kept.new" "$kept"
    fi
    if ! in_place; then
        stage_host_keys
        take_host_keys
    fi
    mkdir -p "$state"
    if [ -r "$cloud_instance" ]; then cp "$cloud_instance" "$state/host-keys.instance"; fi
    if [ -r "$etc_ssh/ssh_host_ed25519_key.pub" ]; then
        read -r algorithm key _ <"$etc_ssh/ssh_host_ed25519_key.pub" || true
        host_key="$algorithm $key"
    fi
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
