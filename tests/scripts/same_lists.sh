#!/usr/bin/env bash
# Writes the lists of the benchmarks, so that those of two builds can be compared byte for byte: users and queries with the items they
# get and their scores, no query ids and no times. Prints the SHA-256 of each file.
#   same_lists.sh BIN_DIR OUT_DIR [SET...]
# BIN_DIR has mercerd and mercer. A SET is one of
#   online_retail, open_ecommerce                    lists of the untrained blend, modes repeat and new
#   online_retail.trained, open_ecommerce.trained    the same after a cycle without encoder (fixed seed, a budget that ends nothing)
#   product_search, reviews_zh                       searches
# without one, all of them. The trained set of a benchmark goes on in the state of its untrained set.
# MERCER_DATA_DIR has benchmarks/NAME. FIRST_ITEMS=N takes the first N items of a catalogue and the log about them. VECTORS_CACHE keeps
# the vectors of items from one call to the next: a new encoder gets new ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
BIN=$1
out=$2
shift 2
[ $# -gt 0 ] || set -- online_retail online_retail.trained open_ecommerce open_ecommerce.trained product_search reviews_zh
mkdir -p "$out"
out=$(cd "$out" && pwd)
. "$here/lib.sh"

# Ties are broken by a hash under the state's key, and calls must agree on it.
fixed_key() {
    mkdir -p "$work/state"
    printf '%s' 'mercer: the key of same_lists.sh' > "$work/state/key"
    chmod 600 "$work/state/key"
}

# The first items of a benchmark and the interactions with them, in a directory of their own, which `from` names then.
first_items() {
    from=$work/first
    mkdir -p "$from"
    python3 - "$1" "$from" "$FIRST_ITEMS" << 'PYTHON'
import gzip, itertools, json, os, sys
source, target, count = sys.argv[1:]
known = set()
with gzip.open(f"{source}/items.ndjson.gz", "rt") as lines, gzip.open(f"{target}/items.ndjson.gz", "wt") as out:
    for line in itertools.islice(lines, int(count)):
        known.add(json.loads(line)["id"])
        out.write(line)
if os.path.exists(f"{source}/train.ndjson.gz"):
    with gzip.open(f"{source}/train.ndjson.gz", "rt") as lines, gzip.open(f"{target}/train.ndjson.gz", "wt") as out:
        out.writelines(line for line in lines if json.loads(line).get("item") in known)
PYTHON
}

# Starts a daemon on a fresh state with the items of a benchmark, and its log where there is one.
open_benchmark() {
    local name=$1
    stop_daemon
    rm -rf "$work/state"
    fixed_key
    if [ -d "${VECTORS_CACHE:-}/$name" ]; then
        cp -r "$VECTORS_CACHE/$name" "$work/state/vectors"
    fi
    start_daemon
    local from=$data/$name
    [ -z "${FIRST_ITEMS:-}" ] || first_items "$from"
    local files=(items="$from/items.ndjson.gz")
    if [ -f "$from/train.ndjson.gz" ]; then
        files+=(users="$data/$name/users.ndjson.gz" interactions="$from/train.ndjson.gz")
    fi
    timed "$bin/mercer" import --format ndjson "${files[@]}" > "$work/import.log"
    timed wait_embedded
    if [ -n "${VECTORS_CACHE:-}" ]; then
        mkdir -p "$VECTORS_CACHE"
        rm -rf "$VECTORS_CACHE/$name"
        cp -r "$work/state/vectors" "$VECTORS_CACHE/$name"
    fi
    opened=$name
}

# Runs a command that writes lists until two runs in a row agree: by then nothing in the background is still being fitted. Keeps the
# last, with its lines in the order asked and without anything but ids and scores.
settled() {
    local file=$1
    shift
    local round
    : > "$work/before"
    for round in $(seq 60); do
        "$@" > "$work/raw"
        python3 - "$work/raw" > "$work/after" << 'PYTHON'
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    kept = {key: row[key] for key in ("user", "query", "code") if row.get(key) is not None}
    kept["items"] = [{"id": item["id"], "score": item["score"]} for item in row["items"]]
    print(json.dumps(kept, ensure_ascii=False))
PYTHON
        if cmp -s "$work/before" "$work/after"; then
            mv "$work/after" "$out/$file"
            (cd "$out" && sha256sum "$file")
            return
        fi
        mv "$work/after" "$work/before"
    done
    echo "$file: the lists do not settle in $round rounds" >&2
    exit 1
}

# A list for each shopper of the benchmark as of the moment it is judged at. Shoppers that the daemon does not know are in it by their code.
write_lists() {
    local name=$1 set=$2 at mode
    at=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["T"])' "$data/$name/meta.json")
    for mode in repeat new; do
        settled "$set.$mode.jsonl" ask_lists "$data/$name/eval_users.txt" --at "$at" --mode "$mode"
    done
}

ask_lists() {
    local users=$1
    shift
    # Exit code 1: some line was refused, which the line says.
    "$bin/mercer" recommend --users "$users" -k 20 --output ndjson "$@" || [ $? = 1 ]
}

opened=
for set in "$@"; do
    name=${set%.trained}
    printf '# %s\n' "$set" >&2
    [ "$opened" = "$name" ] || open_benchmark "$name"
    case $set in
        product_search | reviews_zh)
            gzip -dc "$data/$name/queries.ndjson.gz" > "$work/queries.ndjson"
            settled "$set.search.jsonl" "$bin/mercer" search --queries "$work/queries.ndjson" -k 20 --output ndjson
            ;;
        *.trained)
            timed "$bin/mercer" train --wait --no-encoder --no-promote --seed 17 --budget 12h --json > "$work/run.json"
            version=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["model"])' "$work/run.json")
            "$bin/mercer" models promote "$version" > "$work/promote.log"
            write_lists "$name" "$set"
            # The state has another version now.
            opened=
            ;;
        *) write_lists "$name" "$set" ;;
    esac
done
