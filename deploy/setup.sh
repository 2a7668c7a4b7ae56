# Installs what the build and the broker need on Debian; sourced by run.sh and test.sh.
#
# Nothing is done when it is there already. The Swift toolchain is not a Debian package: it is only checked.

swift_wanted=6.2
packages_wanted="libpq-dev libssl-dev zlib1g-dev pkg-config"

say() { printf '==> %s\n' "$*"; }

fail() {
    printf 'error: %s\nremedy: %s\n' "$1" "$2" >&2
    exit 1
}

# timed WHAT COMMAND...: says what is being done, and how long it took.
timed() {
    local what=$1 begin=$SECONDS
    shift
    say "$what"
    "$@"
    say "$what: done in $((SECONDS - begin)) s"
}

check_swift() {
    command -v swift >/dev/null || fail "Swift is not installed." \
        "Install Swift $swift_wanted or newer: https://www.swift.org/install/linux/"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*[0-9]\).*/\1/p' | head -n 1)
    if [ "$(printf '%s\n' "$swift_wanted" "$version" | sort -V | head -n 1)" != "$swift_wanted" ]; then
        fail "Swift ${version:-of an unknown version} is too old." \
            "Install Swift $swift_wanted or newer: https://www.swift.org/install/linux/"
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "Installing Debian packages needs root." "Run as root, or install sudo, or install: $*"
    fi
}

# The directory with initdb and postgres of the newest PostgreSQL, 14 or newer; empty if there is none.
postgres_binaries() {
    local found newest=
    for found in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V); do
        if [ -x "$found/initdb" ] && [ -x "$found/postgres" ]; then newest=$found; fi
    done
    if [ -z "$newest" ] && command -v initdb >/dev/null && command -v postgres >/dev/null; then
        newest=$(dirname "$(command -v postgres)")
    fi
    printf '%s' "$newest"
}

install_missing() {
    local missing="" package
    for package in $packages_wanted; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$(postgres_binaries)" ] || missing="$missing postgresql"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "These packages are missing:$missing" \
        "Install them (or what your system calls them), then run this again."
    say "installing$missing (libpq, OpenSSL and zlib to build, PostgreSQL for the broker's own server)"
    # The broker runs a server of its own: Debian's is neither needed nor started.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' |
            as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
}

# PostgreSQL refuses to run as root, so a broker that is root runs it as one of these users.
ensure_account() {
    if [ "$(id -u)" != 0 ] || id -u sluice >/dev/null 2>&1 || id -u postgres >/dev/null 2>&1; then
        return 0
    fi
    say "making the system user sluice, as whom the broker's own PostgreSQL runs"
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluice
}

prepare() {
    check_swift
    timed "checking what this machine needs" install_missing
    ensure_account
}
