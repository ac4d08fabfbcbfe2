# A machine's calls to EC2 with nothing but curl: the metadata service (IMDSv2) and signed
# calls of the query API with the credentials of the instance profile. Sourced, not run.
# The boot waits for some of it, and in an emulated machine the start of a program takes a
# tenth of a second, so that few are started.
# shellcheck shell=sh
#
# Reads: endpoint (empty: the region's own), imds (the metadata service's root).
# No secret is put on a command line, where every user could read it: curl takes all of
# its configuration from standard input.

imds=${imds:-http://169.254.169.254/latest}
imds_token=''

# open_metadata: asks for the token that all reading needs; fails if nobody answers
open_metadata() {
    imds_token=$(curl --silent --fail --max-time 10 --request PUT \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 21600' "$imds/api/token")
}

# metadata PATH...: a line for each text of the metadata service, empty if there is none;
# fails if there is none at the last. One start of curl for all of them.
metadata() {
    {
        printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$imds_token"
        for path; do printf 'url = "%s/meta-data/%s"\n' "$imds" "$path"; done
    } | curl --silent --fail --max-time 10 --write-out '\n' --config -
}

# identify: sets instance, zone, and what credentials asks for; fails if nobody answers
instance='' zone='' region='' role=''
identify() {
    open_metadata || return 1
    {
        read -r instance
        read -r zone
        read -r region
        read -r role
    } <<EOF
$(metadata instance-id placement/availability-zone placement/region iam/security-credentials/)



EOF
    [ -n "$instance" ] && [ -n "$zone" ]
}

# xml_values TAG...: a line for each, the text of the first element of that name on standard
# input, in one process; json_values KEY... does so with strings of a flat JSON object
xml_values() {
    awk -v names="$*" '
        { all = all $0 }
        END {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) {
                tag = "<" name[i] ">"
                at = index(all, tag)
                text = at ? substr(all, at + length(tag)) : ""
                sub(/<.*/, "", text)
                print text
            }
        }'
}
json_values() {
    awk -v names="$*" '
        { all = all $0 }
        END {
            count = split(names, name, " ")
            for (i = 1; i <= count; i++) {
                text = all
                if (sub(".*\"" name[i] "\"[ \t]*:[ \t]*\"", "", text)) sub(/".*/, "", text)
                else text = ""
                print text
            }
        }'
}

# ec2 ACTION [KEY=VALUE]...: sets answer (XML) and trouble (EC2's error code or one of
# Unreachable, NoCredentials; empty when all went well) and trouble_text
ec2() {
    answer='' trouble='' trouble_text=''
    call "$@"
    if [ -n "$trouble" ]; then
        # It may be the credentials that were refused: they expire
        asked_with=0
        printf '%s: %s: %s\n' "$1" "$trouble" "$trouble_text"
    fi
}

# credentials: sets region, role, key, secret and session; the same serve five calls
asked_with=0
credentials() {
    if [ "$asked_with" -gt 0 ]; then
        asked_with=$((asked_with - 1))
        return
    fi
    key='' secret='' session=''
    if [ -z "$region" ] || [ -z "$role" ]; then
        {
            read -r region
            read -r role
        } <<EOF
$(metadata placement/region iam/security-credentials/)

EOF
    fi
    if [ -z "$role" ]; then return; fi
    {
        read -r key
        read -r secret
        read -r session
    } <<EOF
$(metadata "iam/security-credentials/$role" | json_values AccessKeyId SecretAccessKey Token)


EOF
    if [ -n "$key" ]; then asked_with=4; else role=''; fi
}

call() {
    credentials
    if [ -z "$region" ] || [ -z "$key" ]; then
        trouble=NoCredentials
        trouble_text="the metadata service gives this machine no credentials; it needs an instance profile"
        return
    fi
    action=$1
    shift
    set -- --data-urlencode "Action=$action" --data-urlencode Version=2016-11-15 "$@"
    answer=$(
        {
            printf 'aws-sigv4 = "aws:amz:%s:ec2"\n' "$region"
            printf 'user = "%s:%s"\n' "$key" "$secret"
            printf 'header = "X-Amz-Security-Token: %s"\n' "$session"
        } | curl --silent --show-error --max-time 60 --config - "$@" \
            "${endpoint:-https://ec2.$region.amazonaws.com}/" 2>&1
    ) || {
        trouble=Unreachable
        trouble_text=$answer
        return
    }
    case $answer in
        *"<${action}Response"*) ;;
        *"<Code>"*)
            {
                read -r trouble
                read -r trouble_text
            } <<EOF
$(printf '%s' "$answer" | xml_values Code Message)

EOF
            # For whoever may decode it, and far too long for a sentence
            trouble_text=${trouble_text%% Encoded authorization failure message:*}
            trouble=${trouble:-Unreachable}
            ;;
        *)
            trouble=Unreachable
            trouble_text="${endpoint:-EC2} gave an answer that is not EC2's"
            ;;
    esac
}
