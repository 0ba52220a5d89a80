#!/bin/sh
# Builds a release twice, from two clones in folders of different names and without what was compiled before,
# and compares: whoever has the source can check a binary that way.
set -eu

go=${GO:-go}
top=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT INT TERM

for name in one another-place; do
  git clone -q --no-hardlinks "$top" "$work/$name"
  GOCACHE=$work/cache-$name GO=$go SBOM= sh "$work/$name/cmd/millimetric/dist/release.sh" "$work/out-$name" > /dev/null
  rm -rf "$work/cache-$name"
done
cat "$work/out-one/SHA256SUMS"
cmp "$work/out-one/SHA256SUMS" "$work/out-another-place/SHA256SUMS"
echo "both builds are the same"
