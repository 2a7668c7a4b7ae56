#!/usr/bin/env bash
# Has testssl.sh and sslscan look at a broker's TLS; fails if they find anything worse than good.
#   deploy/tls-scan.sh HOST:PORT [CA_FILE]
# Needs Debian's packages testssl.sh and sslscan, and some minutes. It asks about protocols,
# ciphers, keys and known weaknesses; the certificate and HTTP's headers are not the broker's to
# choose.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

[ $# -eq 1 ] || [ $# -eq 2 ] || fail "tls-scan.sh takes an address and perhaps a file." \
    "For the local authority: deploy/tls-scan.sh localhost:8443 DATA_DIR/tls/ca.pem"
for tool in testssl sslscan; do
    command -v "$tool" >/dev/null ||
        fail "$tool is not installed." "apt-get install testssl.sh sslscan"
done

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
testssl --quiet --color 0 --warnings off ${2:+--add-ca "$2"} --protocols --std \
    --server-preference --fs --vulnerable --jsonfile "$directory/found.json" "$1"
sslscan --no-colour "$1" | tee "$directory/scan"

python3 - "$directory/found.json" "$directory/scan" <<'END'
import json
import re
import sys

with open(sys.argv[1]) as file:
    found = [item for item in json.load(file) if item["severity"] not in ("OK", "INFO")]
bad = [f"{item['id']}: {item['finding']} ({item['severity']})" for item in found]
with open(sys.argv[2]) as file:
    for line in file:
        cipher = re.match(r"(?:Preferred|Accepted)\s+(\S+)\s+(\d+) bits\s+(\S+)", line)
        if cipher and not re.search("GCM|CHACHA20", cipher[3]):
            bad.append(f"{cipher[1]} with {cipher[3]}")
        if re.match(r"(SSLv|TLSv1\.[01])\S*\s+enabled", line):
            bad.append(line.strip())
if not any("TLSv1.3" in line for line in open(sys.argv[2])):
    bad.append("sslscan has seen no TLS 1.3")
print("\n".join(["worse than good:", *bad]) if bad else "nothing is worse than good")
sys.exit(1 if bad else 0)
END
