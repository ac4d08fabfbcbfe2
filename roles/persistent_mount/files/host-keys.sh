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

# settled: what settle said in this boot, or nothing
settled() { if [ -r "$run/host-keys.settled" ]; then cat "$run/host-keys.settled"; fi; }

# Whether the keys in /etc/ssh were put there on this very instance: true after a reboot and
# after a stop, and not on a machine made of an image of this one
keys_are_ours() { cmp --silent "$cloud_instance" "$state/host-keys.instance"; }

# keep_host_keys: sets host_key, and restored where keys were exchanged.
# The machine's identity lives with the data, so that a relaunch is the same host to ssh
keep_host_keys() {
    restored=''
    for place in "$mount_point/.cloudtop" "$mount_point/.cloudtop/ssh"; do
        if [ -L "$place" ] || { [ -e "$place" ] && [ "$(stat -c '%u %F' "$place")" != "$(id -u) directory" ]; }; then
            warn "$place is no directory of root's: the ssh host keys were left alone."
            return
        fi
    done
    kept=$mount_point/.cloudtop/ssh
    if [ ! -d "$kept" ]; then
        rm -rf "$kept.new"
        mkdir -p "$mount_point/.cloudtop"
        mkdir -m 0700 "$kept.new"
        cp -p "$etc_ssh"/ssh_host_*_key "$etc_ssh"/ssh_host_*_key.pub "$kept.new"
        sync
        mv "$kept.new" "$kept"
    fi
    for key in "$kept"/ssh_host_*; do
        if ! cmp --silent "$key" "$etc_ssh/${key##*/}"; then restored=yes; fi
        if [ -n "$restored" ]; then break; fi
    done
    if [ -n "$restored" ]; then exchange; fi
    if [ -n "$restored" ]; then say "The ssh host keys of this cloudtop are in place again."; fi
    mkdir -p "$state"
    if [ -r "$cloud_instance" ]; then cp "$cloud_instance" "$state/host-keys.instance"; fi
    if [ -r "$etc_ssh/ssh_host_ed25519_key.pub" ]; then
        read -r algorithm key _ <"$etc_ssh/ssh_host_ed25519_key.pub" || true
        host_key="$algorithm $key"
    fi
}

# exchange: puts the kept keys in place, each whole. All at once, as ssh waits for it and a
# program's start is long in an emulated machine.
exchange() {
    rm -rf "$etc_ssh/cloudtop.new"
    mkdir -m 0700 "$etc_ssh/cloudtop.new"
    cp "$kept"/ssh_host_* "$etc_ssh/cloudtop.new"
    chmod 0600 "$etc_ssh/cloudtop.new"/ssh_host_*
    chmod 0644 "$etc_ssh/cloudtop.new"/ssh_host_*.pub
    mv -f "$etc_ssh/cloudtop.new"/ssh_host_* "$etc_ssh"
    rmdir "$etc_ssh/cloudtop.new"
}
