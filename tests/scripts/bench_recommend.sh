#!/usr/bin/env bash
# Loads a prepared benchmark into a fresh daemon, asks for everybody's list over the socket at T and scores the lists.
#   bench_recommend.sh NAME [train]     with `train` a cycle runs before the lists are asked for
# MERCER_DATA_DIR has benchmarks/NAME, SCORE_DIR has score_runs.py, BIN has mercerd and mercer.
set -euo pipefail
name=$1
train=${2:-}
data=${MERCER_DATA_DIR:-../shared/data}/benchmarks
score=${SCORE_DIR:-../shared/score}/score_runs.py
bin=${BIN:-target/release}
dir=$(mktemp -d)
trap 'kill $daemon 2>/dev/null; wait $daemon 2>/dev/null || true; rm -rf "$dir"' EXIT
MERCER_LOG=info "$bin/mercerd" --state "$dir/state" --socket "$dir/s" 2> "$dir/log" &
daemon=$!
export MERCER_SOCKET=$dir/s
until "$bin/mercer" status > /dev/null 2>&1; do sleep 0.2; done
at=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["T"])' "$data/$name/meta.json")
"$bin/mercer" import --format ndjson items="$data/$name/items.ndjson.gz" users="$data/$name/users.ndjson.gz" interactions="$data/$name/train.ndjson.gz"
if [ -n "$train" ]; then
    "$bin/mercer" train --wait
fi
for slice in repeat.w:repeat:warm new.w:new:warm repeat.f:repeat:all; do
    IFS=: read -r tag mode candidates <<< "$slice"
    "$bin/mercer" recommend --users "$data/$name/eval_users.txt" -k 40 --at "$at" --mode "$mode" --candidates "$candidates" --output ndjson > "$dir/lists.jsonl"
    baselines=$(ls "$data/$name/runs" | grep "\.$tag\.jsonl" | cut -d. -f1 | grep -E '^(ensemble|ranker|own\+pop|ease|pop_30d)$' | tr '\n' ' ')
    BENCH_OUT=$data python3 "$score" "$name" --run "$dir/lists.jsonl" --mode "$mode" --cand "${tag#*.}" --baseline $baselines
done
"$bin/mercer" status
