"""What the black-box tests share: a server of their own on a free port and a folder that goes away.

    with Server() as server:
        answer = server.post("/api/ingest", {"data": {...}})
        assert answer.status == 200, answer

Standard library only. The binary is $KINDRED_BIN.
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BINARY = os.environ.get("KINDRED_BIN") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "kindred")


# Only against hanging for ever: a sanitizer on a busy machine may take minutes, and ctest has a limit of its own.
PATIENCE_SECONDS = 600


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


def kindred(*words, **options):
    """Runs a command to its end."""
    options.setdefault("timeout", 60)
    return subprocess.run([BINARY, *words], capture_output=True, text=True, check=False, **options)


class Server:
    def __init__(self, data=None, args=(), config=None, wait=True, listen="127.0.0.1:0"):
        self.own_folder = data is None
        self.folder = tempfile.mkdtemp(prefix="kindred-test-") if data is None else data
        self.data = os.path.join(self.folder, "data") if data is None else data
        self.args = list(args)
        self.listen = listen
        self.config = config
        self.process = None
        self.output = []
        self.start(wait)

    def start(self, wait=True):
        words = [BINARY, "serve", "--data", self.data, "--listen", self.listen, *self.args]
        if self.config is not None:
            path = os.path.join(self.folder, "config.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(self.config, file)
            words += ["--config", path]
        self.output = []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.errors = []
        self.readers = [threading.Thread(target=self._collect, args=(stream, lines), daemon=True)
                        for stream, lines in ((self.process.stdout, self.output), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()
        if wait:
            self.wait_ready()

    @staticmethod
    def _collect(stream, lines):
        for line in stream:
            lines.append(line)

    def wait_ready(self, timeout=PATIENCE_SECONDS):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in list(self.output):
                found = re.match(r"Ready: http://(?:\[?([^\]]*?)\]?):(\d+)\n", line)
                if found:
                    self.host, self.port = "127.0.0.1", int(found.group(2))
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"not ready: {self.output} {self.errors}")

    # ---- the end ----
    def stop(self, number=signal.SIGTERM, timeout=60):
        """Sends a signal, returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout)
        for reader in self.readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def restart(self):
        code = self.stop()
        assert code == 0, (code, self.output, self.errors)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        code = None
        if self.process.poll() is None:
            code = self.stop()
        else:
            code = self.process.returncode
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if exc[0] is None:
            assert code in (0, -signal.SIGKILL), (code, self.output, self.errors)

    # ---- calls ----
    def call(self, method, path, body=None, headers=None, timeout=PATIENCE_SECONDS):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            if isinstance(body, str):
                body = body.encode()
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path, body=None, headers=None):
        return self.call("POST", path, body, headers)

    def ingest(self, data, query="", headers=None):
        answer = self.post("/api/ingest" + query, data, headers)
        assert answer.status == 200, answer
        return answer.json

    def user(self, query):
        answer = self.get("/api/user?" + query)
        assert answer.status == 200, answer
        return answer.json["user_profile"]

    # ---- raw bytes ----
    def connect(self, timeout=20):
        sock = socket.create_connection((self.host, self.port), timeout=timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def raw(self, *pieces, pause=0.0, timeout=20, half_close=False):
        """Sends the pieces, returns everything until the server closes."""
        with self.connect(timeout) as sock:
            for i, piece in enumerate(pieces):
                if i and pause:
                    time.sleep(pause)
                try:
                    sock.sendall(piece)
                except OSError:
                    break
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def metric(self, name):
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " ") or line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)


def read_all(sock):
    parts = []
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                break
            parts.append(part)
    except (ConnectionResetError, socket.timeout) as error:
        parts.append(f"<{type(error).__name__}>".encode())
    return b"".join(parts)


def answers(data):
    """Splits what came over one connection into [(status, headers, body)]."""
    result = []
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        assert found, data
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = dict(line.lower().split(": ", 1) if ": " in line else (line.lower(), "") for line in lines[1:])
        length = int(headers.get("content-length", "0").strip() or 0)
        result.append((status, headers, rest[:length]))
        data = rest[length:]
    return result


def read_answers(sock, count):
    """Reads exactly `count` answers of a connection that stays open."""
    data = b""
    while True:
        try:
            got = answers(data)
            if len(got) >= count and all(
                    len(body) == int(headers.get("content-length", "0")) for _, headers, body in got):
                return got
        except AssertionError:
            pass
        part = sock.recv(65536)
        if not part:
            return answers(data)
        data += part


def folder_contains(folder, *needles):
    """[(file, needle)] of every needle found in any file under the folder."""
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                content = file.read()
            for needle in needles:
                if needle.encode() in content:
                    found.append((path, needle))
    return found
