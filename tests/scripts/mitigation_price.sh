#!/usr/bin/env bash
# Prints the price of every mitigation with its default parameters on the benchmarks: metrics on the validation window before and after,
# with the paired 95 % interval of the difference. The test window of a benchmark is not in the log that is imported.
#   mitigation_price.sh BIN_DIR OUT_DIR [SET...]
# BIN_DIR has mercerd and mercer. OUT_DIR gets NAME.MITIGATION.json, the whole documents. A SET is online_retail or open_ecommerce; without
# one, both. MERCER_DATA_DIR has benchmarks/NAME. The untrained blend makes the lists, or the version of STATE_DIR, which trained_set.sh
# prepared for the one SET that is named. FIRST_ITEMS and VECTORS_CACHE are those of that script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
BIN=$1
out=$2
shift 2
[ $# -gt 0 ] || set -- online_retail open_ecommerce
mkdir -p "$out"
out=$(cd "$out" && pwd)
. "$here/lib.sh"

# Prints the documents of a benchmark as one table in Markdown.
price_table() {
    python3 - "$1" "$out" << 'PYTHON'
import json, os, sys
name, out = sys.argv[1:]
kinds = ["mmr", "dpp", "xquad", "calibrated", "det_greedy", "fair_star_ir", "exposure", "popularity"]
prices = {kind: json.load(open(os.path.join(out, f"{name}.{kind}.json"))) for kind in kinds}
one = prices["mmr"]
print(f"\n{name}: {one['users']} shoppers, {one['from']} to {one['to']}, {one['model']}\n")
metrics = list(dict.fromkeys(row["name"] for price in prices.values() for row in price["rows"]))
print("| mitigation | lists changed | " + " | ".join(metrics) + " |")
print("|---" * (len(metrics) + 2) + "|")
number = lambda value: "-" if value is None else f"{value:.4f}" if abs(value) < 100 else f"{value:.0f}"
for kind, price in prices.items():
    cells = []
    for metric in metrics:
        row = next((row for row in price["rows"] if row["name"] == metric), None)
        if row is None or row["before"] is None or row["after"] is None:
            cells.append(row["undefined"] if row and row.get("undefined") else "-")
            continue
        interval = f" [{number(row['low'])}, {number(row['high'])}]" if row["low"] is not None else ""
        cells.append(f"{number(row['before'])} -> {number(row['after'])}{interval}")
    print(f"| {kind} | {price['lists_changed']} | " + " | ".join(cells) + " |")
for note in dict.fromkeys(note for price in prices.values() for note in price.get("notes", [])):
    print(f"note: {note}")
PYTHON
}

for name in "$@"; do
    stop_daemon
    open_set "$name"
    # The same items with groups, for mitigations to work on.
    timed "$bin/mercer" import --format ndjson items="$work/set/items.ndjson.gz" > "$work/import.log"
    wait_embedded
    sleep 3
    for kind in mmr dpp xquad calibrated det_greedy fair_star_ir exposure popularity; do
        timed "$bin/mercer" mitigation what-if "$work/set/$kind.json" --placement price --json > "$out/$name.$kind.json"
    done
    price_table "$name"
done
