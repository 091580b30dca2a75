#!/usr/bin/env bash
# Promotes and rolls back while clients ask without a pause; counts requests, failures and answers that no one version made.
#   swap_load.sh CLIENTS SWAPS SOURCE...      SOURCE as for `mercer import`, such as `--preset online-retail FILE`
# A version is trained first (memory and ranker only, unless ENCODER=1). BIN has mercerd and mercer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
clients=$1 swaps=$2
shift 2
start_daemon
"$bin/mercer" import "$@"
timed wait_embedded
flags=(--wait --no-promote)
[ -n "${ENCODER:-}" ] || flags+=(--no-encoder)
timed "$bin/mercer" train "${flags[@]}"
version=$("$bin/mercer" models --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][0]["version"])')
python3 "$here/swap_load.py" "$MERCER_SOCKET" "$bin/mercer" "$version" "$clients" "$swaps"
footprint
