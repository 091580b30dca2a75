#!/usr/bin/env bash
# Prepares a state directory with a benchmark, for the scripts that take STATE_DIR: imports it, and with `train` runs a cycle and lets its
# version serve whatever the gate says (the log prints what it said).
#   trained_set.sh NAME STATE_DIR [train [FLAG...]]      flags of `mercer train`, such as --no-encoder --seed 17 --budget 12h
# MERCER_DATA_DIR has benchmarks/NAME, BIN has mercerd and mercer. FIRST_ITEMS=N takes the first N items of a catalogue and the log about
# them. VECTORS_CACHE keeps the vectors of items between calls.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
name=$1
export STATE_DIR=$2
train=${3:-}
shift "$(($# > 3 ? 3 : $#))"
. "$here/lib.sh"
open_set "$name"
if [ -n "$train" ]; then
    timed "$bin/mercer" train --wait --no-promote "$@" --json > "$work/run.json"
    version=$(python3 -c '
import json, sys
run = json.load(open(sys.argv[1]))
print("\n".join(run["log"]), file=sys.stderr)
print(run["model"])' "$work/run.json")
    "$bin/mercer" models promote "$version"
fi
"$bin/mercer" models
footprint
