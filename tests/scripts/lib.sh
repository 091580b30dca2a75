# What the measuring scripts share: a release daemon on a private state directory, and the time and memory of what it does.
# BIN has mercerd and mercer (default target/release); STATE_DIR keeps the state instead of a temporary directory.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${BIN:-$root/target/release}
bin=$(cd "$bin" && pwd)
work=$(mktemp -d)
daemon=
# Prepared benchmarks, and what scores lists for them.
data=${MERCER_DATA_DIR:-$root/../shared/data}/benchmarks
score=${SCORE_DIR:-$root/../shared/score}/score_runs.py

stop_daemon() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2> /dev/null || true
        wait "$daemon" 2> /dev/null || true
        daemon=
    fi
}

clean_up() {
    stop_daemon
    rm -rf "$work"
}

start_daemon() {
    mkdir -p "${STATE_DIR:-$work/state}"
    # Nothing is trained unless the script asks for it: measurements do not depend on when a schedule strikes.
    printf '[train]\nevery_seconds = 0\nafter_interactions = 0\n' > "$work/config.toml"
    "$bin/mercerd" --state "${STATE_DIR:-$work/state}" --socket "$work/s" --config "$work/config.toml" 2> "$work/log" &
    daemon=$!
    trap clean_up EXIT
    export MERCER_SOCKET=$work/s
    local n
    for n in $(seq 600); do
        "$bin/mercer" status > /dev/null 2>&1 && return
        kill -0 "$daemon" 2> /dev/null || break
        sleep 0.1
    done
    cat "$work/log" >&2
    exit 1
}

# Reads one value of the status, such as `counts.items`.
status() {
    "$bin/mercer" status --json | python3 -c '
import json, sys
value = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    value = value[part]
print(value)' "$1"
}

# Waits until every item has its vector.
wait_embedded() {
    until [ "$(status counts.items)" = "$(status counts.embedded)" ]; do sleep 1; done
}

# Prints what the daemon holds now, and the most it ever held.
footprint() {
    printf 'resident %s MiB (peak %s MiB), store %s MiB, %s items, %s shoppers, %s interactions\n' \
        "$(($(status memory_bytes) >> 20))" "$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$daemon/status")" \
        "$(($(status store_bytes) >> 20))" "$(status counts.items)" "$(status counts.users)" "$(status counts.interactions)"
}

# Scores lists for the benchmark `name`.
score_lists() {
    BENCH_OUT=$data python3 "$score" "$name" "$@"
}

# Runs a command and says how long it took.
timed() {
    local begun=$EPOCHREALTIME
    "$@"
    python3 -c 'import sys; print(f"# {sys.argv[3]}: {float(sys.argv[2]) - float(sys.argv[1]):.1f} s")' \
        "$begun" "$EPOCHREALTIME" "$(basename "$1") ${2:-}" >&2
}

# Starts a daemon with the benchmark `$1`, on STATE_DIR as it is where it holds a store, else on a fresh state, and leaves in `$work/set` its
# items with groups and the settings of mitigations. FIRST_ITEMS=N takes the first N items of a catalogue and the log about them.
# VECTORS_CACHE keeps the vectors of items between calls.
open_set() {
    local name=$1 state=${STATE_DIR:-$work/state}
    rm -rf "$work/set"
    mkdir -p "$work/set"
    python3 "$root/tests/scripts/with_groups.py" "$data/$name" "$work/set" "${FIRST_ITEMS:-0}"
    if [ -n "${STATE_DIR:-}" ] && [ -d "$STATE_DIR/store" ]; then
        start_daemon
    else
        rm -rf "$state"
        mkdir -p "$state"
        [ ! -d "${VECTORS_CACHE:-}/$name" ] || cp -r "$VECTORS_CACHE/$name" "$state/vectors"
        start_daemon
        timed "$bin/mercer" import --format ndjson items="$work/set/raw.ndjson.gz" users="$data/$name/users.ndjson.gz" \
            interactions="$work/set/train.ndjson.gz" > "$work/import.log"
        timed wait_embedded
        if [ -n "${VECTORS_CACHE:-}" ]; then
            mkdir -p "$VECTORS_CACHE"
            rm -rf "${VECTORS_CACHE:?}/$name"
            cp -r "$state/vectors" "$VECTORS_CACHE/$name"
        fi
    fi
    wait_embedded
    # A start or an import may still be read.
    until [ "$(status upkeep.unfitted)" = 0 ] && "$bin/mercer" trending -k 1 > /dev/null 2>&1; do sleep 1; done
}
