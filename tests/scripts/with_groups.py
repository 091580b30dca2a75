#!/usr/bin/env python3
"""Writes the items of a benchmark as they are (raw) and with groups (items), the log about them, and default settings of every mitigation.

    with_groups.py SOURCE TARGET [FIRST_ITEMS]

The logs know no sellers, and one of them no categories. So that every mitigation has groups, items get, where they lack them: as brand
the first word of the title (which is what ranking takes for the brand anyway), and the attributes `price_band` (thirds of the
catalogue) and `sales` (head: the smallest set of items with 80 % of the purchases; tail: all others). Titles stay as they are, so
vectors and lists do too.
"""

import collections
import gzip
import itertools
import json
import sys

source, target, first = sys.argv[1], sys.argv[2], int(sys.argv[3] if len(sys.argv) > 3 else 0)
lines = lambda name: gzip.open(f"{source}/{name}.ndjson.gz", "rt")
items = [json.loads(line) for line in (itertools.islice(lines("items"), first) if first else lines("items"))]
known = {item["id"] for item in items}
with gzip.open(f"{target}/raw.ndjson.gz", "wt") as file:
    file.writelines(json.dumps(item) + "\n" for item in items)
sold = collections.Counter()
with gzip.open(f"{target}/train.ndjson.gz", "wt") as log:
    for line in lines("train"):
        event = json.loads(line)
        if event.get("item") in known:
            log.write(line)
            if event["type"] == "purchase":
                sold[event["item"]] += 1
total, covered, head = sum(sold.values()), 0, set()
for item, count in sold.most_common():
    if covered >= 0.8 * total:
        break
    covered += count
    head.add(item)
prices = sorted(item["price"] for item in items if item.get("price") is not None)
thirds = [prices[len(prices) // 3], prices[2 * len(prices) // 3]] if prices else [0, 0]
brands = collections.Counter()
with gzip.open(f"{target}/items.ndjson.gz", "wt") as file:
    for item in items:
        words = item["title"].split()
        item["brand"] = item.get("brand") or (words[0].lower() if words else None)
        brands[item["brand"]] += 1
        attributes = item.setdefault("attributes", {})
        attributes["sales"] = "head" if item["id"] in head else "tail"
        if item.get("price") is not None:
            attributes["price_band"] = ["low", "middle", "high"][sum(item["price"] >= third for third in thirds)]
        file.write(json.dumps({key: value for key, value in item.items() if value is not None}) + "\n")
by = "category" if any(item.get("category") for item in items) else "attribute:price_band"
floors = {brand: round(count / len(items), 4) for brand, count in brands.most_common(3) if brand}
settings = {
    "mmr": {},
    "dpp": {},
    "xquad": {"by": by},
    "calibrated": {"by": by},
    "det_greedy": {"by": "attribute:sales", "shares": {"tail": 0.2, "head": 0.8}},
    "fair_star_ir": {"by": "attribute:sales", "protected": "tail", "p": 0.2},
    "exposure": {"by": "brand", "floors": floors},
    "popularity": {},
}
for kind, parameters in settings.items():
    with open(f"{target}/{kind}.json", "w") as file:
        json.dump({"rerankers": [{"kind": kind, **parameters}]}, file)
