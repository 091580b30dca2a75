"""Asks one daemon from many clients while its models are swapped; every answer must be one version's alone.

swap_load.py SOCKET MERCER VERSION CLIENTS SWAPS
"""
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import quote

SOCKET, MERCER, VERSION, CLIENTS, SWAPS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
# Seconds between two swaps.
REST = 1.0


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def get(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def questions():
    """The same questions again and again, as of one moment: equal versions must give equal answers."""
    connection = Connection("mercer")
    users = [u["id"] for u in get(connection, "/v1/users?limit=40")[1]["items"]]
    items = [i["id"] for i in get(connection, "/v1/items?limit=20")[1]["items"]]
    at = "at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    paths = [f"/v1/users/{quote(u, safe='')}/recommendations?k=20&{at}" for u in users]
    paths = [p for p in paths if get(connection, p)[0] == 200]
    paths += [f"/v1/items/{quote(i, safe='')}/related?k=20&{at}" for i in items]
    return paths + [f"/v1/search?q={quote(q)}&{at}" for q in ("red mug", "christmas lights", "lunch bag", "candle")]


PATHS = questions()
stop = threading.Event()
lock = threading.Lock()
requests, failures, seen, times = 0, [], {}, []


def client(number):
    global requests
    connection, turn = Connection("mercer"), number
    while not stop.is_set():
        turn = (turn + 1) % len(PATHS)
        begun = time.perf_counter()
        try:
            status, body = get(connection, PATHS[turn])
        except Exception as error:  # any broken answer is a failure to be counted
            status, body = 0, {"detail": repr(error)}
            connection = Connection("mercer")
        with lock:
            requests += 1
            times.append(time.perf_counter() - begun)
            if status != 200:
                failures.append((status, body.get("detail")))
            else:
                answer = json.dumps([(row["id"], row["score"]) for row in body["items"]])
                seen.setdefault((turn, body["model"]), set()).add(answer)


threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
began = time.monotonic()
for swap in range(SWAPS):
    time.sleep(REST)
    command = ["promote", VERSION] if swap % 2 == 0 else ["rollback"]
    subprocess.run([MERCER, "models", *command], check=True)
time.sleep(REST)
stop.set()
for thread in threads:
    thread.join()
seconds = time.monotonic() - began
mixed = [key for key, answers in seen.items() if len(answers) > 1]
times.sort()
print(f"{requests} requests of {CLIENTS} clients in {seconds:.1f} s ({requests / seconds:.0f} a second) through {SWAPS} swaps")
print(f"versions that answered: {sorted({model for _, model in seen})}")
print(f"median {1000 * times[len(times) // 2]:.1f} ms, 99 % below {1000 * times[int(len(times) * 0.99)]:.1f} ms")
print(f"failures: {len(failures)}, mixed answers: {len(mixed)}")
for failure in failures[:5]:
    print("  ", failure)
sys.exit(bool(failures or mixed))
