#!/usr/bin/env bash
# Builds the documentation with the toolchain's DocC; a warning is an error.
#   deploy/docs.sh
#   python3 -m http.server -d .build/documentation 8000     then http://127.0.0.1:8000/documentation/sluice
#   python3 -m http.server -d .build/documentation-client 8000           and …/documentation/sluiceclient
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

[ $# -eq 0 ] || fail "docs.sh takes no arguments, but '$1' was given." "Run deploy/docs.sh alone."
check_swift

# DocC lies beside the compiler; what is found as 'swift' may be a link or a wrapper elsewhere.
library=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
docc=$library/../../bin/docc
[ -x "$docc" ] || fail "The Swift toolchain has no docc at $docc." \
    "Install the whole toolchain: https://www.swift.org/install/linux/"

rm -rf .build/documentation
mkdir -p .build
"$docc" convert Sources/Documentation.docc --output-dir .build/documentation \
    --fallback-display-name Sluice --fallback-bundle-identifier sluice --warnings-as-errors

# The pages of the Swift client are made of its articles and of the comments of what is public in it.
graph=$(swift build --show-bin-path)/../symbolgraph/SluiceClient.symbols.json
rm -rf .build/documentation-client .build/symbols "$graph"
# It builds the package, and fails in the end, as it finds no modules of the tests' runners.
swift package dump-symbol-graph --minimum-access-level public --skip-synthesized-members \
    >/dev/null 2>.build/symbols.log || true
[ -f "$graph" ] || fail "The package does not build." "Read .build/symbols.log."
mkdir -p .build/symbols
cp "$graph" .build/symbols
"$docc" convert Sources/SluiceClient/SluiceClient.docc --output-dir .build/documentation-client \
    --additional-symbol-graph-dir .build/symbols \
    --fallback-display-name SluiceClient --fallback-bundle-identifier sluice.client \
    --warnings-as-errors
say "the documentation is in .build/documentation and .build/documentation-client"
