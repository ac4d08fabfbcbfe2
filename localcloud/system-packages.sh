#!/bin/sh
# Install the programs that the rehearsal cloud needs and this system lacks.
# With apt it installs Debian's or Ubuntu's packages (through sudo where not root);
# on another system it names what is missing. Says nothing when nothing is missing.
# With the argument "test" also what the checks need.
set -eu

PYTHON=${PYTHON:-python3}
missing=
packages=

need() { # need PROGRAM PACKAGE
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 && return
  missing="$missing $1"
  packages="$packages $2"
}

if [ -z "$PYTHON" ]; then
  echo "Python 3.11 or newer is needed, and none was found." >&2
  echo "Install it and name it: make provision PYTHON=python3.12" >&2
  exit 1
fi
version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

need qemu-system-x86_64 qemu-system-x86
need qemu-img qemu-utils
need mmdebstrap mmdebstrap
need fakeroot fakeroot
need socat socat
# Debian's mmdebstrap needs it where it does not run as root
[ "$(id -u)" -eq 0 ] || need newuidmap uidmap
need sfdisk fdisk
need mke2fs e2fsprogs
[ "${1:-}" != test ] || need tmux tmux
need ssh openssh-client
need git git
[ "${1:-}" != test ] || need shellcheck shellcheck
[ "${1:-}" != test ] || need jq jq
# For the partitions of the image ubuntu-like
[ "${1:-}" != test ] || need mkfs.vfat dosfstools
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || need "python$version-venv" "python$version-venv"

[ -n "$packages" ] || exit 0
echo "Needed and not here:$missing"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "This system has no apt-get; install these programs its own way, then run make again." >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "As root, run: apt-get install --no-install-recommends$packages" >&2
    exit 1
  fi
  as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of package names, split on purpose
$as_root apt-get install -y -q --no-install-recommends $packages
