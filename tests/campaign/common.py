"""What the campaigns share: the words of the command line, lookups by the hundred, a server that can be bent.

A campaign prints its seed, its counts and how to run its long form. The short form runs in `make test` and asserts what must
always hold: statuses, whole batches, nothing acknowledged missing, deadlines with a generous allowance. What depends on the
machine (percentiles, goodput) is measured by the long form, printed, and held against its goal only with --strict."""
import argparse
import mmap
import os
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "http"))

import support  # noqa: E402  (the black-box tests' server)
from support import Server  # noqa: E402

SANITIZED = any(name in os.environ for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"))
failures = []


def words(description, **more):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--long", action="store_true", help="the long form; make torture runs it")
    parser.add_argument("--strict", action="store_true", help="goals that depend on the machine decide about the exit code, too")
    parser.add_argument("--seed", type=int, default=None)
    for name, (default, text) in more.items():
        parser.add_argument("--" + name, type=type(default), default=None, help=f"{text} ({default})")
    options = parser.parse_args()
    options.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    random.seed(options.seed)
    script = os.path.basename(sys.argv[0])
    print(f"{script}: seed {options.seed}, {'long' if options.long else 'short'} form; "
          f"the long form: python3 tests/campaign/{script} --long (or make torture), the same again: --seed {options.seed}")
    sys.stdout.flush()
    return options


def check(holds, text):
    if not holds:
        failures.append(text)
        print("FAILED: " + text)
        sys.stdout.flush()
    return holds


def goal(options, holds, text):
    """A figure of this machine: said, and only with --strict a failure."""
    print(f"  goal {'met' if holds else 'MISSED'}: {text}")
    if options.strict:
        check(holds, text)


def finish():
    print(f"{len(failures)} failures" if failures else "ok")
    sys.exit(1 if failures else 0)


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    return False


def post(body, *fields, path="/api/ingest", method="POST"):
    body = body if isinstance(body, bytes) else body.encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + "".join(f + "\r\n" for f in fields).encode() + b"\r\n" + body


def get(path, *fields):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode() + "".join(f + "\r\n" for f in fields).encode() + b"\r\n"


class Answers:
    """Takes a connection's bytes, hands out whole answers as (status, body)."""

    def __init__(self):
        self.data = b""

    def add(self, part):
        self.data += part
        while True:
            at = self.data.find(b"\r\n\r\n")
            if at < 0:
                return
            head = self.data[:at].lower()
            status = int(head[9:12])
            found = head.find(b"content-length: ")
            length = int(head[found + 16:].split(b"\r", 1)[0]) if found >= 0 else 0
            if len(self.data) < at + 4 + length:
                return
            body = self.data[at + 4:at + 4 + length]
            self.data = self.data[at + 4 + length:]
            yield status, body, head


def ask(server, requests, timeout=30):
    """All requests over one connection, 64 at a time: their (status, body)."""
    got = []
    with server.connect(timeout) as sock:
        answers = Answers()
        for at in range(0, len(requests), 64):
            part = requests[at:at + 64]
            sock.sendall(b"".join(part))
            while len(got) < at + len(part):
                data = sock.recv(1 << 20)
                if not data:
                    raise ConnectionError(f"closed after {len(got)} of {len(requests)} answers")
                got += [(status, body) for status, body, _ in answers.add(data)]
    return got


def present(server, cookies):
    """Which of these cookies are somebody's."""
    cookies = list(cookies)
    got = ask(server, [get("/api/user?cookie=" + cookie) for cookie in cookies])
    assert all(status in (200, 404) for status, _ in got), {status for status, _ in got}
    return {cookie for cookie, (status, _) in zip(cookies, got) if status == 200}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def verify(data):
    done = support.kindred("verify", "--data", data, timeout=600)
    check(done.returncode == 0, f"kindred verify: {done.returncode} {done.stdout} {done.stderr}")


class Bent:
    """bend.c preloaded into servers started inside: slow syncs and a wall clock that steps, changed while they run."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kindred-bend-")
        library = os.path.join(self.folder.name, "bend.so")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "bend.c"), "-ldl"],
                       check=True)
        path = os.path.join(self.folder.name, "how")
        with open(path, "wb") as file:
            file.write(bytes(16))
        with open(path, "r+b") as file:
            self.how = mmap.mmap(file.fileno(), 16)
        os.environ["KINDRED_BEND"] = path
        self.library = library
        return self

    def __exit__(self, *_):
        os.environ.pop("KINDRED_BEND", None)
        self.how.close()
        self.folder.cleanup()

    def start(self, server=None, **options):
        os.environ["LD_PRELOAD"] = self.library
        try:
            if server is not None:
                server.start()
                return server
            return Server(**options)
        finally:
            del os.environ["LD_PRELOAD"]

    def sync_takes(self, seconds):
        self.how[0:8] = struct.pack("q", int(seconds * 1000))

    def clock_is_off_by(self, seconds):
        self.how[8:16] = struct.pack("q", int(seconds))


class OpenLoop:
    """Sends requests when they fall due, whether the server keeps up or not; each on a free connection of its own. One thread.

    make(number) gives a request's bytes; done(number, status, seconds since it was due) is told of each answer; status 0: the connection
    broke before one came."""

    def __init__(self, server, make, done, connections):
        self.server, self.make, self.done = server, make, done
        self.most = connections
        self.free, self.busy = [], {}
        self.poll = select.epoll()
        self.number = 0
        self.open = 0
        self.unsent = 0  # fell due while all connections were busy
        self.no_retry_after = 0  # refusals without Retry-After

    def connection(self):
        if self.free:
            return self.free.pop()
        if self.open >= self.most:
            return None
        try:
            sock = self.server.connect()
        except OSError:
            return None
        self.open += 1
        self.poll.register(sock.fileno(), select.EPOLLIN)
        return sock, Answers()

    def send(self, due):
        one = self.connection()
        number = self.number
        self.number += 1
        if one is None:
            self.unsent += 1
            return
        self.busy[one[0].fileno()] = (one, number, due)
        try:
            one[0].sendall(self.make(number))
        except OSError:
            self.broke(one[0].fileno())

    def broke(self, fd):
        one, number, due = self.busy.pop(fd)
        self.done(number, 0, time.monotonic() - due)
        self.poll.unregister(fd)
        one[0].close()
        self.open -= 1

    def receive(self, seconds):
        for fd, _ in self.poll.poll(max(seconds, 0)):
            if fd not in self.busy:
                for one in self.free:
                    if one[0].fileno() == fd:  # closed while it was idle
                        self.free.remove(one)
                        self.poll.unregister(fd)
                        one[0].close()
                        self.open -= 1
                        break
                continue
            one, number, due = self.busy[fd]
            try:
                data = one[0].recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                self.broke(fd)
                continue
            for status, _, head in one[1].add(data):
                self.done(number, status, time.monotonic() - due)
                self.no_retry_after += status in (429, 503, 507) and b"\r\nretry-after:" not in head
                del self.busy[fd]
                if b"connection: close" in head:
                    self.poll.unregister(fd)
                    one[0].close()
                    self.open -= 1
                else:
                    self.free.append(one)

    def run(self, rate, seconds, patience=30):
        begin = time.monotonic()
        sent = 0
        while True:
            now = time.monotonic()
            due = min(int((now - begin) * rate), int(seconds * rate))
            for _ in range(min(due - sent, 64)):
                self.send(begin + sent / rate)
                sent += 1
            if now - begin >= seconds and sent >= int(seconds * rate):
                break
            # epoll counts in milliseconds: the last one is spent looking, so that requests leave when they are due.
            self.receive(begin + sent / rate - time.monotonic() - 0.001)
        while self.busy and time.monotonic() < begin + seconds + patience:
            self.receive(0.1)
        return time.monotonic() - begin

    def close(self):
        for one in self.free + [busy[0] for busy in self.busy.values()]:
            one[0].close()
        self.poll.close()


def reset(sock):
    """Closes with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
