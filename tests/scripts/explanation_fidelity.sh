#!/usr/bin/env bash
# Loads a prepared benchmark into a fresh daemon, explains lists and replays the reasons: are the stated ranks true.
#   explanation_fidelity.sh NAME
# LISTS is the number of lists (200), REFITS that of claims that are replayed with a fitted index (20), LIMIT the seconds they may take (3600).
# MERCER_DATA_DIR has benchmarks/NAME, BIN has mercerd and mercer. STATE_DIR is a state that trained_set.sh prepared; without, the untrained
# blend serves. FIRST_ITEMS and VECTORS_CACHE are those of that script. Prints the table, then the document. Fails below 95 %.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
name=$1
open_set "$name"
check=("$bin/mercer" eval explanations --lists "${LISTS:-200}" --refits "${REFITS:-20}" --limit "${LIMIT:-3600}")
printf '\n== %s\n' "$name"
code=0
timed "${check[@]}" --json > "$work/fidelity.json" || code=$?
python3 - "$work/fidelity.json" <<'PY'
import json, sys
found = json.load(open(sys.argv[1]))
share = lambda s: "-" if s.get("share") is None else f"{s['share']:.4f} [{s['low']:.4f}, {s['high']:.4f}] of {s['n']}"
print(f"lists {found['lists']} of {found['asked']}, rows {found['rows']}, model {found['model']}, {found['seconds']:.0f} s")
print(f"stated ranks that come true     {share(found['validity'])}")
print(f"claims that fall after a refit  {share(found['falls_after_refit'])}")
print(f"rows with a reason              {share(found['explained'])}")
curve = found.get("deletion")
if curve:
    print(f"deletion area                   explained {curve['explained']:.4f}, random {curve['random']:.4f}, "
          f"gain {curve['gain']:.4f} [{curve.get('low')}, {curve.get('high')}] over {curve['lists']} lists")
print(f"stability                       {found.get('stability')}, incomplete searches {found['incomplete']}")
for count in found["categories"]:
    print(f"  {count['category']:<16} strongest of {count['strongest']:>5} rows, {count['reasons']:>5} reasons")
PY
cat "$work/fidelity.json"
footprint
exit "$code"
