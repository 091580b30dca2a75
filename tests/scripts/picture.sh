#!/usr/bin/env bash
# Makes the README's picture: the console's overview on a live daemon with a simulated shop and a trained version.
#   picture.sh [FILE]                    FILE is data/docs/console.svg if absent
# BIN has mercerd and mercer; needs tmux and python3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
file=${1:-$root/data/docs/console.svg}
columns=110 rows=30
tmux=(tmux -L "mercer-picture-$$")

# Waits until the console shows a text.
shows() {
    until "${tmux[@]}" capture-pane -p -t console | grep -qF "$1"; do sleep 0.2; done
}

start_daemon
"$bin/mercerd" simulate --seed 7 --users 1500 --items 300 --days 130 --interactions 60000 > "$work/shop.ndjson"
"$bin/mercer" import --format ndjson "$work/shop.ndjson"
wait_embedded
"$bin/mercer" train --wait --budget "${BUDGET:-40s}" || true

trap '"${tmux[@]}" kill-server 2> /dev/null || true; clean_up' EXIT
"${tmux[@]}" -f /dev/null new-session -d -s console -x "$columns" -y "$rows" \
    "COLORTERM= MERCER_SOCKET='$MERCER_SOCKET' '$bin/mercer'"
shows "interactions"
# Some traffic, so that the picture shows rates and latencies.
"$bin/mercer" users -n 200 --json | python3 -c '
import json, sys
for user in json.load(sys.stdin)["items"]:
    print(user["id"])' > "$work/ids.txt"
for _ in $(seq 20); do
    "$bin/mercer" recommend --users "$work/ids.txt" -k 10 --output ndjson > /dev/null
done
sleep 3
"${tmux[@]}" capture-pane -p -e -t console | python3 "$here/ansi_to_svg.py" "$columns" "Mercer's console: overview" > "$file"
echo "$file"
