"""A release daemon on a private state directory, for the measuring scripts; BIN has mercerd and mercer (default target/release)."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "target/release")).resolve()
# Nothing is trained unless a script asks for it: measurements do not depend on when a schedule strikes.
CALM = "[train]\nevery_seconds = 0\nafter_interactions = 0\n"


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Daemon:
    """A daemon; `vectors` names a directory that keeps the vectors of items between daemons, `key` is the key of the installation."""

    def __init__(self, vectors=None, config="", key=None):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.state = self.dir / "state"
        self.state.mkdir()
        self.vectors = vectors
        if vectors and vectors.exists():
            shutil.copytree(vectors, self.state / "vectors")
        if key:
            (self.state / "key").write_bytes(key)
            (self.state / "key").chmod(0o600)
        (self.dir / "c.toml").write_text(CALM + config)
        command = [BIN / "mercerd", "--state", self.state, "--socket", self.dir / "s", "--config", self.dir / "c.toml"]
        self.process = subprocess.Popen(command, stderr=(self.dir / "log").open("w"))
        self.until(lambda status: status["health"] != "starting")

    def ask(self, *arguments):
        """The document that `mercer ARGUMENTS --json` prints."""
        return json.loads(self.run(*arguments, "--json"))

    def run(self, *arguments, fine=(0,)):
        """What `mercer ARGUMENTS` prints."""
        run = subprocess.run([BIN / "mercer", *arguments, "--socket", self.dir / "s"], capture_output=True, check=False)
        if run.returncode not in fine:
            raise RuntimeError(f"{arguments}: {run.stderr.decode()}")
        return run.stdout

    def request(self, method, path, body=None):
        """The document that the daemon answers over its socket."""
        connection = Connection(self.dir / "s")
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        document = json.loads(answer.read())
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {document}")
        return document

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body):
        return self.request("POST", path, body)

    def until(self, holds):
        """Waits until the status satisfies a condition."""
        for _ in range(36_000):
            if self.process.poll() is not None:
                raise RuntimeError((self.dir / "log").read_text())
            try:
                if holds(self.ask("status")):
                    return
            except RuntimeError:
                pass
            time.sleep(0.1)
        raise RuntimeError("the daemon did not get ready")

    def load(self, **files):
        """Imports NDJSON files by what they hold, and waits until every item has its vector and the index knows the whole log."""
        self.run("import", "--format", "ndjson", *(f"{name}={path}" if name != "all" else str(path) for name, path in files.items()))
        self.until(lambda s: s["counts"]["items"] == s["counts"]["embedded"] > 0 and s["upkeep"]["unfitted"] == 0)

    def close(self):
        self.process.terminate()
        self.process.wait()
        if self.vectors and not self.vectors.exists():
            shutil.copytree(self.state / "vectors", self.vectors)
        shutil.rmtree(self.dir)
