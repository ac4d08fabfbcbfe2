# The status files in /run/cloudtop, for the two programs that a boot waits for: a start of Python
# for each status would take longer than what it is about. All others write by status_file.py.
# Sourced, not run.
# shellcheck shell=sh

# write_status FILE STATE MESSAGE FIELDS: FIELDS are the other members of the JSON object.
# Who reads the file sees the old status or the new one.
write_status() {
    message=$(printf '%s' "$3" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g')
    mkdir -p "${1%/*}"
    printf '{"state": "%s", "message": "%s", %s}\n' "$2" "$message" "$4" >"$1.new"
    mv "$1.new" "$1"
}
