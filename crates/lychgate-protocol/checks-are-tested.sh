#!/usr/bin/env bash
# Shows that each check of the wire has a test that needs it.
#
# A check in src/ is marked by a comment, `// check: name`, on the line above it.
# This script removes them one at a time, in a copy of the crate, and expects the tests to fail each time.
# The randomised tests are left out, so a check that only chance would miss is reported as untested.
#
# Usage: ./checks-are-tested.sh [name...]     with names: only these checks
set -euo pipefail

crate=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$crate/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
target=${CARGO_TARGET_DIR:-$root/target}/checks-are-tested

mkdir -p "$copy/crates" "$target"
cp -r "$crate" "$copy/crates/"
cp -r "$root/fixtures" "$copy/"
cp "$root/Cargo.lock" "$root/rust-toolchain.toml" "$copy/"
sed 's|^members = .*|members = ["crates/lychgate-protocol"]|' "$root/Cargo.toml" >"$copy/Cargo.toml"
cd "$copy/crates/lychgate-protocol"

build() {
    CARGO_TARGET_DIR=$target cargo test --offline --quiet --test it --no-run >"$copy/build.log" 2>&1
}
run() {
    CARGO_TARGET_DIR=$target RUST_BACKTRACE=0 LYCHGATE_SEED=1 timeout 300 \
        cargo test --offline --quiet --test it -- --skip differential:: --skip json_random:: \
        --skip centrifuge::random:: --skip centrifuge::delta_random:: >"$copy/run.log" 2>&1
}

build || { tail -20 "$copy/build.log"; echo "the crate does not build"; exit 1; }
run || { tail -20 "$copy/run.log"; echo "the tests are red before anything is removed"; exit 1; }

untested=0
total=0
printf '%-30s %-22s %s\n' check file result
while IFS=: read -r file line name; do
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    total=$((total + 1))
    cp "$file" "$copy/original"
    # A condition becomes false; a conversion that may fail becomes one that may not.
    sed -i "$((line + 1)){s/\bif /if false \&\& /;t;s/\.map_err(|_| [A-Za-z0-9:]*)?/.unwrap_or_default()/}" "$file"
    if cmp -s "$file" "$copy/original"; then
        result="NOT REMOVED: the line below the mark is neither an if nor a map_err"
    elif ! build; then
        result="NOT REMOVED: does not build without it"
    elif run; then
        result="UNTESTED: everything passes without it"
    else
        result="tested: $(grep -c ' stdout ----$' "$copy/run.log" || true) tests fail without it"
    fi
    [[ $result == tested:* ]] || untested=$((untested + 1))
    printf '%-30s %-22s %s\n' "$name" "${file#src/}" "$result"
    cp "$copy/original" "$file"
done < <(grep -rno '// check: [a-z0-9-]*' src | sed 's|// check: ||' | sort)

echo "$((total - untested)) of $total checks are tested"
[ "$untested" -eq 0 ] && [ "$total" -gt 0 ]
