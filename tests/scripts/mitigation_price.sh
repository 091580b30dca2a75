#!/usr/bin/env bash
# Prints the price of every mitigation with its default parameters on the benchmarks: metrics on the validation window before and after,
# with the paired 95 % interval of the difference. The test window of a benchmark is not in the log that is imported.
#   mitigation_price.sh BIN_DIR OUT_DIR [SET...]
# BIN_DIR has mercerd and mercer. OUT_DIR gets NAME.MITIGATION.json, the whole documents. A SET is online_retail or open_ecommerce; without
# one, both. MERCER_DATA_DIR has benchmarks/NAME. TRAIN=1 trains a ranker first; without, the untrained blend makes the lists.
# FIRST_ITEMS=N takes the first N items of a catalogue and the log about them. VECTORS_CACHE keeps the vectors of items between calls.
#
# The logs know no sellers, and one of them no categories. So that every mitigation has groups, items get, where they lack them: as brand
# the first word of the title (which is what ranking takes for the brand anyway), and the attributes `price_band` (thirds of the
# catalogue) and `sales` (head: the smallest set of items with 80 % of the purchases; tail: all others). Titles stay as they are, so
# vectors and lists do too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
BIN=$1
out=$2
shift 2
[ $# -gt 0 ] || set -- online_retail open_ecommerce
mkdir -p "$out"
out=$(cd "$out" && pwd)
. "$here/lib.sh"

# Writes items with groups and their log into a directory, and the settings of each mitigation beside them.
with_groups() {
    python3 - "$1" "$2" "${FIRST_ITEMS:-0}" << 'PYTHON'
import collections, gzip, itertools, json, sys
source, target, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
lines = lambda name: gzip.open(f"{source}/{name}.ndjson.gz", "rt")
items = [json.loads(line) for line in (itertools.islice(lines("items"), first) if first else lines("items"))]
known = {item["id"] for item in items}
sold = collections.Counter()
with gzip.open(f"{target}/train.ndjson.gz", "wt") as log:
    for line in lines("train"):
        event = json.loads(line)
        if event.get("item") in known:
            log.write(line)
            if event["type"] == "purchase":
                sold[event["item"]] += 1
total, covered, head = sum(sold.values()), 0, set()
for item, count in sold.most_common():
    if covered >= 0.8 * total:
        break
    covered += count
    head.add(item)
prices = sorted(item["price"] for item in items if item.get("price") is not None)
thirds = [prices[len(prices) // 3], prices[2 * len(prices) // 3]] if prices else [0, 0]
brands = collections.Counter()
with gzip.open(f"{target}/items.ndjson.gz", "wt") as file:
    for item in items:
        words = item["title"].split()
        item["brand"] = item.get("brand") or (words[0].lower() if words else None)
        brands[item["brand"]] += 1
        attributes = item.setdefault("attributes", {})
        attributes["sales"] = "head" if item["id"] in head else "tail"
        if item.get("price") is not None:
            attributes["price_band"] = ["low", "middle", "high"][sum(item["price"] >= third for third in thirds)]
        file.write(json.dumps({key: value for key, value in item.items() if value is not None}) + "\n")
by = "category" if any(item.get("category") for item in items) else "attribute:price_band"
floors = {brand: round(count / len(items), 4) for brand, count in brands.most_common(3) if brand}
settings = {
    "mmr": {},
    "dpp": {},
    "xquad": {"by": by},
    "calibrated": {"by": by},
    "det_greedy": {"by": "attribute:sales", "shares": {"tail": 0.2, "head": 0.8}},
    "fair_star_ir": {"by": "attribute:sales", "protected": "tail", "p": 0.2},
    "exposure": {"by": "brand", "floors": floors},
    "popularity": {},
}
for kind, parameters in settings.items():
    with open(f"{target}/{kind}.json", "w") as file:
        json.dump({"rerankers": [{"kind": kind, **parameters}]}, file)
PYTHON
}

# Starts a daemon on a fresh state with the benchmark `name`.
open_set() {
    local name=$1
    stop_daemon
    rm -rf "$work/state" "$work/set"
    mkdir -p "$work/state" "$work/set"
    with_groups "$data/$name" "$work/set"
    [ ! -d "${VECTORS_CACHE:-}/$name" ] || cp -r "$VECTORS_CACHE/$name" "$work/state/vectors"
    start_daemon
    timed "$bin/mercer" import --format ndjson items="$work/set/items.ndjson.gz" users="$data/$name/users.ndjson.gz" \
        interactions="$work/set/train.ndjson.gz" > "$work/import.log"
    timed wait_embedded
    if [ -n "${VECTORS_CACHE:-}" ]; then
        mkdir -p "$VECTORS_CACHE"
        rm -rf "${VECTORS_CACHE:?}/$name"
        cp -r "$work/state/vectors" "$VECTORS_CACHE/$name"
    fi
    if [ "${TRAIN:-}" = 1 ]; then
        timed "$bin/mercer" train --wait --no-encoder --promote --seed 17 --budget 12h > "$work/train.log"
    fi
}

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
    open_set "$name"
    for kind in mmr dpp xquad calibrated det_greedy fair_star_ir exposure popularity; do
        timed "$bin/mercer" mitigation what-if "$work/set/$kind.json" --placement price --json > "$out/$name.$kind.json"
    done
    price_table "$name"
done
