"""Tries to break: more than it can do. Writes at 2, 5 and 10 times of what the disk takes, a disk that stalls, no descriptors left, a clock
that steps by an hour, memory at its cap. What is refused gets 429, 503 or 507 with Retry-After; no queue passes its maximum; what was
acknowledged is there after a restart; and when the trouble is over, all is as before.

The disk is made slow by bend.c, so that its capacity is known and a client of one thread can offer ten times as much."""
import json
import os
import resource
import subprocess
import tempfile
import threading
import time

from common import (SANITIZED, Answers, Bent, OpenLoop, Server, check, cpu_seconds, descriptors, finish, get, goal, percentile, post,
                    present, support, wait_for, words)

REFUSED = (429, 503, 507)


class Writes:
    """One open loop of single records, and what became of each."""

    def __init__(self, server, name, connections=1500):
        self.name, self.statuses, self.acknowledged, self.took = name, {}, [], []
        self.loop = OpenLoop(server, lambda number: post(json.dumps({"cookie": f"{name}-{number}"})), self.done, connections)

    def done(self, number, status, took):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.acknowledged.append(f"{self.name}-{number}")
            self.took.append(took)

    def run(self, rate, seconds):
        self.seconds = self.loop.run(rate, seconds)
        self.loop.close()
        check(set(self.statuses) <= {200, *REFUSED}, f"{self.name}: statuses {self.statuses}")
        check(self.loop.no_retry_after == 0, f"{self.name}: {self.loop.no_retry_after} refusals without Retry-After")
        return self


