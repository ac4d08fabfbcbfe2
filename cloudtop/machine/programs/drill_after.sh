#!/usr/bin/env bash
# After a drill: prints as JSON whether the machine is ready, and then all that is compared
# with what drill_before.sh printed; puts saved work back first. Times are POSIX seconds.
#
# usage: drill_after.sh VOLUME_PATH ARRAY_PATH ID BEGAN WAIT
# BEGAN, in POSIX seconds, is when the reap was asked for: what the journal has from then on counts.
# It waits WAIT seconds for the machine to be ready: to be asked again and again, each time with
# a login, would keep an emulated machine from becoming so.
set -euo pipefail
volume=$1 array=$2 id=$3 began=$4 wait=$5

state() { jq -r .state "/run/cloudtop/$1.json" 2>/dev/null || true; }
journal=$volume/.cloudtop/reaps.jsonl
# written EVENT: the last line of it in the journal, or null
written() {
    jq -c -n --arg event "$1" --argjson began "$began" \
        '[inputs | select(.event == $event and (.time | fromdateiso8601) >= $began)] | last' "$journal" 2>/dev/null || echo null
}
# The last event is asked first, and the rest only then
ready() {
    systemctl is-active --quiet docker.service && [ "$(state persistent-mount)" = mounted ] &&
        [ "$(state ephemeral-raid)" != '' ] && [ "$(written back)" != null ]
}
until ready; do
    if [ "$SECONDS" -ge "$wait" ]; then
        printf '{"ready": false}\n'
        exit
    fi
    sleep 1
done
# The old machine's entry on the notice of its end
notice=$(written notice)

# When a unit became active; systemd counts microseconds since the boot
up() {
    local since now
    since=$(systemctl show --value --property ActiveEnterTimestampMonotonic "$1")
    read -r now _ </proc/uptime
    printf '%s %s %s' "$(date +%s.%N)" "$now" "$since" | awk '{printf "%.1f", $1 - $2 + $3 / 1000000}'
}

# A tree that is there before anything was put back has outlived its blank disks
tree=$array/drill-$id
put_back=$array/.drill-$id-is-back
was_there='' saved_work=''
if [ -e "$tree" ] && [ ! -e "$put_back" ]; then was_there=$tree; fi
if [ "$notice" != null ] && [ ! -e "$tree" ]; then
    touch "$put_back"
    cloudtop-restore "$tree" >&2
fi
if [ -d "$tree" ] && [ -z "$was_there" ]; then
    saved_work=$(cd "$tree" && { git log --format=%s && git status --porcelain && cat file new; } | sha256sum)
fi

kept=$volume/.drill/$id/bytes
docker_root=$(docker info --format '{{.DockerRootDir}}')
case $docker_root in "$array"/*) ;; *) docker_root='' ;; esac
jq -n \
    --argjson ready true \
    --arg bytes "$(sha256sum <"$kept")" \
    --arg host_key "$(cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub)" \
    --arg array "$(jq -c '[.state, .disks, .bytes, .filesystem]' /run/cloudtop/ephemeral-raid.json)" \
    --arg old_array "$was_there" \
    --arg saved_work "$saved_work" \
    --argjson notice "$notice" \
    --argjson back "$(written back)" \
    --arg docker "$docker_root" \
    --arg dotfiles "$(find ~ -maxdepth 1 -name '.*' ! -name '.*history' ! -name .lesshst ! -name .viminfo ! -name .sudo_as_admin_successful -type f -exec sha256sum {} + | sort | sha256sum)" \
    --argjson times "$(printf '{"array": %s, "volume": %s, "docker": %s}' \
        "$(up cloudtop-ephemeral-raid.service)" "$(up cloudtop-persistent-mount.service)" "$(up docker.service)")" \
    '$ARGS.named'
