#!/usr/bin/env python3
"""Times changes of consent one by one, each of which is published before it is answered.

    consent_writes.py SOCKET [ROUNDS] [WRITERS]

A debug daemon with 5,000 simulated shoppers on a busy machine: 500 in a row took 1.4 ms each at the median, and a batch of 16 users, which is
published at once, as long as one of 17, which is not (2.2 and 2.4 ms).
"""
import json
import statistics
import sys
import threading
import time

from harness import Connection

PATH, ROUNDS, WRITERS = sys.argv[1], *(int(n) for n in (sys.argv[2:4] + ["500", "1"][len(sys.argv) - 2 :]))


def ask(connection, method, path, body=None):
    connection.request(method, path, body and json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    return json.loads(text)


def shoppers():
    connection, found, cursor = Connection(PATH), [], ""
    while cursor is not None:
        page = ask(connection, "GET", f"/v1/users?limit=1000{cursor}")
        found += [user["id"] for user in page["items"]]
        cursor = page.get("next_cursor") and f"&cursor={page['next_cursor']}"
    return found


def write(users, took):
    connection = Connection(PATH)
    for user in users:
        now = ask(connection, "GET", f"/v1/users/{user}/consent")["consent"]["explanations"]
        began = time.perf_counter()
        ask(connection, "PATCH", f"/v1/users/{user}/consent", {"explanations": not now})
        took.append(1e3 * (time.perf_counter() - began))


known, took = shoppers()[:ROUNDS], []
writers = [threading.Thread(target=write, args=(known[n::WRITERS], took)) for n in range(WRITERS)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
took.sort()
print(f"{len(took)} writes by {WRITERS}: median {took[len(took) // 2]:.2f} ms, mean {statistics.mean(took):.2f}, 95 % {took[len(took) * 95 // 100]:.2f}")
