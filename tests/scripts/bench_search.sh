#!/usr/bin/env bash
# Loads a search benchmark into a fresh daemon, waits until every item has its vector, searches over the socket and scores.
#   bench_search.sh NAME
# MERCER_DATA_DIR has benchmarks/NAME, SCORE_DIR has score_runs.py, BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
name=$1
start_daemon
timed "$bin/mercer" import --format ndjson items="$data/$name/items.ndjson.gz"
timed wait_embedded
gzip -dc "$data/$name/queries.ndjson.gz" > "$work/queries.ndjson"
timed "$bin/mercer" search --queries "$work/queries.ndjson" -k 30 --output ndjson > "$work/lists.jsonl"
baselines=$(find "$data/$name/runs" -name '*.full.jsonl*' -printf '%f\n' | cut -d. -f1 | sort -u | tr '\n' ' ')
# shellcheck disable=SC2086
score_lists --run "$work/lists.jsonl" --search full ${baselines:+--baseline $baselines}
footprint
