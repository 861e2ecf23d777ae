"""Tries to break: start and stop, one folder for one process, slow and rude clients, bounded memory."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from support import BINARY, Server, answers, kindred, read_answers


# The sanitizers keep freed memory for a while, to see who still uses it.
SPARE = 16 if "ASAN_OPTIONS" in os.environ else 1


def ndjson(first, count, size=0):
    pad = "x" * size
    return "".join(json.dumps({"cookie": f"c{i}", "email": f"e{i}@example.com", "note": pad}) + "\n"
                   for i in range(first, first + count)).encode()


class Life(unittest.TestCase):
    def test_second_process_is_refused(self):
        with Server() as s:
            done = kindred("serve", "--data", s.data, "--listen", "127.0.0.1:0")
            self.assertEqual(done.returncode, 4, done)
            self.assertIn("Another process", done.stderr)
            same = kindred("serve", "--data", s.data, "--listen", f"127.0.0.1:{s.port}")
            self.assertEqual(same.returncode, 4, same)
            other = kindred("serve", "--data", s.data + "-2", "--listen", f"127.0.0.1:{s.port}")
            self.assertEqual(other.returncode, 1, other)
            self.assertIn("in use", other.stderr)

    def test_stop_finishes_what_was_accepted(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server() as s:
                acknowledged, stop = [], threading.Event()

                def write(worker):
                    i = 0
                    while not stop.is_set():
                        cookie = f"w{worker}-{i}"
                        try:
                            if s.post("/api/ingest", {"cookie": cookie}).status == 200:
                                acknowledged.append(cookie)
                        except (OSError, Exception):
                            return
                        i += 1

                writers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
                for writer in writers:
                    writer.start()
                time.sleep(0.5)
                code = s.stop(number)
                stop.set()
                for writer in writers:
                    writer.join()
                self.assertEqual(code, 0, s.errors)
                self.assertGreater(len(acknowledged), 10)
                s.start()
                for cookie in acknowledged:
                    self.assertEqual(s.get("/api/user?cookie=" + cookie).status, 200)

    def test_stop_lets_an_upload_end_but_waits_for_none_for_ever(self):
        with Server(config={"limits": {"stop_timeout_ms": 2000}}) as s:
            head = b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            body = ndjson(0, 3000)
            ends, hangs = s.connect(), s.connect()
            for sock in (ends, hangs):
                sock.sendall(head % len(body) + body[:len(body) // 2])
            time.sleep(0.3)
            begin = time.monotonic()
            s.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            ends.sendall(body[len(body) // 2:])
            status, headers, _ = read_answers(ends, 1)[0]
            self.assertEqual((status, headers["connection"]), (200, "close"))
            self.assertEqual(s.process.wait(20), 0)
            self.assertLess(time.monotonic() - begin, 10)
            ends.close()
            hangs.close()
            s.start()
            self.assertEqual(s.get("/api/user?cookie=c2999").status, 200)

    def test_kill_loses_nothing_acknowledged(self):
        with Server() as s:
            for i in range(30):
                s.ingest({"cookie": f"kill-{i}"})
            s.stop(signal.SIGKILL)
            s.start()
            for i in range(30):
                self.assertEqual(s.get(f"/api/user?cookie=kill-{i}").status, 200)

    def test_profiles_come_back_from_the_log(self):
        with Server(args=["--demo", "300"]) as s:
            s.ingest({"cookie": "x1", "email": "x@example.com"})
            s.call("PUT", "/api/cohorts/mine", {"include": [{"cookie": "x1"}]})
            self.assertEqual(s.stop(), 0)

            def export():
                done = subprocess.run([BINARY, "export", "profiles", "--data", s.data], capture_output=True, check=True)
                return done.stdout
            before = export()
            self.assertGreater(before.count(b"\n"), 300)
            removed = 0
            for base, _, names in os.walk(s.data):
                for name in names:
                    if name.endswith(".mdb"):
                        os.remove(os.path.join(base, name))
                        removed += 1
            self.assertGreater(removed, 0)
            s.start()
            self.assertEqual(s.get("/api/cohort/users?cohort=mine").json["total"], 1)
            self.assertEqual(s.stop(), 0)
            self.assertEqual(export(), before)

    def test_listens_before_it_is_ready(self):
        with Server(args=["--demo", "3000"], wait=False) as s:
            seen = set()
            end = time.monotonic() + 60
            port = None
            while time.monotonic() < end and port is None and not s.output:
                port = listening_port(s.process.pid)
            s.host, s.port = "127.0.0.1", port
            while time.monotonic() < end and port is not None:
                ready = s.get("/readyz")
                seen.add((ready.status, ready.json["status"]))
                self.assertEqual(s.get("/livez").status, 200)
                if ready.status == 200:
                    break
                self.assertIn("phase", ready.json)
                other = s.get("/api/user?cookie=x")
                self.assertIn((other.status, other.json["code"]), ((503, "starting"), (404, "user_unknown")))
            s.wait_ready()
            self.assertIn((503, "starting"), seen)
            self.assertIn((200, "ready"), seen)

    def test_durability_is_named(self):
        for mode in ("interval", "os"):
            with Server(args=["--durability", mode]) as s:
                self.assertEqual(s.ingest({"cookie": "d"})["durability"], mode)
                s.restart()
                self.assertEqual(s.get("/api/user?cookie=d").status, 200)


def listening_port(pid):
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                pass
    except OSError:
        return None
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                return int(words[1].split(":")[1], 16)
    return None


class Streams(unittest.TestCase):
    def test_large_body_in_bounded_memory(self):
        """96 MiB through a server; what it keeps are the 200 people in it, not the body."""
        with Server(args=["--workers", "1"], config={"checkpoint": {"entries": 1000000, "seconds": 3600}}) as s:
            block = b"".join(json.dumps({"cookie": f"b{i}", "city": "Oslo"}).encode() + b" " * 5000 + b"\n"
                             for i in range(200))
            times = 96 * 1024 * 1024 // len(block)
            s.ingest(block)
            before = s.resident_kib()
            peak = [before]
            stop = threading.Event()

            def watch():
                while not stop.is_set():
                    peak[0] = max(peak[0], s.resident_kib())
                    time.sleep(0.02)

            watcher = threading.Thread(target=watch)
            watcher.start()
            with s.connect(timeout=300) as sock:
                sock.sendall(b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(times):
                    sock.sendall(b"%x\r\n" % len(block) + block + b"\r\n")
                sock.sendall(b"0\r\n\r\n")
                status, _, body = read_answers(sock, 1)[0]
            stop.set()
            watcher.join()
            self.assertEqual(status, 200, body)
            self.assertEqual(json.loads(body)["records_processed"], 200 * times)
            self.assertLess(peak[0] - before, 48 * 1024 * SPARE, "KiB more than before")

    def test_slow_reader_is_held_back_and_dropped(self):
        with Server(args=["--workers", "1", "--demo", "1000"], config={"limits": {"write_timeout_ms": 1000}}) as s:
            request = b"GET /api/users?limit=1000&expand=all HTTP/1.1\r\nHost: localhost\r\n\r\n"
            before = s.resident_kib()
            rude = []
            for _ in range(10):
                sock = s.connect()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.settimeout(0.2)
                try:
                    for _ in range(200):
                        sock.sendall(request * 20)
                except (socket.timeout, OSError):
                    pass
                rude.append(sock)
            self.assertEqual(s.get("/livez").status, 200)
            self.assertLess(s.resident_kib() - before, 150 * 1024 * SPARE)
            end = time.monotonic() + 10
            while s.metric("kindred_connections_open") > 2 and time.monotonic() < end:
                time.sleep(0.1)
            self.assertLessEqual(s.metric("kindred_connections_open"), 2)
            for sock in rude:
                sock.close()

    def test_a_reader_that_takes_its_time_gets_everything(self):
        with Server(args=["--demo", "500"]) as s:
            request = b"GET /api/users?limit=1000&expand=all HTTP/1.1\r\nHost: localhost\r\n\r\n"
            size = len(s.get("/api/users?limit=1000&expand=all").body)
            with s.connect(timeout=60) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
                sock.sendall(request * 10)
                sock.shutdown(socket.SHUT_WR)
                data = b""
                while True:
                    part = sock.recv(30000)
                    if not part:
                        break
                    data += part
                    if len(data) < 500000:
                        time.sleep(0.002)
            got = answers(data)
            self.assertEqual([(one[0], len(one[2])) for one in got], [(200, size)] * 10)


class Deadlines(unittest.TestCase):
    LIMITS = {"header_timeout_ms": 500, "body_timeout_ms": 500, "idle_timeout_ms": 700}

    def test_slow_clients(self):
        with Server(args=["--workers", "1"], config={"limits": self.LIMITS}) as s:
            def slow(first, drip):
                begin = time.monotonic()
                with s.connect() as sock:
                    sock.sendall(first)
                    sock.settimeout(0.1)
                    data = b""
                    while time.monotonic() - begin < 8:
                        try:
                            part = sock.recv(65536)
                            if not part:
                                return data, time.monotonic() - begin
                            data += part
                        except socket.timeout:
                            pass
                        except OSError:
                            return data, time.monotonic() - begin
                        try:
                            sock.sendall(drip)
                        except OSError:
                            pass
                return data, None
            head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
            body = b"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
            for name, first, drip, status in (("head", head, b"A: b\r\n", 408), ("silent head", head, b"", 408),
                                              ("body", body, b"{", 408), ("silent body", body, b"", 408),
                                              ("idle", b"", b"", None)):
                with self.subTest(name):
                    data, took = slow(first, drip)
                    self.assertIsNotNone(took, "never closed")
                    self.assertLess(took, 5)
                    self.assertEqual([one[0] for one in answers(data)], [status] if status else [])
            # A connection with work to do is not idle.
            with s.connect() as sock:
                for _ in range(10):
                    sock.sendall(head + b"\r\n")
                    self.assertEqual(read_answers(sock, 1)[0][0], 200)
                    time.sleep(0.2)

    def test_many_idle_connections(self):
        with Server(args=["--workers", "1"], config={"limits": {"connections": 400}}) as s:
            before = s.resident_kib()
            idle = [s.connect() for _ in range(390)]
            self.assertEqual(s.get("/livez").status, 200)
            self.assertLess(s.resident_kib() - before, 390 * 8 * SPARE)
            more = [s.connect() for _ in range(30)]
            refused = 0
            for sock in more:
                sock.settimeout(0.3)
                try:
                    data = sock.recv(1000)
                    if data:
                        status, headers, _ = answers(data)[0]
                        self.assertEqual(status, 503)
                        self.assertIn("retry-after", headers)
                        refused += 1
                except socket.timeout:
                    pass
            self.assertGreater(refused, 10)
            for sock in idle + more:
                sock.close()
            end = time.monotonic() + 5
            while time.monotonic() < end:
                try:
                    if s.get("/livez").status == 200:
                        break
                except OSError:
                    pass
            self.assertEqual(s.get("/livez").status, 200)


class SharedWorker(unittest.TestCase):
    def test_bodies_in_pieces(self):
        """One worker reads several large bodies by turns, plain and packed, cut anywhere; some of their clients go away in the middle.
        Lookups go on meanwhile, and of each body that came to its end every record is there."""
        import gzip
        records, bodies = 6000, 6
        with Server(args=["--workers", "1"]) as s:
            s.ingest({"cookie": "somebody"})
            texts = ["".join(f'{{"cookie": "b{b}-{i}", "location": {{"city": "Oslo"}}}}\n' for i in range(records)).encode()
                     for b in range(2 * bodies)]
            outcome = {}

            def send(b):
                body = gzip.compress(texts[b]) if b % 2 else texts[b]
                head = f"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                head += "Content-Encoding: gzip\r\n\r\n" if b % 2 else "\r\n"
                with s.connect(timeout=60) as sock:
                    if b >= bodies:
                        sock.sendall(head.encode() + body[:len(body) - b])
                        return
                    step = 70001 + b
                    sock.sendall(head.encode())
                    for at in range(0, len(body), step):
                        sock.sendall(body[at:at + step])
                    outcome[b] = read_answers(sock, 1)[0]

            threads = [threading.Thread(target=send, args=(b,)) for b in range(2 * bodies)]
            for thread in threads:
                thread.start()
            lookups = 0
            while any(thread.is_alive() for thread in threads) or lookups < 100:
                self.assertEqual(s.get("/api/user?cookie=somebody").status, 200)
                lookups += 1
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(outcome), list(range(bodies)))
            for status, _, body in outcome.values():
                self.assertEqual((status, json.loads(body)["records_processed"]), (200, records))
            for b in range(bodies):
                for i in (0, records // 2, records - 1):
                    self.assertEqual(s.get(f"/api/user?cookie=b{b}-{i}").status, 200)


class Overload(unittest.TestCase):
    def test_a_full_queue_answers_503(self):
        """More writers than the queue holds: each gets its 200 or a 503 with Retry-After, and what got 200 is there."""
        with Server(args=["--workers", "2"], config={"limits": {"queue": 1}}) as s:
            outcome = {200: [], 503: []}
            lock = threading.Lock()

            def write(worker):
                for i in range(30):
                    cookie = f"o{worker}-{i}"
                    answer = s.post("/api/ingest", {"cookie": cookie})
                    if answer.status == 503:
                        assert "retry-after" in answer.headers
                    with lock:
                        outcome[answer.status].append(cookie)

            writers = [threading.Thread(target=write, args=(w,)) for w in range(16)]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            self.assertGreater(len(outcome[200]), 0)
            self.assertGreater(len(outcome[503]), 0)
            for cookie in outcome[200]:
                self.assertEqual(s.get("/api/user?cookie=" + cookie).status, 200)
            for cookie in outcome[503]:
                self.assertEqual(s.get("/api/user?cookie=" + cookie).status, 404)
            # A long body waits for its turn instead, once it has begun.
            answer = s.post("/api/ingest", ndjson(0, 5000))
            self.assertIn(answer.status, (200, 503))


class CommandLine(unittest.TestCase):
    def test_it_teaches_itself(self):
        self.assertIn("serve", kindred("--help").stdout)
        self.assertIn("--listen", kindred("help", "serve").stdout)
        self.assertIn("--listen", kindred("serve", "--help").stdout)
        for words, hint in ((["srve"], "did you mean 'serve'"), (["serve", "--lisen", "x"], "--listen"),
                            (["serve", "--workers", "many"], "whole number"), (["serve", "--data"], "needs a value"),
                            (["serve", "--listen", "8080"], "HOST:PORT"), (["serve", "--durability", "none"], "fsync"),
                            (["serve", "extra"], "extra"), (["serve", "--config", "/nonexistent"], "/nonexistent"), ([], "usage")):
            done = kindred(*words)
            self.assertEqual(done.returncode, 2, (words, done))
            self.assertIn(hint, done.stderr, words)
        self.assertRegex(kindred("version").stdout, r"^kindred \d+\.\d+\.\d+\n$")

    def test_config(self):
        with Server(config={"durability": "os", "workers": 1, "settings": {
                "identifiers": [{"type": "loyalty_id", "limit": 1}]}}) as s:
            s.ingest({"loyalty_id": "L-77"})
            self.assertEqual(s.get("/api/user?loyalty_id=L-77").status, 200)
            self.assertIn("os", "".join(s.output))
            path = os.path.join(s.folder, "bad.json")
            for text in ('{"dta": "x"}', '{"workers": 0}', '{"limits": {"queue": -1}}', "[]", "{", '{"listen": 1}',
                         '{"settings": {"nonsense": 1}}', '{"workers": 1, "workers": 2}'):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.assertEqual(kindred("serve", "--config", path, "--data", s.data + "-x").returncode, 2, text)


if __name__ == "__main__":
    unittest.main()
