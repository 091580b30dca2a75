#!/usr/bin/env bash
# What a cycle without encoder costs as the log and the catalogue grow, on simulated shops: seconds and CPU seconds of each phase, the
# most memory, and the seconds of embedding the catalogue before.
#   costs.sh [INTERACTIONS:ITEMS]...     by default 100k, 300k and 1M interactions of 4k items, and 300k of 20k and 100k items
# BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ $# -gt 0 ] || set -- 100000:4000 300000:4000 1000000:4000 300000:20000 300000:100000
for size in "$@"; do
    IFS=: read -r interactions items <<< "$size"
    printf '\n== %s interactions, %s items\n' "$interactions" "$items"
    start_daemon
    "$bin/mercerd" simulate --seed 7 --users "$((interactions / 40))" --items "$items" --days 365 \
        --interactions "$interactions" > "$work/shop.ndjson"
    timed "$bin/mercer" import --format ndjson "$work/shop.ndjson" > /dev/null
    timed wait_embedded
    # More budget than any of them takes: what is measured is the whole cycle.
    "$bin/mercer" train --wait --no-encoder --budget 4h --json > "$work/run.json"
    python3 - "$work/run.json" << 'PYTHON'
import json, sys
run = json.load(open(sys.argv[1]))
for phase in run["phases"]:
    print(f'{phase["phase"]:12} {phase["seconds"]:8.1f} s {phase["cpu_seconds"]:8.1f} CPU s')
print("whole        %8.1f s %8.1f CPU s" % tuple(sum(p[k] for p in run["phases"]) for k in ("seconds", "cpu_seconds")))
print("peak memory %.2f GiB" % (run["memory_bytes"] / 2**30))
for line in run["log"]:
    print("  " + line)
PYTHON
    stop_daemon
    rm -rf "$work/state"
done
