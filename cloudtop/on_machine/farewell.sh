#!/usr/bin/env bash
# Before its owner ends the machine: what the guard does at EC2's notice, so that work on the
# array is on the volume. Prints what became of it in a line; does nothing where there is no guard.
#
# usage: farewell.sh SECONDS terminate|stop
set -euo pipefail
seconds=$1 action=$2

if [ ! -x /usr/local/sbin/cloudtop-reap ]; then
    echo 'This machine has no guard that could save work.'
    exit
fi
# A place of its own: the guard must not take this for a notice that it has seen
run=/run/cloudtop/farewell
instance=$(cat /var/lib/cloud/data/instance-id)
due=$(date -u -d "+$seconds seconds" +%Y-%m-%dT%H:%M:%SZ)
sudo mkdir -p "$run"
sudo rm -f "$run/reap.done"
case $action in stop) why='instance-stopped-by-user' ;; *) why='instance-terminated-by-user' ;; esac
printf 'action=%s\ndue=%s\ninstance=%s\nwhy=%s\n' "$action" "$due" "$instance" "$why" | sudo tee "$run/spot-guard.notice" >/dev/null
printf '. /etc/cloudtop/spot-guard.conf\nrun=%s\n' "$run" | sudo tee "$run/conf" >/dev/null
# Not a child of the login, which may end first
sudo systemd-run --quiet --wait --collect --pipe /usr/local/sbin/cloudtop-reap end "$run/conf" | tail -n 1
