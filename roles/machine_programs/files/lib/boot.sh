# Shared by the two programs that a boot waits for. Shell, as a start of Python would take longer than
# what it is about. Sourced, not run.
# shellcheck shell=sh

# write_status FILE STATE MESSAGE FIELDS: a status file in /run/cloudtop; FIELDS are the other
# members of the JSON object. Who reads the file sees the old status or the new one. All other
# programs write theirs by status_file.py.
write_status() {
    message=$(printf '%s' "$3" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g')
    mkdir -p "${1%/*}"
    printf '{"state": "%s", "message": "%s", %s}\n' "$2" "$message" "$4" >"$1.new"
    mv "$1.new" "$1"
}

# await_link DISK: until udev has made the link of this NVMe disk, or has nothing left to do; reads
# sys and by_id. In an emulated machine the whole of a boot's queue takes seconds more, and what is
# made after it is made while cloud-init needs the processors. The link has the words of the model
# and the serial number (60-persistent-storage.rules).
# shellcheck disable=SC2154
await_link() {
    name='' model='' number=''
    read -r model <"$sys/class/block/$1/device/model" || true
    read -r number <"$sys/class/block/$1/device/serial" || true
    for word in $model $number; do name=${name:+${name}_}$word; done
    udevadm settle --exit-if-exists="$by_id/nvme-$name"
}
