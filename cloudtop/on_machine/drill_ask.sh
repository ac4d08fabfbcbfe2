#!/usr/bin/env bash
# After a drill: prints as JSON whether the machine is ready, and then all that is compared
# with what drill_prepare.sh printed. Times are POSIX seconds.
#
# usage: drill_ask.sh VOLUME_PATH ARRAY_PATH ID
set -euo pipefail
volume=$1 array=$2 id=$3

state() { jq -r .state "/run/cloudtop/$1.json" 2>/dev/null || true; }
if [ "$(state persistent-mount)" != mounted ] || [ "$(state ephemeral-raid)" = '' ] ||
    ! systemctl is-active --quiet docker.service; then
    printf '{"ready": false}\n'
    exit
fi

# When a unit became active; systemd counts microseconds since the boot
up() {
    local since now
    since=$(systemctl show --value --property ActiveEnterTimestampMonotonic "$1")
    read -r now _ </proc/uptime
    printf '%s %s %s' "$(date +%s.%N)" "$now" "$since" | awk '{printf "%.1f", $1 - $2 + $3 / 1000000}'
}

kept=$volume/.drill/$id/bytes
docker_root=$(docker info --format '{{.DockerRootDir}}')
case $docker_root in "$array"/*) ;; *) docker_root='' ;; esac
jq -n \
    --argjson ready true \
    --arg bytes "$(sha256sum <"$kept")" \
    --arg host_key "$(cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub)" \
    --arg array "$(jq -c '[.state, .disks, .bytes, .filesystem]' /run/cloudtop/ephemeral-raid.json)" \
    --arg old_array "$(find "$array" -maxdepth 1 -name "drill-$id")" \
    --arg docker "$docker_root" \
    --arg dotfiles "$(find ~ -maxdepth 1 -name '.*' ! -name '.*history' ! -name .lesshst ! -name .viminfo ! -name .sudo_as_admin_successful -type f -exec sha256sum {} + | sort | sha256sum)" \
    --argjson times "$(printf '{"array": %s, "volume": %s, "docker": %s}' \
        "$(up cloudtop-ephemeral-raid.service)" "$(up cloudtop-persistent-mount.service)" "$(up docker.service)")" \
    '$ARGS.named'
