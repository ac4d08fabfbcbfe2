#!/bin/sh
# Runs inside the image's file system once all packages are in. Nothing is masked: what an
# Ubuntu does at a boot, a machine of this image does, too.
set -eu

# Machines boot without an initramfs, as Canonical's do on EC2, unless the kernel cannot reach its
# root without one
sed -i 's/^update_initramfs=.*/update_initramfs=no/' /etc/initramfs-tools/update-initramfs.conf
for config in /boot/config-*; do
  if ! grep -q '^CONFIG_BLK_DEV_NVME=y' "$config" || ! grep -q '^CONFIG_EXT4_FS=y' "$config"; then
    update-initramfs -c -k "${config#/boot/config-}"
  else
    rm -f "/boot/initrd.img-${config#/boot/config-}"
  fi
done
# The kernel is booted from outside: its modules in here must stay the same ones
dpkg-query --show --showformat '${Package}\n' 'linux-image-*' | xargs apt-mark hold >/dev/null

# The coreutils of uutils, and sudo-rs, before GNU's and Miller's, as in Ubuntu 25.10
for program in /usr/lib/cargo/bin/coreutils/* /usr/lib/cargo/bin/sudo /usr/lib/cargo/bin/su; do
  if [ -f "$program" ]; then ln -s "$program" /usr/local/bin/; fi
done

systemctl enable --quiet systemd-networkd.service systemd-resolved.service ssh.socket
systemctl disable --quiet ssh.service

passwd --quiet --lock root
mkdir -p /boot/efi
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/hostname
: > /etc/machine-id
rm -rf /var/log/*.log /var/log/apt/* /var/cache/debconf/*-old
rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin
cloud-init clean --logs
rm "$0"
