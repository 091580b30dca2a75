#!/usr/bin/env python3
"""What reports and mitigations cost: seconds and memory of reports over many shoppers and items, and the latency of lists with counting
what goes out and with each re-ranking, as ratios to plain lists of the same daemon in the same run.

    report_cost.py [USERS [ITEMS [REQUESTS]]]      without: 5000 shoppers, 20000 items, 400 requests of each kind
    BIN has mercerd and mercer.

Every shopper buys in the last week, so every shopper is measured. Requests of all kinds take turns, one connection, a new shopper each time.
"""

import json
import pathlib
import random
import statistics
import sys
import time

from harness import Connection, Daemon

START, DAYS, WINDOW = 1_700_000_000, 70, 7
RERANKERS = {
    "mmr": {"kind": "mmr"},
    "dpp": {"kind": "dpp"},
    "xquad": {"kind": "xquad", "by": "brand"},
    "calibrated": {"kind": "calibrated", "by": "brand"},
    "det_greedy": {"kind": "det_greedy", "by": "attribute:sales", "shares": {"tail": 0.2, "head": 0.8}},
    "fair_star_ir": {"kind": "fair_star_ir", "by": "attribute:sales", "protected": "tail", "p": 0.2},
    "exposure": {"kind": "exposure", "by": "seller", "floors": {"seller-1": 0.05, "seller-2": 0.05}},
    "popularity": {"kind": "popularity"},
}


def shop(path, users, items):
    dice = random.Random(7)
    themes = max(1, items // 100)
    with path.open("w") as file:
        write = lambda kind, document: file.write(json.dumps({kind: document}) + "\n")
        for item in range(items):
            write("item", {
                "id": f"i{item}", "title": f"Thing {item % 100} of kind {item // 100}", "brand": f"brand {item % 50}",
                "seller": f"seller-{item % 40}", "category": [f"kind {item % themes}"], "price": 1 + item % 97,
                "attributes": {"sales": "head" if item % 5 == 0 else "tail"},
            })
        events = [(0.0, 0, 0), (float(DAYS), 0, 0)]
        for user in range(users):
            write("user", {"id": f"u{user}", "attributes": {
                "region": dice.choice("abcd"), "gender": dice.choice("mw"), "age_band": dice.choice("12345")}})
            tastes = dice.sample(range(themes), min(3, themes))
            draw = lambda: min(items - 1, 100 * dice.choice(tastes) + int(100 * dice.random() ** 2.5))
            events += [(dice.uniform(0, DAYS - WINDOW), user, draw()) for _ in range(dice.randint(5, 25))]
            events += [(dice.uniform(DAYS - WINDOW, DAYS), user, draw()) for _ in range(dice.randint(1, 4))]
        for number, (day, user, item) in enumerate(sorted(events)):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + int(86_400 * day)))
            write("interaction", {"id": f"e{number}", "user": f"u{user}", "item": f"i{item}", "type": "purchase", "at": at})


def fetch(connection, path):
    """Reads an answer over a connection that stays open."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {body.decode()}")


def memory(daemon, name):
    """A line of the daemon's memory in MiB."""
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) >> 10 for line in text.splitlines() if line.startswith(name))


def main():
    numbers = [int(number) for number in sys.argv[1:]] + [5_000, 20_000, 400][len(sys.argv) - 1:]
    users, items, requests = numbers
    daemon = Daemon()
    log = daemon.dir / "shop.ndjson"
    shop(log, users, items)
    daemon.load(all=log)
    counts = daemon.ask("status")["counts"]
    print(f"{counts['users']} shoppers, {counts['items']} items, {counts['interactions']} interactions; {memory(daemon, 'VmRSS')} MiB resident")
    for kind in ("fairness", "diversity", "quality"):
        before, begun = memory(daemon, "VmHWM"), time.monotonic()
        report = daemon.ask("report", kind)
        print(f"report {kind}: {report['users']} shoppers in {time.monotonic() - begun:.1f} s; resident {memory(daemon, 'VmRSS')} MiB, "
              f"peak {before} to {memory(daemon, 'VmHWM')} MiB", flush=True)
    for name, settings in RERANKERS.items():
        file = daemon.dir / f"{name}.json"
        file.write_text(json.dumps({"rerankers": [settings]}))
        daemon.run("mitigation", "set", str(file), "--placement", f"p-{name.replace('_', '-')}")
    connection = Connection(daemon.dir / "s")
    kinds = {"plain": "preview=true", "counted": ""}
    kinds |= {name: f"preview=true&placement=p-{name.replace('_', '-')}" for name in RERANKERS}
    dice, took = random.Random(3), {kind: [] for kind in kinds}
    # The first of each kind pays for what later ones share.
    for turn in range(requests + 20):
        user = dice.randrange(users)
        for kind in random.Random(turn).sample(list(kinds), len(kinds)):
            begun = time.perf_counter()
            fetch(connection, f"/v1/users/u{user}/recommendations?k=20&{kinds[kind]}")
            if turn >= 20:
                took[kind].append(time.perf_counter() - begun)
    middle = {kind: statistics.median(times) for kind, times in took.items()}
    late = {kind: sorted(times)[int(0.95 * len(times))] for kind, times in took.items()}
    print(f"lists of 20, {requests} of each kind: a plain one takes {1e3 * middle['plain']:.2f} ms (p95 {1e3 * late['plain']:.2f})")
    for kind in list(kinds)[1:]:
        print(f"  {kind:<14} {middle[kind] / middle['plain']:.3f} of plain at the median, {late[kind] / late['plain']:.3f} at p95, "
              f"{1e3 * (middle[kind] - middle['plain']):+.2f} ms")
    daemon.close()


if __name__ == "__main__":
    main()
