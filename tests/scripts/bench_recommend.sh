#!/usr/bin/env bash
# Loads a prepared benchmark into a fresh daemon, asks for everybody's list over the socket as of T, and scores the lists.
#   bench_recommend.sh NAME [train [FLAG...]]   with `train` a cycle runs first, with these flags of `mercer train`, and its version serves
# MERCER_DATA_DIR has benchmarks/NAME, SCORE_DIR has score_runs.py, BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
name=$1 train=${2:-}
shift "$(($# > 2 ? 2 : $#))"
start_daemon
at=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["T"])' "$data/$name/meta.json")
timed "$bin/mercer" import --format ndjson items="$data/$name/items.ndjson.gz" users="$data/$name/users.ndjson.gz" \
    interactions="$data/$name/train.ndjson.gz"
timed wait_embedded
if [ -n "$train" ]; then
    timed "$bin/mercer" train --wait "$@"
fi
# Slices: tag of the peers' runs, mode, candidates. Cold items are judged where a peer was.
slices=(repeat.w:repeat:warm new.w:new:warm repeat.f:repeat:all new.f:new:all)
cold=$(find "$data/$name/runs" -name '*.new.c.jsonl*' -print -quit)
for slice in "${slices[@]}" ${cold:+new.c:new:cold}; do
    IFS=: read -r tag mode candidates <<< "$slice"
    printf '\n== %s %s: mode %s, candidates %s\n' "$name" "$tag" "$mode" "$candidates"
    timed "$bin/mercer" recommend --users "$data/$name/eval_users.txt" -k 100 --at "$at" --mode "$mode" \
        --candidates "$candidates" --output ndjson > "$work/lists.jsonl"
    baselines=$(find "$data/$name/runs" -name "*.$tag.jsonl*" -printf '%f\n' | sed "s/\.$tag\.jsonl.*//" | sort \
        | grep -xE 'ensemble|ranker|own\+pop|ease|pop_30d|content' | tr '\n' ' ' || true)
    # shellcheck disable=SC2086
    score_lists --run "$work/lists.jsonl" --mode "$mode" --cand "${tag#*.}" \
        ${baselines:+--baseline $baselines}
done
footprint
