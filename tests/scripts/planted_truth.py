#!/usr/bin/env python3
"""Whether reports find what was planted in a log and accuse no log where nothing was: prints counts over seeds.

    planted_truth.py [SEEDS [FIRST]]      without: 100 seeds from 1; BIN has mercerd and mercer (default target/release)

Each seed makes three logs of one shop, each imported into a daemon of its own, whose reports are then read with `mercer report`:

* small: 80 of 1,100 shoppers buy at random in 6 of 10 cases instead of by taste; the goods of one seller are new, so that no list
  shows them, but a sixth of the shoppers buys one in the window.
* large: the same for 400 shoppers; popular goods are shown at random times, and one showing in seven makes a purchase.
* none: groups are drawn alike and differ in nothing; showings make no purchase.

A log is flagged if the fairness report finds a gap above noise by a declared attribute (there are three, two of which mean nothing
in any log), and named if that attribute and its worst group are the planted ones.
"""

import json
import pathlib
import random
import sys
import tempfile
import time

from harness import Daemon

USERS, THEMES, PER_THEME, SELLERS = 1100, 20, 10, 10
DAYS, WINDOW = 70, 7
HIDDEN = "seller-9"
START = 1_700_000_000


def shop(seed, kind):
    """The log as NDJSON lines."""
    dice = random.Random(f"{seed}/{kind}")
    items = [(theme, n) for theme in range(THEMES) for n in range(PER_THEME)]
    name = lambda item: f"i{item[0]:02}-{item[1]}"
    seller = lambda item: f"seller-{(item[0] * 7 + item[1]) % SELLERS}"
    hides = kind == "small"
    lines, events = [], []
    words = "kettle lantern puzzle scarf notebook candle basket mirror hammer pillow violin umbrella teapot racket " \
            "helmet blanket compass ladder bucket vase".split()
    for item in items:
        document = {"id": name(item), "title": f"{words[item[0]]} number {item[1]}", "seller": seller(item)}
        lines.append({"item": document})
    old = [item for item in items if not (hides and seller(item) == HIDDEN)]
    new = [item for item in items if seller(item) == HIDDEN]
    # What sells: goods of a theme differ in appeal.
    appeal = lambda goods: dice.choices(goods, [1 / (1 + n) for _, n in goods])[0]
    planted = {"small": 80, "large": 400, "none": 80}[kind]
    group = set(dice.sample(range(USERS), planted))
    for user in range(USERS):
        attributes = {
            "club": "b" if user in group else "a",
            "town": dice.choice(["north", "south", "east", "west"]),
            "age_band": dice.choice(["18-34", "35-54", "55+"]),
        }
        consent = {"personalise": True, "train": True, "audit_attributes": True}
        lines.append({"user": {"id": f"u{user}", "attributes": attributes, "consent": consent}})
        tastes = dice.sample(range(THEMES), 2)
        aimless = 0.6 if user in group and kind != "none" else 0.0

        def buys(day):
            chance = dice.random() < max(aimless, 0.1)
            goods = old if chance else [item for item in old if item[0] in tastes]
            events.append((day + dice.random(), user, dice.choice(goods) if chance else appeal(goods), "purchase"))

        for _ in range(dice.randint(4, 9)):
            buys(dice.randrange(DAYS - WINDOW))
        for _ in range(dice.randint(1, 3)):
            buys(DAYS - WINDOW + dice.randrange(WINDOW))
        if hides and dice.random() < 1 / 6:
            events.append((DAYS - WINDOW + WINDOW * dice.random(), user, dice.choice(new), "purchase"))
        for _ in range(4 if kind != "small" else 0):
            shown, item = (DAYS - 8) * dice.random(), appeal(old)
            events.append((shown, user, item, "impression"))
            if kind == "large" and dice.random() < 1 / 7:
                events.append((shown + 0.01 + 5 * dice.random(), user, item, "purchase"))
    # First and last moment are the same in all logs, so that windows are.
    events += [(0.0, 0, old[0], "purchase"), (float(DAYS), 0, old[0], "purchase")]
    for number, (day, user, item, what) in enumerate(sorted(events)):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + int(86_400 * day)))
        document = {"id": f"e{number}", "user": f"u{user}", "item": name(item), "type": what, "at": at}
        lines.append({"interaction": document})
    return "".join(json.dumps(line) + "\n" for line in lines)


def judge(seed, kind, vectors):
    """What the reports of one log say."""
    daemon = Daemon(vectors)
    try:
        log = daemon.dir / "shop.ndjson"
        log.write_text(shop(seed, kind))
        daemon.load(all=log)
        fairness, data = daemon.ask("report", "fairness"), daemon.ask("report", "data")
    finally:
        daemon.close()
    declared = {table["attribute"]: table for table in fairness["groups"] if table["attribute"] in ("club", "town", "age_band")}
    sellers = [table for table in fairness["items"] if table["by"] == "seller"]
    lift = next(row for row in data["rows"] if row["name"] == "showing-lift")
    club = declared["club"]
    return {
        "kind": kind,
        "users": fairness["users"],
        "group": next((row["n"] for row in club["groups"] if row["group"] == "b"), None),
        "flagged": any(table["verdict"] == "above_noise" for table in declared.values()),
        "named": club["verdict"] == "above_noise" and club.get("worst") == "b",
        "gap": club.get("gap"),
        "floor": club.get("noise_floor"),
        "hidden": any(table.get("worst") == HIDDEN and any(
            row["group"] == HIDDEN and row["verdict"] == "below_merit" for row in table["groups"]) for table in sellers),
        "loop": lift.get("verdict") == "above_noise",
        "lift": lift.get("value"),
    }


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + seeds):
            for kind in ("small", "large", "none"):
                found.append(judge(seed, kind, pathlib.Path(scratch) / "vectors"))
                print(seed, json.dumps(found[-1]), file=sys.stderr, flush=True)
    print(f"{seeds} seeds from {first}")
    mean = lambda rows, name: sum(row[name] or 0 for row in rows) / max(1, len(rows))
    for kind, what in (("small", "a group of 80"), ("large", "a group of 400"), ("none", "nothing planted")):
        rows = [row for row in found if row["kind"] == kind]
        count = lambda name: sum(bool(row[name]) for row in rows)
        print(f"{what}: flagged {count('flagged')} of {len(rows)}, group named {count('named')}, gap on average "
              f"{mean(rows, 'gap'):.3f} over a noise floor of {mean(rows, 'floor'):.3f}, {mean(rows, 'users'):.0f} shoppers measured")
        if kind == "small":
            print(f"  the hidden seller found and named worst: {count('hidden')} of {len(rows)}")
        else:
            print(f"  {'planted loop found' if kind == 'large' else 'loop reported where none is'}: {count('loop')} of {len(rows)}, "
                  f"lift on average {mean(rows, 'lift'):.2f}")


if __name__ == "__main__":
    main()
