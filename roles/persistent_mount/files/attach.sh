# The way of the persistent volume to this machine: EC2 is asked for it until its disk is there.
# Sourced, not run.
# shellcheck shell=sh
#
# Reads: volume_id, serial, tag_name, tag_owner, device, deadline, since_file, sys. Sets: disk, and
# where another volume took that one's place volume_id and serial. Calls: what ec2.sh has, and say,
# status, fail, come_again, uptime.

# By serial number: names of NVMe disks change from boot to boot
find_disk() {
    for file in "$sys"/block/nvme*/device/serial; do
        if [ -r "$file" ] && read -r line <"$file" && [ "$line" = "$serial" ]; then
            disk=${file%/device/serial}
            disk=${disk##*/}
        fi
    done
}

# await WHAT [SECONDS]: a pause between two looks. After the deadline of this boot it gives up
# with what was awaited; a later run has SECONDS (0) for what it began itself.
await() {
    now=$(uptime)
    limit=$((began + ${2:-0}))
    if [ "$limit" -lt "$end" ]; then limit=$end; fi
    if [ "$now" -ge "$limit" ]; then
        come_again "Waited $((now - since)) s in vain: $1. Look with: aws ec2 describe-volumes --volume-ids $volume_id${holder:+; aws ec2 describe-instances --instance-ids $holder; and if that machine is to let go, without --force: aws ec2 detach-volume --volume-id $volume_id}."
    fi
    if [ "$1" != "$awaited" ]; then
        awaited=$1
        say "Waiting: $1."
        status waiting "$1"
        told=''
    fi
    sleep "$pause"
    # At first it is the network that is awaited, and ssh waits with it
    if [ $((now - began)) -ge 10 ] && [ "$pause" -lt 15 ]; then pause=$((pause + 2)); fi
}

# In a new boot asks for the volume at once, which mostly is free and still this cloudtop's: a
# look at it first would be a call more that ssh waits for. Whatever EC2 has against it, it looks,
# does the next thing, and looks again until the volume's disk is there. That no volume is
# attached which another replaced is EC2's to refuse: the machine's policy says so (role access).
attach() {
    began=$(uptime) pause=1 awaited='' holder='' followed='' first=''
    if [ ! -s "$since_file" ]; then
        printf '%s\n' "$began" >"$since_file"
        first=yes
    fi
    since=$(cat "$since_file")
    end=$((since + deadline))
    until identify; do
        await 'the metadata service does not answer'
    done
    if [ -n "$first" ]; then request_attachment; fi
    while find_disk && [ -z "$disk" ]; do
        ec2 DescribeVolumes --data-urlencode "VolumeId.1=$volume_id"
        if [ -n "$trouble" ]; then refuse_or_await 'looked up'; continue; fi
        if follow; then continue; fi
        read_description
        if [ -n "$volume_zone" ] && [ "$volume_zone" != "$zone" ]; then
            fail "The volume $volume_id is in $volume_zone and this machine is in $zone: a volume attaches within its zone only. Ask for a machine in $volume_zone."
        fi
        case $volume_status in
            available) ask_to_attach ;;
            in-use)
                if [ "$holder" = "$instance" ]; then
                    await_disk "$attached" "$attached_as"
                else
                    await "$volume_id is still $attached at ${holder:-another machine}, which has to let go"
                fi
                ;;
            creating) await "$volume_id is being made" ;;
            *) fail "The volume $volume_id is '$volume_status' and cannot be attached. Look with: aws ec2 describe-volumes --volume-ids $volume_id" ;;
        esac
    done
}

# Sets volume_status, volume_zone and, where it is attached, holder, attached and attached_as
read_description() {
    volume=$answer attachment='' holder='' attached='' attached_as=''
    case $answer in
        *'<attachmentSet>'*'</attachmentSet>'*)
            attachment=${answer#*'<attachmentSet>'}
            attachment=${attachment%%'</attachmentSet>'*}
            volume=${answer%%'<attachmentSet>'*}${answer#*'</attachmentSet>'}
            ;;
    esac
    {
        read -r volume_status
        read -r volume_zone
    } <<EOF
$(printf '%s' "$volume" | xml_values status availabilityZone)

EOF
    if [ -z "$attachment" ]; then return; fi
    {
        read -r holder
        read -r attached
        read -r attached_as
    } <<EOF
$(printf '%s' "$attachment" | xml_values instanceId status device)


EOF
}

# An image that was baked before a restore names the volume that was replaced: its tags tell by
# which, and that one is this cloudtop's now. Fails where there is nothing to follow.
follow() {
    case $answer in
        *'<key>cloudtop:replaced-by</key>'*'</value>'*) ;;
        *) return 1 ;;
    esac
    next=${answer#*'<key>cloudtop:replaced-by</key>'}
    next=${next#*'<value>'}
    next=${next%%'</value>'*}
    take "$next" "$volume_id was replaced by $next."
}

# take VOLUME WHY: that one instead; fails where it was followed before
take() {
    case " $followed $volume_id " in *" $1 "*) return 1 ;; esac
    say "$2"
    followed="$followed $volume_id"
    volume_id=$1
    serial=${volume_id%%-*}${volume_id#*-}
}

# Once the replaced volume was deleted nothing names its successor but the cloudtop's tags, by
# which the role persistent_volume finds it, too. Fails where no volume has them.
find_by_tags() {
    if [ -z "$tag_name" ]; then return 1; fi
    ec2 DescribeVolumes --data-urlencode Filter.1.Name=tag:cloudtop:name \
        --data-urlencode "Filter.1.Value.1=$tag_name" \
        --data-urlencode Filter.2.Name=tag:cloudtop:owner \
        --data-urlencode "Filter.2.Value.1=$tag_owner"
    if [ -n "$trouble" ]; then
        refuse_or_await "looked for by its tags"
        return
    fi
    own=$(printf '%s' "$answer" | persistent_volumes)
    case $own in
        '') return 1 ;;
        *' '*) fail "The volume $volume_id does not exist (any more) in $region, and the cloudtop $tag_name has several others ($own): none was mounted. Remove the tag cloudtop:name from those that are not to be used." ;;
    esac
    take "$own" "$volume_id is gone; $own has this cloudtop's tags."
}

