#!/bin/sh
# assemble.sh WORK OFFSET SIZE DISK_UUID PARTITION_UUID FILESYSTEM_UUID (bytes): under
# fakeroot, unpack root.tar and make root.raw of it, a GPT disk with one ext4 partition,
# with the kernel laid beside it. One fakeroot run: owners are only remembered within it.
set -eu
work=$1 offset=$2 size=$3 disk_uuid=$4 partition_uuid=$5 filesystem_uuid=$6
PATH=$PATH:/usr/sbin:/sbin
cd "$work"
mkdir tree
tar --extract --numeric-owner --xattrs --xattrs-include='*' --file root.tar --directory tree
cp tree/boot/vmlinuz-* kernel
for initrd in tree/boot/initrd.img-*; do
  if [ -e "$initrd" ]; then cp "$initrd" initrd; fi
done
truncate --size $((offset + size + offset)) root.raw
sfdisk --quiet root.raw <<TABLE
label: gpt
label-id: $disk_uuid
start=$((offset / 512)), size=$((size / 512)), type=linux, uuid=$partition_uuid
TABLE
mke2fs -q -t ext4 -L cloudimg-rootfs -U "$filesystem_uuid" -m 1 \
  -E "offset=$offset,root_owner=0:0" -d tree root.raw $((size / 1024))k
