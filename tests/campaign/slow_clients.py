"""Tries to break: slow and rude clients. Slow heads, slow bodies, readers that do not read, half-closed and idle sockets, resets in the
middle of a batch: each is ended by its deadline, memory stays under its cap, a batch is whole or absent, and who behaves is
served as before.

Short: a few hundred sockets. Long: 10,000 idle ones and the others beside them; an honest client's percentiles with and without the
attack, in turns, the median of the ratios."""
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

from common import (Answers, OpenLoop, Server, check, finish, get, goal, percentile, post, present, reset, wait_for, words)

HOST = b"Host: localhost\r\n"
BATCH = 512
PEOPLE = 2000


class Attack:
    """A crowd of sockets and a thread that keeps them as slow as they may be."""

    def __init__(self, server, sizes):
        self.server, self.sizes = server, sizes
        self.sockets = {kind: [] for kind in sizes}
        self.closed_after = {kind: [] for kind in sizes}
        self.ended = False
        self.resets = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def begin(self):
        first = {
            "slow head": b"GET /livez HTTP/1.1\r\n" + HOST,
            "slow body": b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n[",
            "slow plain body": b"PUT /api/cohorts/slow HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n{",
            "slow reader": get("/api/users?limit=1000&expand=all") * 40,
            "idle": b"",
            "idle after a request": get("/livez"),
        }
        for kind, count in self.sizes.items():
            for _ in range(count):
                sock = socket.socket()
                if kind == "slow reader":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.connect((self.server.host, self.server.port))
                sock.sendall(first[kind])
                sock.setblocking(False)
                self.sockets[kind].append((sock, time.monotonic()))
        self.thread.start()

    def run(self):
        number = 0
        drip = {"slow head": b"A: b\r\n", "slow body": b" ", "slow plain body": b" "}
        while not self.ended:
            for kind, bytes_ in drip.items():
                for sock, _ in self.sockets[kind]:
                    try:
                        sock.send(bytes_)
                    except OSError:
                        pass
            for _ in range(2):
                self.rude(number)
                number += 1
            time.sleep(0.1)

    def rude(self, number):
        """A reset in the middle of an upload, or behind it; or half a connection closed."""
        cookies = [f"rude{number}-{i}" for i in range(BATCH + 200)]
        body = "\n".join(json.dumps({"cookie": one}) for one in cookies).encode()
        data = post(body)
        try:
            sock = self.server.connect()
            if number % 4 == 3:
                sock.sendall(data[:random.randrange(1, len(data))])
                sock.shutdown(socket.SHUT_WR)
                time.sleep(0.01)
                sock.close()
            else:
                cut = len(data) if number % 4 == 2 else random.randrange(1, len(data))
                sock.sendall(data[:cut])
                time.sleep(random.choice((0, 0.003, 0.02)))
                reset(sock)
        except OSError:
            pass
        self.resets.append(cookies)

    def all_closed(self, kind):
        """Has the server ended each of these? What it sent is read now."""
        left = []
        for sock, begun in self.sockets[kind]:
            try:
                while True:
                    data = sock.recv(1 << 20)
                    if not data:
                        break
            except BlockingIOError:
                left.append((sock, begun))
                continue
            except OSError:
                pass
            sock.close()
            self.closed_after[kind].append(time.monotonic() - begun)
        self.sockets[kind] = left
        return not left

    def stop(self):
        self.ended = True
        self.thread.join(10)

    def close(self):
        self.stop()
        for sockets in self.sockets.values():
            for sock, _ in sockets:
                sock.close()


def honest(server, seconds, rate):
    """Latencies of lookups, with one write in twenty; what did not get its 200 or 404 is counted."""
    took, bad = [], []

    def make(number):
        if number % 20 == 19:
            return post(json.dumps({"cookie": f"honest{number % 500}"}))
        return get(f"/api/user?cookie=c{number * 7 % PEOPLE}")

    def done(number, status, seconds):
        if status != 200:
            bad.append(status)
        elif number % 20 != 19:
            took.append(seconds)

    loop = OpenLoop(server, make, done, connections=32)
    loop.run(rate, seconds)
    loop.close()
    return took, bad


def check_batches(server, resets):
    whole = partly = absent = 0
    for cookies in resets:
        here = present(server, cookies)
        batches = [cookies[:BATCH], cookies[BATCH:]]
        counts = [len(here & set(batch)) for batch in batches]
        ok = all(count in (0, len(batch)) for count, batch in zip(counts, batches)) and not (counts[1] and not counts[0])
        check(ok, f"torn: {counts} of {[len(batch) for batch in batches]}")
        whole += bool(counts[1])
        partly += bool(counts[0] and not counts[1])
        absent += not counts[0]
    return f"{len(resets)} rude uploads of two batches: {whole} whole, {partly} the first batch, {absent} absent; torn: none"


LIMITS = {"header_timeout_ms": 1500, "body_timeout_ms": 1500, "idle_timeout_ms": 3000, "write_timeout_ms": 1500}
# What each kind may take at most: its deadline, a sweep, two seconds in which the answer may be read; and a busy machine.
ALLOWED = {"slow head": 1.5, "slow body": 1.5, "slow plain body": 1.5, "slow reader": 1.5, "idle": 3, "idle after a request": 3}
GRACE_SECONDS = 20


def short(options):
    sizes = {"slow head": 60, "slow body": 60, "slow plain body": 60, "slow reader": 10, "idle": 200, "idle after a request": 60}
    with Server(args=["--memory-max", "2G"], config={"limits": LIMITS}) as server:
        server.ingest([{"cookie": f"c{i}", "interests": ["tennis"] * 5, "attributes": {"note": "x" * 300}} for i in range(PEOPLE)])
        attack = Attack(server, sizes)
        attack.begin()
        took, bad = honest(server, 2.0, 100)
        check(not bad, f"an honest client got {bad[:5]}")
        for kind, sockets in attack.sockets.items():
            if kind != "slow reader":
                check(wait_for(lambda kind=kind: attack.all_closed(kind), ALLOWED[kind] + GRACE_SECONDS),
                      f"{len(sockets)} sockets of '{kind}' were not closed")
        # A reader that does not read is not seen from its side: the server must have let go of it.
        check(wait_for(lambda: server.metric("kindred_connections_open") <= 2, GRACE_SECONDS),
              f"{server.metric('kindred_connections_open')} connections are still open")
        attack.close()
        print("  closed by their deadlines: " + ", ".join(f"{len(times)} {kind} (last after {max(times):.1f} s)"
                                                         for kind, times in attack.closed_after.items() if times))
        time.sleep(0.2)
        print("  " + check_batches(server, attack.resets))
        check(server.metric("kindred_memory_full_total") == 0, "memory reached its cap")
        check(server.metric("kindred_connections_timed_out_total") >= 390, "fewer were timed out than were slow")


def long(options):
    idle = options.idle or 10000
    sizes = {"slow head": 200, "slow body": 200, "slow plain body": 100, "slow reader": 50, "idle": idle, "idle after a request": 100}
    limits = {**LIMITS, "idle_timeout_ms": 75000, "header_timeout_ms": 10000, "body_timeout_ms": 30000, "write_timeout_ms": 30000}
    rounds, ratios = 5, []
    with Server(args=["--memory-max", "1G"], config={"limits": limits}) as server:
        server.ingest([{"cookie": f"c{i}", "interests": ["tennis"] * 5, "attributes": {"note": "x" * 300}} for i in range(PEOPLE)])
        highest = 0
        rude = []
        for turn in range(rounds):
            quiet, bad_quiet = measure(server)
            attack = Attack(server, sizes)
            attack.begin()
            time.sleep(0.5)
            under, bad_under = measure(server)
            highest = max(highest, server.metric("kindred_memory_bytes"))
            is_open = server.metric("kindred_connections_open")
            check(is_open >= idle, f"only {is_open} connections were open during the attack")
            check(not bad_quiet and not bad_under, f"honest clients got {bad_quiet[:3]} {bad_under[:3]}")
            attack.close()
            rude += attack.resets
            wait_for(lambda: server.metric("kindred_connections_open") < 50, 30)
            a, b = percentile(quiet, 0.99), percentile(under, 0.99)
            ratios.append(b / a)
            print(f"  round {turn + 1}: {int(is_open)} connections; p50 {percentile(quiet, .5) * 1e3:.2f} → "
                  f"{percentile(under, .5) * 1e3:.2f} ms, p99 {a * 1e3:.2f} → {b * 1e3:.2f} ms, ratio {b / a:.2f}")
            sys.stdout.flush()
        check(server.metric("kindred_memory_full_total") == 0, "memory reached its cap")
        print(f"  highest memory in use {highest / 1e6:.0f} MB of 1000")
        print("  " + check_batches(server, rude))
        middle = sorted(ratios)[len(ratios) // 2]
        goal(options, middle <= 2, f"p99 of honest clients under attack at most twice what it is without: {middle:.2f} "
                                   f"(lowest {min(ratios):.2f}, highest {max(ratios):.2f})")


def measure(server):
    """In a process of its own: the attack's thread does not share this one's interpreter."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), "--honest", f"{server.host}:{server.port}"],
                          capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


class Known:
    """A server somebody else has started."""

    def __init__(self, address):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
    connect = Server.connect


if __name__ == "__main__":
    if sys.argv[1:2] == ["--honest"]:
        print(json.dumps(honest(Known(sys.argv[2]), 5.0, 300)))
        sys.exit(0)
    chosen = words("slow and rude clients", idle=(10000, "idle sockets, in the long form"))
    (long if chosen.long else short)(chosen)
    finish()
