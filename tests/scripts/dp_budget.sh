#!/usr/bin/env bash
# What privacy costs: trains the encoder's adapter on one log with several noise levels and almost without, and prints for each the epsilon
# by two accountants (RDP as Mercer books it, PLD by Google's dp-accounting where pip can install it), NDCG@10, and the membership test.
#   dp_budget.sh [NOISE...]      without one: 3 1.5 0.7 and, as the arm without privacy, 0.001
# With MERCER_DATA_DIR the log is its Online Retail benchmark (training part); otherwise a small simulated one. BIN has mercerd and mercer.
# Few steps, so that all arms together take about 15 minutes of two cores: STEPS (default 15) of about 32 shoppers, one example each.
# More steps cost more epsilon and teach more; the table says how many were taken. A quarter of the shoppers is held out for the
# membership test, so the number of shoppers in training is smaller than the log's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
steps=${STEPS:-15}
budget=${BUDGET:-240s}
delta=1e-5
[ $# -gt 0 ] || set -- 3 1.5 0.7 0.001

if [ -n "${MERCER_DATA_DIR:-}" ] && [ -d "$data/online_retail" ]; then
    set_name="Online Retail"
    import() {
        "$bin/mercer" import --format ndjson items="$data/online_retail/items.ndjson.gz" \
            users="$data/online_retail/users.ndjson.gz" interactions="$data/online_retail/train.ndjson.gz"
    }
else
    set_name="simulated"
    "$bin/mercerd" simulate --seed 7 --users "${USERS:-1200}" --items 200 --days 130 \
        --interactions "${INTERACTIONS:-24000}" --end 2025-01-01T00:00:00Z > "$work/shop.ndjson"
    import() { "$bin/mercer" import --format ndjson "$work/shop.ndjson"; }
fi

# Accountants other than Mercer's own, in a virtual environment of their own.
python=python3
if python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q dp-accounting > "$work/pip.log" 2>&1; then
    python=$work/venv/bin/python
else
    echo "# dp-accounting cannot be installed here: PLD is left out" >&2
fi

: > "$work/rows"
for noise in "$@"; do
    # A fresh state for each arm: the ledger is cumulative, so a second arm on the same state would pay for the first.
    rm -rf "$work/state"
    start_daemon
    stop_daemon
    cat > "$work/config.toml" << TOML
[train]
every_seconds = 0
after_interactions = 0
promote = false
[gate]
holdout = 0.25
holdout_shoppers = 0
[privacy]
epsilon = 1e9
delta = $delta
noise = $noise
clip = 1.0
expected_batch = 32
steps = $steps
pairs_per_user = 1
always_serve = true
TOML
    "$bin/mercerd" --state "$work/state" --socket "$work/s" --config "$work/config.toml" 2> "$work/log" &
    daemon=$!
    until "$bin/mercer" status > /dev/null 2>&1; do sleep 0.2; done
    timed import > "$work/import.txt"
    timed wait_embedded
    sleep 4
    timed "$bin/mercer" train --wait --json --budget "$budget" > "$work/run.json"
    version=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1])).get("model") or "")' "$work/run.json")
    if [ -z "$version" ]; then
        python3 -c 'import json,sys; print("\n".join(json.load(open(sys.argv[1]))["log"]))' "$work/run.json" >&2
        exit 1
    fi
    "$bin/mercer" models show "$version" --json > "$work/version.json"
    timed "$bin/mercer" eval membership --model "$version" --json > "$work/membership.json"
    "$python" - "$noise" "$work/run.json" "$work/version.json" "$work/membership.json" << 'PY' | tee -a "$work/rows" >&2
import json, sys
noise, (run, version, test) = sys.argv[1], [json.load(open(path)) for path in sys.argv[2:]]
privacy = version.get("privacy")
pld = None
if privacy and privacy["noise"] >= 0.1:
    try:
        import dp_accounting
        from dp_accounting import pld as pld_module
        accountant = pld_module.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
        event = dp_accounting.PoissonSampledDpEvent(privacy["rate"], dp_accounting.GaussianDpEvent(privacy["noise"]))
        accountant.compose(dp_accounting.SelfComposedDpEvent(event, privacy["steps"]))
        pld = accountant.get_epsilon(privacy["delta"])
    except ImportError:
        pass
ndcg = {m["slice"]: m for m in version["metrics"] if m["name"] == "ndcg@10"}
tuned = [line for line in run["log"] if line.startswith("fine-tuned encoder against its base")]
print(json.dumps({
    "noise": noise, "steps": privacy and privacy["steps"], "rate": privacy and privacy["rate"],
    "rdp": privacy and privacy["epsilon"], "pld": pld, "ndcg": ndcg, "against_base": tuned[-1:] and tuned[-1],
    "attacks": {a["name"]: a for a in test["attacks"]},
}))
PY
    stop_daemon
done

"$python" - "$set_name" "$delta" "$work/rows" << 'PY'
import json, sys
name, delta, rows = sys.argv[1], sys.argv[2], [json.loads(line) for line in open(sys.argv[3])]
show = lambda value, digits=4: "-" if value is None else f"{value:.{digits}f}" if abs(value) < 1e4 else f"{value:.3g}"
def interval(m):
    return "-" if not m or m.get("value") is None else f'{m["value"]:.4f} [{m["low"]:.4f}, {m["high"]:.4f}]'
def attack(a):
    return "-" if not a or a.get("tpr") is None else f'{a["tpr"]:.3f} [{a["low"]:.3f}, {a["high"]:.3f}]'
print(f"\n{name}, delta {delta}, unit: user; the arm with almost no noise stands for training without privacy\n")
head = ("noise", "steps", "q", "epsilon RDP", "epsilon PLD", "NDCG@10 all", "NDCG@10 novel", "TPR@1% encoder", "TPR@1% lists")
table = [head] + [(r["noise"], str(r["steps"]), show(r["rate"]), show(r["rdp"]), show(r["pld"]), interval(r["ndcg"].get("repeat")),
                   interval(r["ndcg"].get("new")), attack(r["attacks"].get("encoder_loss")), attack(r["attacks"].get("ranker_lists")))
                  for r in rows]
widths = [max(len(row[n]) for row in table) for n in range(len(head))]
for row in table:
    print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)))
for r in rows:
    print(f'noise {r["noise"]}: {r["against_base"]}')
PY
