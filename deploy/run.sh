#!/usr/bin/env bash
# Builds the broker and starts it; installs what is missing before. Arguments behind -- go to 'sluice serve'.
#   deploy/run.sh
#   deploy/run.sh -- --listen https://127.0.0.1:9443 --data-dir ./data
set -eu
# What the caller's relative paths mean is kept for the broker.
caller=$PWD
cd "$(dirname "$0")/.."
repository=$PWD
. deploy/setup.sh

case ${1-} in
"" | --) ;;
*) fail "'$1' is not an argument of run.sh." "Hand arguments to the broker behind --: deploy/run.sh -- $*" ;;
esac
[ $# -eq 0 ] || shift

prepare
# Exclusivity is checked at compile time; checking it again at run time would cost every event.
timed "building the release (some minutes the first time, seconds later)" \
    swift build -c release --product sluice -Xswiftc -enforce-exclusivity=unchecked \
    --explicit-target-dependency-import-check error
say "starting $repository/.build/release/sluice serve $*"
cd "$caller"
exec "$repository/.build/release/sluice" serve "$@"
