#!/usr/bin/env bash
# Before a drill: puts bytes on the volume and unsaved work on the array, and prints as JSON
# what has to be the same afterwards. Fails if the machine is not whole.
#
# usage: drill_before.sh VOLUME_PATH ARRAY_PATH ID
set -euo pipefail
volume=$1 array=$2 id=$3

jq -e '.state == "mounted"' /run/cloudtop/persistent-mount.json >/dev/null
docker info >/dev/null
kept=$volume/.drill/$id
mkdir -p "$kept"
head -c 4194304 /dev/urandom >"$kept/bytes"

tree=$array/drill-$id
git init -q "$tree"
cd "$tree"
git config user.name drill
git config user.email drill@localhost
echo committed >file
git add file
git commit -q -m 'Before the drill'
echo changed >>file
echo untracked >new
sync

jq -n \
    --arg id "$id" \
    --arg saved_work "$({ git log --format=%s && git status --porcelain && cat file new; } | sha256sum)" \
    --arg bytes "$(sha256sum <"$kept/bytes")" \
    --arg host_key "$(cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub)" \
    --arg array "$(jq -c '[.state, .disks, .bytes, .filesystem]' /run/cloudtop/ephemeral-raid.json)" \
    --arg dotfiles "$(find ~ -maxdepth 1 -name '.*' ! -name '.*history' ! -name .lesshst ! -name .viminfo ! -name .sudo_as_admin_successful -type f -exec sha256sum {} + | sort | sha256sum)" \
    '$ARGS.named'
