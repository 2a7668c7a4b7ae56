#!/usr/bin/env bash
# Checks the format, builds the documentation and everything else, and runs all tests; installs what is missing before.
#   deploy/test.sh
#   TEST_MINUTES=40 deploy/test.sh     on a slow machine
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh
packages_wanted="$packages_wanted python3-psycopg python3-venv pgbouncer curl openssl"

[ $# -eq 0 ] || fail "test.sh takes no arguments, but '$1' was given." "Run deploy/test.sh alone."
minutes=${TEST_MINUTES:-20}

check_format() {
    swift format lint --strict --configuration .swift-format --recursive --parallel \
        Sources Tests Package.swift
}

run_tests() {
    local code log
    log=$(mktemp)
    # One after the other: tests that wait for a database or a socket would hold the few threads of a small machine, and
    # the time limits of others would pass meanwhile.
    timeout -k 10 "$((minutes * 60))" swift test --skip-build --no-parallel 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    # Once more at the end, where they are found.
    if [ "$code" -ne 0 ]; then grep -F '✘' "$log" || true; fi
    rm -f "$log"
    [ "$code" -ne 124 ] || fail "The tests did not end within $minutes minutes." \
        "See the last test that began above; TEST_MINUTES allows more."
    return "$code"
}

# Debian's interpreter: python3-psycopg is a package of it.
run_sql_tests() {
    timeout -k 10 "$((minutes * 60))" /usr/bin/python3 Tests/SQL/log_test.py
}

# A debug build allocates more.
check_allocations() {
    swift build -c release --product allocation-check --explicit-target-dependency-import-check error
    .build/release/allocation-check
}

# A debug build would be slow at messages of 16 MiB.
check_websockets() {
    local program=.build/release/sluice-echo cases=Tests/Conformance/websocket_test.py
    swift build -c release --product sluice-echo --explicit-target-dependency-import-check error
    /usr/bin/python3 $cases $program --messages 20
    /usr/bin/python3 $cases $program --messages 2 --tls
}

# Both record layers, OpenSSL's and our own.
check_tls() {
    /usr/bin/python3 Tests/Conformance/tls_test.py .build/debug/sluice
    /usr/bin/python3 Tests/Conformance/tls_test.py .build/debug/sluice --openssl-records
    /usr/bin/python3 Tests/Conformance/certificates_test.py .build/debug/sluice
}

# Node's own test runner; Debian's Node may be older, and then there is none to try the client with.
check_javascript() {
    local enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)'
    if node -e "$enough" 2>/dev/null; then
        node Tests/JavaScript/run.mjs .build/debug/sluice
    else
        say "left out: there is no Node.js 20.11 or newer"
    fi
}

python=.build/python/bin/python

# Packages of PyPI that are none of Debian, in an environment of the build folder.
prepare_python() {
    [ -x $python ] || /usr/bin/python3 -m venv .build/python
    $python -m pip install -q --disable-pip-version-check -r Tests/CloudEvents/requirements.txt \
        -r Tests/Python/requirements.txt -r Tests/OpenAPI/requirements.txt
}

check_cloudevents() {
    timeout -k 10 300 $python Tests/CloudEvents/cloudevents_test.py .build/debug/sluice
}

check_python() {
    $python Tests/Python/run.py .build/debug/sluice
}

check_descriptions() {
    $python Tests/OpenAPI/description_test.py .build/debug/sluice
}

prepare
timed "checking the format" check_format
timed "building the documentation" deploy/docs.sh
timed "building everything and the tests (some minutes the first time)" \
    swift build --build-tests --explicit-target-dependency-import-check error
timed "counting allocations on the hot path" check_allocations
timed "running the cases of the public WebSocket suite" check_websockets
timed "trying TLS with curl, Python and openssl" check_tls
timed "running the tests (at most $minutes minutes)" run_tests
timed "running the tests of sluice.js" check_javascript
timed "preparing Python's packages" prepare_python
timed "trying the official SDK of CloudEvents" check_cloudevents
timed "running the tests of sluice.py and the examples" check_python
timed "holding the descriptions against a broker (about 2 minutes)" check_descriptions
timed "running the tests of the SQL functions (about 2 minutes)" run_sql_tests
say "all is well after $SECONDS s"
