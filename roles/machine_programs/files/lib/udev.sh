# Sourced by the boot programs, which wait for udev no longer than they need to: in an emulated
# machine the whole of a boot's queue takes seconds more, and what is made then is made while
# cloud-init needs the processors.
# Reads: sys, by_id. Sourced, not run.
# shellcheck shell=sh

# await_link DISK: until udev has made the link of this NVMe disk, or has nothing left to do.
# The link has the words of the model and the serial number (60-persistent-storage.rules).
await_link() {
    name='' model='' number=''
    read -r model <"$sys/class/block/$1/device/model" || true
    read -r number <"$sys/class/block/$1/device/serial" || true
    for word in $model $number; do name=${name:+${name}_}$word; done
    udevadm settle --exit-if-exists="$by_id/nvme-$name"
}