# Ids of those described on standard input that are a cloudtop's persistent ones: root disks,
# copies and replaced ones have a role. Elements come in any order, and an attachment has its
# volume's id and a status of its own.
persistent_volumes() {
    awk '
        function text_of(volume, tag, at) {
            at = index(volume, "<" tag ">")
            volume = at ? substr(volume, at + length(tag) + 2) : ""
            sub(/<.*/, "", volume)
            return volume
        }
        { all = all $0 }
        END {
            count = split(all, part, "<item>")
            for (i = 2; i <= count; i++) {
                # The outermost items are the volumes
                if (depth++ == 0) volume[++found] = ""
                volume[found] = volume[found] "<item>" part[i]
                depth -= gsub(/<\/item>/, "", part[i])
            }
            for (i = 1; i <= found; i++) {
                if (index(volume[i], "<key>cloudtop:role</key>")) continue
                sub(/<attachmentSet>.*<\/attachmentSet>/, "", volume[i])
                if (text_of(volume[i], "status") ~ /^delet/) continue
                printf "%s%s", between, text_of(volume[i], "volumeId")
                between = " "
            }
        }'
}

# Asks EC2, and where that is granted waits for the disk a little; trouble tells of a refusal
request_attachment() {
    say "Attaching $volume_id to $instance as $device."
    ec2 AttachVolume --data-urlencode "VolumeId=$volume_id" \
        --data-urlencode "InstanceId=$instance" --data-urlencode "Device=$device"
    if [ -n "$trouble" ]; then return; fi
    # Mostly it is there sooner than EC2 could be asked again
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        find_disk
        if [ -n "$disk" ]; then return; fi
        sleep 0.2
    done
}

ask_to_attach() {
    request_attachment
    if [ -n "$trouble" ]; then
        refuse_or_await attached
    elif [ -z "$disk" ]; then
        await "$volume_id is attaching" 60
    fi
}

# Another machine may be quicker, EC2 may be busy: those pass. All else is said.
refuse_or_await() {
    case $trouble in
        VolumeInUse | IncorrectState | Unreachable | RequestLimitExceeded | Throttling* | InternalError | InternalFailure | Unavailable | ServiceUnavailable | RequestExpired)
            await "$volume_id could not be $1 ($trouble: $trouble_text)" ;;
        NoCredentials)
            # A profile's credentials come some seconds after the machine, or never
            if [ $(($(uptime) - since)) -ge 120 ]; then come_again "$volume_id cannot be attached: $trouble_text."; fi
            await "$trouble_text" ;;
        UnauthorizedOperation | AuthFailure | AccessDenied* | InvalidClientTokenId | ExpiredToken*)
            # Permissions may be mended
            come_again "The volume $volume_id could not be $1: EC2 refused with $trouble: ${trouble_text%.}." ;;
        InvalidVolume.NotFound)
            told_by_ec2=$trouble_text
            find_by_tags ||
                fail "The volume $volume_id does not exist (any more) in $region: nothing was mounted. EC2 says: $told_by_ec2" ;;
        *)
            fail "The volume $volume_id could not be $1: EC2 refused with $trouble: $trouble_text" ;;
    esac
}

# await_disk STATE NAME: it is ours by EC2's word; where disks have no serial number
# (Xen) that word and the name are the proof
await_disk() {
    find_disk
    if [ -z "$disk" ] && [ "$1" = attached ] && [ -e "$sys/block/${2##*/}" ]; then disk=${2##*/}; fi
    if [ -z "$disk" ]; then await "$volume_id is $1 at this machine and its disk has not appeared" 60; fi
}
