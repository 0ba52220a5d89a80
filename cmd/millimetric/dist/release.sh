#!/bin/sh
# Builds a release: for each system a packed folder with the binary, the licences and what helps to run it,
# and a list of checksums. The same commit gives the same bytes, on whichever machine it is built.
#
# usage: release.sh folder        with GO, TARGETS (all by itself), SBOM (the tool that lists modules), and
#                                 SIGN_KEY (a file for ssh-keygen -Y sign) to sign the list
set -eu

go=${GO:-go}
out=$1
top=$(cd "$(dirname "$0")/../../.." && pwd)
cd "$top"
version=$(git describe --tags --always --dirty)
# What is packed says when it was committed, not when it was built.
when=$(git log -1 --format=%ct)

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
for target in ${TARGETS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
  system=${target%/*}
  processor=${target#*/}
  name=millimetric-$version-$system-$processor
  folder=$out/$name
  mkdir "$folder"
  CGO_ENABLED=0 GOOS=$system GOARCH=$processor GOFLAGS=-mod=readonly \
    $go build -buildvcs=true -trimpath -ldflags "-s -w -buildid=" -o "$folder/millimetric" ./cmd/millimetric
  cp LICENSE NOTICE README.md CHANGELOG.md "$folder"
  if [ "$system" = linux ]; then
    cp cmd/millimetric/dist/millimetric.service cmd/millimetric/dist/millimetric.yaml "$folder"
  fi
  tar -C "$out" --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w -cf - "$name" |
    gzip -9 -n > "$folder.tar.gz"
  rm -r "$folder"
  echo "$name.tar.gz"
done
if [ -n "${SBOM:-}" ]; then
  # What is in it, for those who look for known holes: as a list (CycloneDX).
  $go run "$SBOM" mod -json -licenses=false -output "$out/millimetric-$version.cdx.json"
fi
(cd "$out" && sha256sum millimetric-* > SHA256SUMS)
if [ -n "${SIGN_KEY:-}" ]; then
  ssh-keygen -q -Y sign -f "$SIGN_KEY" -n millimetric "$out/SHA256SUMS"
fi
