#!/usr/bin/env bash
# Captures every console screen from a live daemon with a simulated shop and a trained version, at 80x24 and 200x50.
#   captures.sh DIR                      DIR gets SCREEN-WIDTHxHEIGHT.txt
# BIN has mercerd and mercer; needs tmux.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
out=$1
mkdir -p "$out"
start_daemon
"$bin/mercerd" simulate --seed 7 --users 4000 --items 400 --days 130 --interactions 200000 > "$work/shop.ndjson"
"$bin/mercer" import --format ndjson "$work/shop.ndjson"
timed wait_embedded
timed "$bin/mercer" train --wait --budget 20s
# One run under way, so that the training screen moves.
"$bin/mercer" train --budget 60s

tmux=(tmux -L "mercer-captures-$$")
trap '"${tmux[@]}" kill-server 2> /dev/null || true; clean_up' EXIT

# Sends keys, waits until nothing moves any more for a moment, and keeps what is on the screen.
shot() {
    local name=$1
    shift
    [ $# = 0 ] || "${tmux[@]}" send-keys -t console "$@"
    sleep 1.5
    "${tmux[@]}" capture-pane -p -t console > "$out/$name-$size.txt"
}

for size in 80x24 200x50; do
    "${tmux[@]}" -f /dev/null new-session -d -s console -x "${size%x*}" -y "${size#*x}" \
        "MERCER_SOCKET='$MERCER_SOCKET' '$bin/mercer'"
    sleep 1
    shot overview
    shot users 2
    shot user Enter
    shot search 3
    "${tmux[@]}" send-keys -t console / "tea"
    shot found Enter
    shot training 4
    shot models 5
    shot model Enter
    shot reports 6
    shot diversity Tab
    shot fairness Tab
    shot log 7
    shot help ?
    "${tmux[@]}" send-keys -t console Escape
    shot palette :
    "${tmux[@]}" kill-session -t console
done
