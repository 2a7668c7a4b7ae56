#!/usr/bin/env bash
# Sluice with curl alone.
#   curl.sh publish TOPIC          publishes the lines of its input, each one JSON value, all or none
#   curl.sh page TOPIC [CURSOR]    shows a page, from the beginning or behind a cursor
#   curl.sh follow TOPIC FILE      shows what comes, and goes on behind what FILE remembers
#   curl.sh sse TOPIC FILE         the same as server-sent events
set -euo pipefail
: "${SLUICE_URL:?}" "${SLUICE_TOKEN:?}" "${SLUICE_CA_FILE:?}"
command=$1 topic=$2
events=$SLUICE_URL/v1/topics/$topic/events

# The token comes by a pipe: what stands in the command's line, everybody on the machine can read.
ask() {
    curl -sS --cacert "$SLUICE_CA_FILE" -H @<(echo "Authorization: Bearer $SLUICE_TOKEN") "$@"
}

# With the same key, trying again appends nothing twice, also when the answer was lost.
publish() {
    local key
    key=$(cat /proc/sys/kernel/random/uuid)
    ask --fail-with-body --retry 5 --retry-all-errors -H "Idempotency-Key: $key" \
        -H 'Content-Type: application/x-ndjson' --data-binary @- "$events"
}

# --http1.0 works as well: the answer ends with the connection then.
page() {
    ask --fail-with-body --http1.0 "$events?limit=100&from=${1:+after:}${1:-earliest}"
}

# An event, a gap and a reset have the cursor behind them; a break of the connection loses none.
follow() {
    local from line
    while sleep "0.$RANDOM"; do
        from=earliest
        [ ! -s "$1" ] || from="after:$(cat "$1")"
        ask -N "$events?follow&from=$from" | while IFS= read -r line; do
            [[ $line == '{"type":"heartbeat"'* ]] || printf '%s\n' "$line"
            if [[ $line =~ ^\{\"type\":\"(event|gap|reset)\".*$ ]] &&
                [[ $line =~ \"cursor\":\"([0-9a-z]+-[0-9]+)\" ]]; then
                printf '%s' "${BASH_REMATCH[1]}" >"$1"
            fi
        done || true
    done
}

# The id goes before the data, and counts once the empty line says that the event is complete.
sse() {
    local id line
    while sleep "0.$RANDOM"; do
        ask -N -H 'Accept: text/event-stream' "$events?from=earliest" \
            -H "Last-Event-ID: $(cat "$1" 2>/dev/null)" |
            while IFS= read -r line; do
                case $line in
                    id:*) id=${line#id: } ;;
                    data:*) printf '%s\n' "${line#data: }" ;;
                    '') printf '%s' "$id" >"$1" ;;
                esac
            done || true
    done
}

"$command" "${@:3}"
