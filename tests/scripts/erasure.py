#!/usr/bin/env python3
"""Erases shoppers of Online Retail and shows that nothing of them is left: times, a search of the state directory, and whether the
version that is rebuilt after the erasure equals one made of a log that never had them.

    erasure.py [NUMBER]      shoppers to erase (default 5), from the busiest to one with few purchases
    BIN has mercerd and mercer, MERCER_DATA_DIR has benchmarks/online_retail. VECTORS_CACHE keeps the vectors of items between calls.
    TRAIN=0 erases and searches, and trains nothing.

What is searched for are the shoppers' ids, with a prefix so that nothing else is found, and the ids of their interactions: the store
seals ids of shoppers, and keeps those of interactions as they are. Training is without the encoder, with a fixed seed. Lists of
all other shoppers of the benchmark are compared byte for byte, and so are the files of the two versions.
"""

import concurrent.futures
import gzip
import hashlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import zlib

from harness import ROOT, Daemon

DATA = pathlib.Path(os.environ.get("MERCER_DATA_DIR", ROOT.parent / "shared/data")) / "benchmarks/online_retail"
VECTORS = pathlib.Path(os.environ["VECTORS_CACHE"]) / "online_retail" if "VECTORS_CACHE" in os.environ else None
CONFIG = "[erase]\ncompact_within_minutes = 0\n"
KEY = b"mercer: the key of erasure.py..."
PREFIX = "shopper-"


def lines(name):
    return (json.loads(line) for line in gzip.open(DATA / f"{name}.ndjson.gz", "rt"))


