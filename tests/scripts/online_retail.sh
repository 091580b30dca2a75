#!/usr/bin/env bash
# A whole shop log through the front door: import with its report, the same file again, and what an operator asks then.
#   online_retail.sh FILE                FILE is the UCI Online Retail log as CSV, plain or packed
# BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
file=$1
start_daemon
timed "$bin/mercer" import --preset online-retail "$file"
footprint
printf '\n== the same file again\n'
timed "$bin/mercer" import --preset online-retail "$file"
footprint
timed wait_embedded
for ask in "profile 17850" "recommend 17850 -k 10" "recommend 17850 -k 10 --mode new --reasons" "search|christmas lights|-k|10" \
    "related 85123A -k 10" "trending -k 10 --at 2011-12-01"; do
    printf '\n== mercer %s\n' "$ask"
    # Words are parted at blanks, or at bars where one holds a blank.
    if [[ $ask == *"|"* ]]; then IFS='|' read -ra words <<< "$ask"; else read -ra words <<< "$ask"; fi
    "$bin/mercer" "${words[@]}"
done
footprint
