# What a machine asks of EC2 with nothing but curl: the metadata service (IMDSv2) and signed
# calls of the query API with the credentials of the instance profile. Sourced, not run.
# shellcheck shell=sh
#
# Reads: endpoint (empty: the region's own), imds (the metadata service's root).
# No secret is put on a command line, where every user could read it: curl takes all of
# its configuration from standard input.

imds=${imds:-http://169.254.169.254/latest}
imds_token=''

# open_metadata: asks for the token that all reading needs; fails where nobody answers
open_metadata() {
    imds_token=$(curl --silent --fail --max-time 10 --request PUT \
        --header 'X-aws-ec2-metadata-token-ttl-seconds: 21600' "$imds/api/token")
}

# metadata PATH: one text of the metadata service; fails where there is none
metadata() {
    printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$imds_token" |
        curl --silent --fail --max-time 10 --config - "$imds/meta-data/$1"
}

# json_value KEY: the text of one key in a flat JSON object on standard input
json_value() { tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"; }

# xml_value TAG: the text of the first element of that name on standard input
xml_value() { tr -d '\n' | sed "s/<$1>/\n&/" | sed -n "s:^<$1>\([^<]*\)</$1>.*:\1:p"; }

# ec2 ACTION [KEY=VALUE]...: sets answer (XML) and trouble (EC2's error code or one of
# Unreachable, NoCredentials; empty when all went well) and trouble_text
ec2() {
    answer='' trouble='' trouble_text=''
    call "$@"
    if [ -n "$trouble" ]; then printf '%s: %s: %s\n' "$1" "$trouble" "$trouble_text"; fi
}

call() {
    region=${region:-$(metadata placement/region)} || region=''
    role=$(metadata iam/security-credentials/) || role=''
    secrets=''
    if [ -n "$role" ]; then secrets=$(metadata "iam/security-credentials/${role%%/*}") || secrets=''; fi
    key=$(printf '%s' "$secrets" | json_value AccessKeyId)
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
            printf 'user = "%s:%s"\n' "$key" "$(printf '%s' "$secrets" | json_value SecretAccessKey)"
            printf 'header = "X-Amz-Security-Token: %s"\n' "$(printf '%s' "$secrets" | json_value Token)"
        } | curl --silent --show-error --max-time 60 --config - "$@" \
            "${endpoint:-https://ec2.$region.amazonaws.com}/" 2>&1
    ) || {
        trouble=Unreachable
        trouble_text=$answer
        return
    }
    trouble=$(printf '%s' "$answer" | xml_value Code)
    trouble_text=$(printf '%s' "$answer" | xml_value Message)
    if [ -z "$trouble" ] && [ -z "$(printf '%s' "$answer" | tr -d '\n' | sed -n "/<${action}Response/p")" ]; then
        trouble=Unreachable
        trouble_text="${endpoint:-EC2} gave an answer that is none of EC2's"
    fi
}
