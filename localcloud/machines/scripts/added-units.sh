#!/bin/sh
# Comes before customize.sh and its like, in one script with them.
set -eu

# The units that came with packages of ADDED, but not with those of PACKAGES, start nothing by
# themselves: whoever wants them enables them
needed_by() {
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "$@" | grep '^[a-z0-9]' | sort -u
}
if [ -n "${ADDED:-}" ]; then
  # shellcheck disable=SC2086
  needed_by $PACKAGES >/tmp/needed
  # shellcheck disable=SC2086
  for package in $(needed_by $ADDED | grep -vxF -f /tmp/needed); do
    dpkg --listfiles "$package" | sed -n 's|.*/systemd/system/\([^/]*\.[a-z]*\)$|\1|p'
  done | while read -r unit; do
    # Not systemctl disable, which asks for init scripts too
    find /etc/systemd/system -type l -lname "*/$unit" -delete
  done
  rm /tmp/needed
fi