class Watch(threading.Thread):
    """Looks at the queue and at a lookup's time while something else happens."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.ended, self.longest, self.most, self.took = server, False, 0, 0, []
        self.start()

    def run(self):
        self.most = self.server.metric("kindred_writer_queue_max")
        while not self.ended:
            self.longest = max(self.longest, self.server.metric("kindred_writer_queue"))
            begin = time.monotonic()
            assert self.server.get("/api/user?cookie=before").status == 200
            self.took.append(time.monotonic() - begin)
            time.sleep(0.02)

    def stop(self):
        self.ended = True
        self.join(30)
        check(not self.is_alive(), "a lookup hangs")
        check(0 < self.most and self.longest <= self.most, f"the queue held {self.longest} of {self.most}")
        check(len(self.took) > 3, "lookups stood still")
        return self


def nothing_lost(server, acknowledged, what):
    """Over a restart."""
    server.restart()
    here = present(server, acknowledged)
    check(here == set(acknowledged), f"{what}: {len(set(acknowledged) - here)} acknowledged records are gone")


def normal_again(server, what, seconds=10):
    """One write after the other is taken again."""
    begin = time.monotonic()

    def good():
        return all(server.post("/api/ingest", {"cookie": f"again-{i}"}).status == 200 for i in range(5))
    check(wait_for(good, seconds), f"{what}: not normal again within {seconds} s")
    return time.monotonic() - begin


# ---- more than the disk takes -----------------------------------------------------------------------

def overload(options):
    sync, queue = (0.1, 64)
    factors, seconds = ((1, 2, 5, 10), options.seconds or 8) if options.long else ((1, 10), 1.0)
    with Bent() as bent:
        server = bent.start(config={"limits": {"queue": queue}})
        with server:
            server.ingest({"cookie": "before"})
            bent.sync_takes(sync)
            # A group takes at most what is queued, and a sync takes this long: the most that can be written.
            capacity = queue / sync
            goodputs, acknowledged = [], []
            for factor in factors:
                watch = Watch(server)
                writes = Writes(server, f"over{factor}").run(capacity * factor, seconds)
                watch.stop()
                goodputs.append(len(writes.acknowledged) / writes.seconds)
                acknowledged += writes.acknowledged
                print(f"  {factor} × capacity ({capacity * factor:.0f}/s): acknowledged {goodputs[-1]:.0f}/s, {writes.statuses}, "
                      f"{writes.loop.unsent} not sent; queue at most {watch.longest:.0f} of {watch.most:.0f}; acknowledged after p50 "
                      f"{percentile(writes.took, .5):.2f} s, p99 {percentile(writes.took, .99):.2f} s; lookups p99 "
                      f"{percentile(watch.took, .99) * 1e3:.1f} ms")
                check(writes.acknowledged, "nothing was taken under overload")
                if factor > 2:
                    check(writes.statuses.get(503, 0) > 0, "an overload refused nothing")
            bent.sync_takes(0)
            print(f"  normal again after {normal_again(server, 'overload'):.2f} s")
            if options.long:
                goal(options, min(goodputs) >= 0.8 * max(goodputs),
                     f"goodput under overload at least 80 % of the peak: {100 * min(goodputs) / max(goodputs):.0f} %")
            nothing_lost(server, acknowledged, "overload")


def overload_cpu(options):
    """Uploads of 512 records from ever more clients: per second of the server's CPU time, so that the clients' own use does not count."""
    body = "\n".join(json.dumps({"cookie": f"cpu{i}", "email": f"cpu{i}@example.com", "interests": ["tennis", "opera"]})
                     for i in range(512))
    request = post(body)
    results = []
    for clients in (2, 4, 10, 20):
        # A new one each time: people who have been updated often cost more.
        with Server(args=["--durability", "os"]) as server:
            counts = {"taken": 0, "refused": 0}
            end = time.monotonic() + (options.seconds or 5)

            def client():
                with server.connect() as sock:
                    answers = Answers()
                    while time.monotonic() < end:
                        sock.sendall(request)
                        status = 0
                        while status == 0:
                            for status, _, _ in answers.add(sock.recv(65536)):
                                counts["taken" if status == 200 else "refused"] += 1
            cpu, began = cpu_seconds(server.process.pid), time.monotonic()
            threads = [threading.Thread(target=client) for _ in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            cpu, took = cpu_seconds(server.process.pid) - cpu, time.monotonic() - began
            results.append(counts["taken"] * 512 / cpu)
            print(f"  {clients} uploading clients: {counts['taken'] * 512 / took:.0f} records/s, {results[-1]:.0f} a second of CPU time, "
                  f"{counts['refused']} refused")
    goal(options, min(results) >= 0.8 * max(results), f"work done for the CPU time: {100 * min(results) / max(results):.0f} % of the best")


# ---- a disk that stalls -----------------------------------------------------------------------------

def disk_stall(options):
    stall = 5.0 if options.long else 1.2
    with Bent() as bent:
        server = bent.start(config={"limits": {"queue": 128}})
        with server:
            server.ingest({"cookie": "before"})
            watch = Watch(server)
            timer = threading.Timer(0.5, lambda: bent.sync_takes(stall))
            stop = threading.Timer(0.5 + stall, lambda: bent.sync_takes(0))
            timer.start()
            stop.start()
            writes = Writes(server, "stall").run(300, stall + 1.5)
            stop.join()
            watch.stop()
            check(writes.statuses.get(503, 0) > 0, "the stall refused nothing: the queue cannot have been full")
            print(f"  a stall of {stall} s at 300 writes/s: {writes.statuses}; lookups meanwhile: p50 "
                  f"{percentile(watch.took, .5) * 1e3:.1f} ms, slowest {max(watch.took) * 1e3:.1f} ms; "
                  f"normal again after {normal_again(server, 'stall'):.2f} s")
            nothing_lost(server, writes.acknowledged, "stall")


# ---- no descriptors left ----------------------------------------------------------------------------

def no_descriptors(_options):
    with Server() as server:
        server.ingest({"cookie": "before"})
        pid = server.process.pid
        # A few are left: libuv closes a spare one to turn clients away. None: it cannot, and would try for ever within one event.
        for room in (30, None):
            with server.connect() as kept:
                kept.sendall(get("/livez"))
                kept.recv(1000)
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) + room if room else 3, 1 << 14))
                crowd = [server.connect() for _ in range(100)]
                time.sleep(0.3)
                before = cpu_seconds(pid)
                time.sleep(1.5)
                spun = (cpu_seconds(pid) - before) / 1.5
                check(spun < 0.5, f"without descriptors it uses {spun:.0%} of a core")
                # Those who are in are served, reads and writes.
                answers = Answers()
                kept.sendall(post(json.dumps({"cookie": f"meanwhile{room}"})))
                try:
                    status = next(answers.add(kept.recv(65536)))[0]
                except TimeoutError:
                    status = "no answer"
                check(status == 200, f"a write of a connection that is open got {status}")
                for sock in crowd:
                    sock.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (1 << 14, 1 << 14))
            took = normal_again(server, "descriptors")
            print(f"  {room or 0} descriptors left, 100 clients: {spun:.1%} of a core used, normal again after {took:.2f} s")
        nothing_lost(server, ["before", "meanwhile30", "meanwhileNone"], "descriptors")


def few_descriptors(_options):
    """Started with few, the server leaves its files what they need: the log goes on to its next file with every connection taken."""
    with tempfile.TemporaryDirectory(prefix="kindred-few-") as folder:
        few = os.path.join(folder, "kindred")
        with open(few, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nulimit -n 320\nexec "{os.path.abspath(support.BINARY)}" "$@"\n')
        os.chmod(few, 0o755)
        binary, support.BINARY = support.BINARY, few
        try:
            server = Server(args=["--workers", "2", "--durability", "os"])
        finally:
            support.BINARY = binary
        with server:
            server.ingest({"cookie": "before"})
            with server.connect(60) as kept:
                kept.sendall(get("/livez"))
                kept.recv(1000)
                crowd = [server.connect() for _ in range(400)]
                time.sleep(0.3)
                line = '{"cookie":"few%d","attributes":{"a":"' + "x" * 4000 + '"}}\n'
                big = "".join(line % (i % 50) for i in range(17500))  # over 64 MiB: a new file of the log
                kept.sendall(post(big))
                answers = Answers()
                status = 0
                while status == 0:
                    data = kept.recv(65536)
                    if not check(data, "the connection was closed"):
                        break
                    for status, _, _ in answers.add(data):
                        pass
                check(status == 200, f"an upload over the end of a log file got {status}")
                for sock in crowd:
                    sock.close()
            check(len(os.listdir(os.path.join(server.data, "log"))) > 1, "the log has no second file: nothing was tried")
            normal_again(server, "few descriptors")
            print("  320 descriptors, 400 clients: the log went on to its next file")


# ---- a clock that steps -----------------------------------------------------------------------------

def clock_steps(_options):
    with Bent() as bent:
        server = bent.start(config={"limits": {"stop_timeout_ms": 1000}})
        with server:
            server.ingest({"cookie": "before"})
            key = {"Idempotency-Key": "over the step"}
            first = server.post("/api/ingest", {"cookie": "keyed"}, key)
            check(first.status == 200, f"{first}")
            acknowledged = ["before", "keyed"]
            with server.connect() as kept:
                for step, offset in enumerate((3600, -3600, 0)):
                    bent.clock_is_off_by(offset)
                    kept.sendall(get("/api/user?cookie=before"))
                    check(kept.recv(65536).startswith(b"HTTP/1.1 200"), f"an open connection after a step to {offset} s")
                    begin = time.monotonic()
                    writes = Writes(server, f"clock{step}").run(100, 1.0)
                    check(set(writes.statuses) == {200}, f"writes after a step to {offset} s: {writes.statuses}")
                    check(time.monotonic() - begin < 20, f"writes hang after a step to {offset} s")
                    acknowledged += writes.acknowledged
                    again = server.post("/api/ingest", {"cookie": "keyed"}, key)
                    check((again.status, again.body) == (first.status, first.body), f"a retry after a step to {offset} s: {again}")
            # Stopping has a deadline of its own, which a step must not move: a body is under way.
            bent.clock_is_off_by(3600)
            with server.connect() as sock:
                sock.sendall(b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n[")
                time.sleep(0.3)
                begin = time.monotonic()
                try:
                    code = server.stop(timeout=40)
                except subprocess.TimeoutExpired:
                    server.process.kill()
                    code = "none: it hangs"
                check(code == 0, f"stopping after a step: {code}")
                check(time.monotonic() - begin < 20, "a step of the clock kept the server from stopping in time (1 s)")
                print(f"  clock steps of an hour: {len(acknowledged)} writes acknowledged, stopped within "
                      f"{time.monotonic() - begin:.1f} s although a body was under way")
            # The log's time does not run backwards over the restart.
            bent.clock_is_off_by(-3600)
            bent.start(server)
            check(present(server, acknowledged) == set(acknowledged), "clock: acknowledged records are gone")
            server.ingest({"cookie": "back then"})
            times = [entry["received_at"] for entry in server.get("/api/log?limit=1000").json["entries"]]
            check(times == sorted(times), "received_at runs backwards")


# ---- memory at its cap ------------------------------------------------------------------------------

def memory_cap(options):
    with Server(args=["--memory-max", "0"]) as server:
        time.sleep(0.6)
        cap = int(server.metric("kindred_memory_bytes")) + (128 if options.long else 40) * 1000 * 1000
    with Server(args=["--memory-max", str(cap)]) as server:
        server.ingest({"cookie": "before"})
        watch = Watch(server)
        statuses, acknowledged = {}, []
        lines = [json.dumps({"attributes": {f"n{k}": "y" * 100 for k in range(8)}})[1:] for _ in range(1)][0]

        def make(number):
            return post("\n".join(f'{{"cookie":"cap{number}-{i}",{lines}' for i in range(256)))

        def done(number, status, _took):
            statuses[status] = statuses.get(status, 0) + 1
            if status == 200:
                acknowledged.append(number)
        loop = OpenLoop(server, make, done, 16)
        highest, rounds = 0, 0
        while (507 not in statuses or statuses[507] < 50) and rounds < 120:
            loop.run(60, 0.5)
            highest = max(highest, server.metric("kindred_memory_bytes"))
            rounds += 1
        loop.close()
        watch.stop()
        check(statuses.get(507, 0) > 0 and set(statuses) <= {200, 507, 503, 0}, f"at the memory cap: {statuses}")
        check(loop.no_retry_after == 0, "507 without Retry-After")
        check(highest < cap + 128 * 1000 * 1000, f"{highest} of {cap} bytes in use")
        check(server.call("DELETE", "/api/user?cookie=before").status == 202, "an erasure at the cap")
        print(f"  memory: {statuses}, highest {highest / 1e6:.0f} MB with a cap of {cap / 1e6:.0f} MB; lookups p99 "
              f"{percentile(watch.took, .99) * 1e3:.1f} ms")
        server.args = []
        server.restart()
        normal_again(server, "memory, with room")
        cookies = [f"cap{number}-{i}" for number in acknowledged for i in (0, 100, 255)]
        check(present(server, cookies) == set(cookies), "memory: acknowledged records are gone")


def main():
    options = words("overload and shortage", only=("", "one part: " + ", ".join(sorted(PARTS))),
                    seconds=(0.0, "of load at each factor"))
    for name, part in PARTS.items():
        if options.only and options.only != name:
            continue
        if SANITIZED and "descriptors" not in name:
            print(f"{name}: not with the sanitizers")  # preloading and their memory do not go together with it
            continue
        if name == "overload_cpu" and not options.long:
            continue
        print(name)
        part(options)
    finish()


PARTS = {part.__name__: part for part in (overload, overload_cpu, disk_stall, no_descriptors, few_descriptors, clock_steps, memory_cap)}

if __name__ == "__main__":
    main()
