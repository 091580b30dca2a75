#!/usr/bin/env bash
# Twelve monthly cycles in a row on a growing simulated log: what the store, the models, the vectors and the daemon hold after each.
#   twelve_cycles.sh [MONTHS] [INTERACTIONS A MONTH] [ARGUMENTS OF mercer train]
# Prints a table and fails when anything but the log's own share of the store and of memory keeps growing. BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
months=${1:-12}
each=${2:-20000}
shift $(($# < 2 ? $# : 2))
train=("$@")
[ ${#train[@]} -gt 0 ] || train=(--budget 60s)

"$bin/mercerd" simulate --seed 12 --users 1500 --items 300 --days $((30 * (months + 3))) \
    --interactions $((each * (months + 3))) --end 2025-01-01T00:00:00Z > "$work/shop.ndjson"
# Three months to begin with, then a file a month.
python3 - "$work" "$months" << 'PY'
import datetime, json, sys
work, months = sys.argv[1], int(sys.argv[2])
end = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
begin = end - datetime.timedelta(days=30 * months)
files = [open(f"{work}/month{n:02}.ndjson", "w") for n in range(months + 1)]
for line in open(f"{work}/shop.ndjson"):
    row = json.loads(line).get("interaction")
    n = 0
    if row:
        at = datetime.datetime.fromisoformat(row["at"].replace("Z", "+00:00"))
        n = max(0, min(months, (at - begin).days // 30 + 1)) if at >= begin else 0
    files[n].write(line)
PY

size() { du -sk "${STATE_DIR:-$work/state}/$1" 2> /dev/null | cut -f1 || echo 0; }
start_daemon
printf '%5s %12s %8s %8s %9s %9s %9s %10s %9s %6s  %s\n' month interactions seconds gate store_kB model_kB vector_kB versions rss_MiB peak what
: > "$work/rows"
for n in $(seq 0 "$months"); do
    "$bin/mercer" import --format ndjson "$work/month$(printf %02d "$n").ndjson" > /dev/null
    wait_embedded
    # The memory is fitted two seconds after an import; a cycle beside it would be measured with it.
    sleep 4
    run=$("$bin/mercer" train --wait --json "${train[@]}")
    sleep 2
    python3 - "$n" "$run" "$(status counts.interactions)" "$(size store)" "$(size models)" "$(size vectors)" \
        "$("$bin/mercer" models list --json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["items"]))')" \
        "$(($(status memory_bytes) >> 20))" "$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$daemon/status")" << 'PY' | tee -a "$work/rows"
import json, sys
n, run, interactions, store, models, vectors, versions, rss, peak = sys.argv[1:]
run = json.loads(run)
seconds = sum(phase["seconds"] for phase in run["phases"])
gate = (run.get("gate") or {}).get("verdict", "-")
print(f"{n:>5} {interactions:>12} {seconds:8.1f} {gate[:8]:>8} {store:>9} {models:>9} {vectors:>9} {versions:>10} {rss:>9} {peak:>6}  {run['log'][-1][:60]}")
PY
done

# The log grows by the same number of lines a month, so the store and the memory may grow in proportion to it. Versions may not pile up,
# nor one of them or the vectors grow: the base takes no room, so it is those that were made that are counted.
python3 - "$work/rows" << 'PY'
import sys
rows = [line.split()[:10] for line in open(sys.argv[1])]
half = rows[len(rows) // 2]
last = rows[-1]
number = lambda row, column: float(row[column])
made = lambda row: max(number(row, 7) - 1, 1)
log = number(last, 1) / number(half, 1)
measures = [
    ("store", lambda row: number(row, 4), 1.3 * log),
    ("a version", lambda row: number(row, 5) / made(row), 1.3),
    ("vectors of a version", lambda row: number(row, 6) / made(row), 1.3),
    ("versions", lambda row: number(row, 7), 1.3),
    ("resident memory", lambda row: number(row, 8), 1.3 * log),
]
for name, of, factor in measures:
    grown = of(last) / max(of(half), 1)
    print(f"# {name}: {grown:.2f} times since half way, the log {log:.2f} times")
    if grown > factor:
        sys.exit(f"{name} grows without bound")
if number(last, 7) > 5:
    sys.exit("more versions stay than the base, the one that serves and three")
PY