def prepare(directory):
    """Writes the log with and without the shoppers to erase; their ids."""
    log = [dict(line, user=PREFIX + line["user"]) for line in lines("train") if line.get("user")]
    counts = {}
    for line in log:
        counts[line["user"]] = counts.get(line["user"], 0) + 1
    ranked = sorted(counts, key=lambda user: (-counts[user], user))
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    gone = [ranked[len(ranked) * n // (number + 1) if n else 0] for n in range(number)]
    for name, keeps in (("with", lambda _: True), ("without", lambda user: user not in gone)):
        with open(directory / f"{name}.ndjson", "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in log if keeps(line["user"]))
        with open(directory / f"users.{name}.ndjson", "w") as file:
            users = (dict(user, id=PREFIX + user["id"]) for user in lines("users"))
            file.writelines(json.dumps(user) + "\n" for user in users if keeps(user["id"]))
    asked = [PREFIX + user for user in (DATA / "eval_users.txt").read_text().split()]
    (directory / "asked.txt").write_text("".join(user + "\n" for user in asked if user not in gone))
    return {user: {line["id"] for line in log if line["user"] == user} for user in gone}


def opened(directory, name):
    daemon = Daemon(VECTORS, CONFIG, KEY)
    files = {"items": DATA / "items.ndjson.gz", "users": directory / f"users.{name}.ndjson"}
    daemon.load(**files, interactions=directory / f"{name}.ndjson")
    return daemon


def trained(daemon, **request):
    """Has a version made and lets it serve; its name."""
    begun = time.monotonic()
    body = {"encoder": False, "seed": 17, "budget_seconds": 43_200, **request}
    run = daemon.post("/v1/runs", body)
    while (run := daemon.get(f"/v1/runs/{run['id']}"))["state"] not in ("succeeded", "failed", "cancelled"):
        time.sleep(1)
    if run["state"] != "succeeded":
        raise RuntimeError(json.dumps(run))
    print(f"# {run['id']} took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return run["model"]


def lists(daemon, directory):
    """Items and scores of everybody's list as of the end of the log, without query ids; asked until two answers agree."""
    at = json.loads((DATA / "meta.json").read_text())["T"]
    before = None
    for _ in range(30):
        found = {}
        for mode in ("repeat", "new"):
            arguments = ("recommend", "--users", str(directory / "asked.txt"), "-k", "20", "--output", "ndjson", "--at", at, "--mode", mode)
            for line in daemon.run(*arguments, fine=(0, 1)).decode().splitlines():
                row = json.loads(line)
                found[mode, row["user"]] = [(item["id"], item["score"]) for item in row.get("items", [])]
        if found == before:
            return found
        before = found
    raise RuntimeError("the lists do not settle")


def files_of(daemon, version):
    directory = daemon.state / "models" / version
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.rglob("*")) if path.is_file()}


def traces(daemon, gone):
    """Ids of the shoppers and of their interactions in the state directory, raw or in compressed parts of files; the files that hold them;
    and how much was searched."""
    wanted = {name.encode() for user, events in gone.items() for name in (user, *events)}
    shape = re.compile(rb"shopper-u\d+|e\d{7}")
    found, holders, files, size, parts = set(), set(), 0, 0, 0
    for path in daemon.state.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        files, size = files + 1, size + len(data)
        texts = [data]
        # Gzip and zlib streams wherever one may begin.
        for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x9c\xda]", data):
            try:
                texts.append(zlib.decompressobj(47).decompress(data[match.start():], 1 << 24))
            except zlib.error:
                continue
            parts += 1
        here = {word for text in texts for word in shape.findall(text)} & wanted
        found |= here
        if here:
            holders.add(str(path.relative_to(daemon.state)))
    what = f"{len(found)} of {len(wanted)} ids in {sorted(holders)}; searched {files} files, {size >> 20} MiB, {parts} compressed parts"
    return len(found), what


def without(directory):
    """Files and lists of a version that was made of a log without the shoppers."""
    daemon = opened(directory, "without")
    version = trained(daemon, rebuild=True)
    found = files_of(daemon, version), lists(daemon, directory)
    daemon.close()
    return found


def main():
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(1) as other:
        directory = pathlib.Path(scratch)
        gone = prepare(directory)
        trains = os.environ.get("TRAIN") != "0"
        never = other.submit(without, directory) if trains else None
        daemon = opened(directory, "with")
        if trains:
            knowing = trained(daemon)
            daemon.run("models", "promote", knowing)
            before = lists(daemon, directory)
        held, what = traces(daemon, gone)
        print(f"before: {what}")
        for user, events in gone.items():
            begun = time.monotonic()
            receipt = daemon.ask("user", "erase", user, "--yes")
            print(f"erased one with {len(events)} interactions in {time.monotonic() - begun:.2f} s, compaction included; "
                  f"{receipt['interactions']} interactions, {len(receipt['places'])} places, signed {'signature' in receipt}", flush=True)
        left, what = traces(daemon, gone)
        print(f"after: {what}", flush=True)
        if not trains:
            daemon.close()
            sys.exit(bool(left) or not held)
        known, begun = (daemon.state / "models" / knowing).exists(), time.monotonic()
        after = trained(daemon, rebuild=True)
        gone_now = not (daemon.state / "models" / knowing).exists()
        print(f"the version that knew them was there ({known}) and was deleted ({gone_now}) by the rebuild, which took "
              f"{time.monotonic() - begun:.0f} s")
        files, found = files_of(daemon, after), lists(daemon, directory)
        left, what = traces(daemon, gone)
        print(f"after the rebuild: {what}")
        daemon.close()
        expected, wanted = never.result()
    same = [name for name in expected if files.get(name) == expected[name]]
    print(f"files of the version: {len(same)} of {len(expected)} equal byte for byte; others: {sorted(set(expected) - set(same))}")
    equal = sum(found[key] == wanted[key] for key in wanted)
    moved = sum(before[key] != wanted[key] for key in wanted)
    print(f"lists: {equal} of {len(wanted)} equal byte for byte ({moved} differed before the erasure)")
    sys.exit(bool(left) or not held or equal != len(wanted))


if __name__ == "__main__":
    main()
