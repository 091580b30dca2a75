#!/usr/bin/env bash
# Prints all reports of what serves on a benchmark, on the validation window before T, and the main parameters of ranking in words.
#   reports.sh NAME [OUT_DIR]      OUT_DIR gets each report as JSON
# MERCER_DATA_DIR has benchmarks/NAME, BIN has mercerd and mercer. STATE_DIR is a state that trained_set.sh prepared; without, the untrained
# blend serves. FIRST_ITEMS and VECTORS_CACHE are those of that script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
name=$1
out=${2:-}
. "$here/lib.sh"
open_set "$name"
for kind in quality diversity fairness data privacy; do
    printf '\n== %s\n' "$kind"
    timed "$bin/mercer" report "$kind"
    [ -z "$out" ] || { mkdir -p "$out" && "$bin/mercer" report "$kind" --json > "$out/$kind.json"; }
done
printf '\n== parameters\n'
timed "$bin/mercer" report parameters
footprint
