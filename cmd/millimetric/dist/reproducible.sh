#!/bin/sh
# Builds a release twice, from clones in two folders of different names, and compares: whoever has the source can
# check a binary that way. The second is compiled from nothing; the first may use what the machine has compiled
# before, as releases do.
set -eu

go=${GO:-go}
top=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT INT TERM
usual=$($go env GOCACHE)

build() { # name of the folder, cache
  git clone -q --no-hardlinks "$top" "$work/$1"
  GOCACHE=$2 GO=$go SBOM= SIGN_KEY= sh "$work/$1/cmd/millimetric/dist/release.sh" "$work/out-$1" > /dev/null
}
build one "$usual"
build another-place "$work/cache"
cat "$work/out-one/SHA256SUMS"
cmp "$work/out-one/SHA256SUMS" "$work/out-another-place/SHA256SUMS"
echo "both builds are the same"
