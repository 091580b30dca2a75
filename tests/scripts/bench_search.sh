#!/usr/bin/env bash
# Loads a search benchmark into a fresh daemon, waits until every item has its vector, searches over the socket and scores.
#   bench_search.sh NAME
# MERCER_DATA_DIR has benchmarks/NAME, SCORE_DIR has score_runs.py, BIN has mercerd and mercer.
set -euo pipefail
name=$1
data=${MERCER_DATA_DIR:-../shared/data}/benchmarks
score=${SCORE_DIR:-../shared/score}/score_runs.py
bin=${BIN:-target/release}
dir=$(mktemp -d)
trap 'kill $daemon 2>/dev/null; wait $daemon 2>/dev/null || true; rm -rf "$dir"' EXIT
"$bin/mercerd" --state "$dir/state" --socket "$dir/s" 2> "$dir/log" &
daemon=$!
export MERCER_SOCKET=$dir/s
until "$bin/mercer" status > /dev/null 2>&1; do sleep 0.2; done
"$bin/mercer" import --format ndjson items="$data/$name/items.ndjson.gz"
until "$bin/mercer" status --json | python3 -c 'import json,sys; c=json.load(sys.stdin)["counts"]; sys.exit(c["items"] != c["embedded"])'; do sleep 1; done
python3 -c 'import gzip,sys; sys.stdout.write(gzip.open(sys.argv[1],"rt").read())' "$data/$name/queries.ndjson.gz" > "$dir/queries.ndjson"
"$bin/mercer" search --queries "$dir/queries.ndjson" -k 30 --output ndjson > "$dir/lists.jsonl"
baselines=$(ls "$data/$name/runs" | grep '\.full\.jsonl' | cut -d. -f1 | tr '\n' ' ')
BENCH_OUT=$data python3 "$score" "$name" --run "$dir/lists.jsonl" --search full --baseline $baselines
