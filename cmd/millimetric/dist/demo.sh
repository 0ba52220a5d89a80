#!/bin/sh
# The demonstration: a fresh server in a temporary folder, a web server log imported into it, and
# three questions. It leaves nothing behind.
#
# usage: demo.sh path/to/millimetric
set -eu

bin=$1
root=$(cd "$(dirname "$0")/../../.." && pwd)
log=$root/bench/testdata/sample.log
site=https://shop.example
real=$root/../shared/data/access-2015-05.log.gz
if [ -f "$real" ]; then
  log=$real
  site=http://semicomplete.com
fi

folder=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
  rm -rf "$folder"
}
trap stop EXIT INT TERM

keys=$("$bin" init --data "$folder/data" --project demo --json)
key() { printf '%s' "$keys" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

"$bin" serve --data "$folder/data" --listen 127.0.0.1:0 --min-free 0 2>"$folder/server.log" &
server=$!
address=
for _ in $(seq 100); do
  address=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*\).*|\1|p' "$folder/server.log" 2>/dev/null | head -n 1)
  [ -z "$address" ] || break
  sleep 0.1
done
[ -n "$address" ] || { cat "$folder/server.log"; exit 1; }

echo "== import $(basename "$log")"
MILLIMETRIC_KEY=$(key sk) "$bin" import --server "$address" --format combined --site "$site" "$log"

MILLIMETRIC_KEY=$(key rk)
export MILLIMETRIC_KEY
ask() { "$bin" "$@" --server "$address" --from 2000-01-01 --to 2100-01-01 --bars; }
echo; echo "== visitors by day"
ask stats --metric uniques --interval day
echo; echo "== where they came from"
ask sources --limit 10
echo; echo "== top pages"
ask stats --group-by path --limit 10

cat <<'TEXT'

That was all of it: one binary, one folder. To go on:
  make run                       serve on 127.0.0.1:8787; keys are printed at the first start
  bin/millimetric import --help  bring your own logs
  bin/millimetric --help         everything else
TEXT
