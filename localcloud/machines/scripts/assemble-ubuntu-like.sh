#!/bin/sh
# assemble-ubuntu-like.sh WORK OFFSET SIZE DISK_UUID PARTITION_UUID FILESYSTEM_UUID (bytes): as
# assemble.sh, with the partitions of Canonical's images for EC2: the root is the first by its number
# and the last on the disk, where it can grow.
set -eu
work=$1 offset=$2 size=$3 disk_uuid=$4 partition_uuid=$5 filesystem_uuid=$6
PATH=$PATH:/usr/sbin:/sbin
# The beginning of each, in MiB
bios=1 efi=5 boot=111 root=1024
cd "$work"
mkdir tree
tar --extract --numeric-owner --xattrs --xattrs-include='*' --file root.tar --directory tree
cp tree/boot/vmlinuz-* kernel
for initrd in tree/boot/initrd.img-*; do
  if [ -e "$initrd" ]; then cp "$initrd" initrd; fi
done
mv tree/boot boot
mkdir tree/boot
end=$(((offset + size) / 1048576))
truncate --size $((offset + size + offset)) root.raw
sfdisk --quiet root.raw <<TABLE
label: gpt
label-id: $disk_uuid
14: start=${bios}MiB, size=$((efi - bios))MiB, type=21686148-6449-6E6F-744E-656564454649
15: start=${efi}MiB, size=$((boot - efi))MiB, type=uefi
16: start=${boot}MiB, size=$((root - boot))MiB, type=linux
1: start=${root}MiB, size=$((end - root))MiB, type=linux, uuid=$partition_uuid
TABLE
mkfs.vfat -F 16 -n UEFI --offset $((efi * 2048)) root.raw $(((boot - efi) * 1024)) >/dev/null
mke2fs -q -t ext4 -L BOOT -E "offset=$((boot * 1048576)),root_owner=0:0" -d boot \
  root.raw $(((root - boot) * 1024))k
mke2fs -q -t ext4 -L cloudimg-rootfs -U "$filesystem_uuid" -m 1 \
  -E "offset=$((root * 1048576)),root_owner=0:0" -d tree root.raw $(((end - root) * 1024))k
rm -r boot
