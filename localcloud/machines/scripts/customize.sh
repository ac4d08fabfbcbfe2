#!/bin/sh
# Runs inside the image's file system once all packages are in: what a disposable
# machine must not carry (keys, identity) and what it must not spend time on.
set -eu

# A package that wants a new initramfs asks in vain: machines boot without one,
sed -i 's/^update_initramfs=.*/update_initramfs=no/' /etc/initramfs-tools/update-initramfs.conf
# unless the kernel cannot reach its root without one
for config in /boot/config-*; do
  if ! grep -q '^CONFIG_BLK_DEV_NVME=y' "$config" || ! grep -q '^CONFIG_EXT4_FS=y' "$config"; then
    update-initramfs -c -k "${config#/boot/config-}"
  else
    rm -f "/boot/initrd.img-${config#/boot/config-}"
  fi
done
# The kernel is booted from outside: its modules in here must stay the same ones
dpkg-query --show --showformat '${Package}\n' 'linux-image-*' | xargs apt-mark hold >/dev/null

systemctl mask --quiet \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer logrotate.timer man-db.timer motd-news.timer \
  console-getty.service getty@tty1.service serial-getty@ttyS0.service \
  systemd-timesyncd.service cloud-init-local.service \
  cloud-init-hotplugd.socket systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
  systemd-network-generator.service systemd-pstore.service systemd-repart.service \
  systemd-random-seed.service systemd-remount-fs.service systemd-update-utmp-runlevel.service \
  modprobe@drm.service modprobe@efi_pstore.service modprobe@dm_mod.service \
  modprobe@loop.service \
  ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service \
  systemd-pcrphase.service systemd-pcrphase-sysinit.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount sys-fs-fuse-connections.mount
systemctl enable --quiet systemd-networkd.service ssh.service localcloud-grow-root.service \
  localcloud-give-back-cache.timer

useradd --create-home --shell /bin/bash --comment Ubuntu --groups adm,sudo ubuntu
passwd --quiet --lock root
passwd --quiet --lock ubuntu

# debconf's questions are answered by their defaults: one Perl start less for each apt run
rm -f /etc/apt/apt.conf.d/70debconf
rm -rf /etc/update-motd.d /etc/motd
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/hostname
: > /etc/machine-id
rm -rf /var/log/*.log /var/log/apt/* /var/cache/debconf/*-old
# The package lists stay: in the guest apt asks what changed since
rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin

rm "$0"
# Nothing of /usr is newer than these: systemd has nothing to update at the first boot
touch /etc/.updated /var/.updated
