"""Tries to break: the HTTP gate. Every row is a hostile or odd request and the one status it must get; the same at every
place where the network may cut it; closed afterwards; and nothing of it reaches the engine."""
import os
import socket
import time
import unittest

from support import Server, answers, read_all, read_answers

HOST = b"Host: localhost\r\n"


def get(path=b"/livez", *fields, version=b"HTTP/1.1", host=HOST):
    return b"GET " + path + b" " + version + b"\r\n" + host + b"".join(f + b"\r\n" for f in fields) + b"\r\n"


def post(*fields, body=b"", path=b"/api/ingest", version=b"HTTP/1.1"):
    return b"POST " + path + b" " + version + b"\r\n" + HOST + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


POISON = b'{"cookie":"smuggled"}'
CHUNKED = b"15\r\n" + POISON + b"\r\n0\r\n\r\n"
CL = b"Content-Length: 21"
TE = b"Transfer-Encoding: chunked"

# name, bytes, status. All of these end the connection.
REFUSED = [
    ("no Host", b"GET /livez HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", get(b"/livez", b"Host: localhost"), 400),
    ("two Hosts, other case", get(b"/livez", b"hOST: localhost"), 400),
    ("empty Host", get(host=b"Host:\r\n"), 400),
    ("Host with a path", get(host=b"Host: localhost/x\r\n"), 400),
    ("Host with user", get(host=b"Host: a@localhost\r\n"), 400),
    ("absolute-form", get(b"http://localhost/livez"), 400),
    ("absolute-form of another host", get(b"http://evil.example/livez"), 400),
    ("asterisk-form", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("authority-form", get(b"localhost:80"), 400),
    ("fragment", get(b"/livez#x"), 400),
    ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    ("PROPFIND", b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    ("unknown method", b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("lower-case method", b"get /livez HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/2.0 version", get(version=b"HTTP/2.0"), 505),
    ("HTTP/0.9 version", get(version=b"HTTP/0.9"), 505),
    ("HTTP/1.2 version", get(version=b"HTTP/1.2"), 505),
    ("RTSP", b"OPTIONS * RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    ("bare LF", b"GET /livez HTTP/1.1\nHost: localhost\n\n", 400),
    ("bare LF in headers", b"GET /livez HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n", 400),
    ("bare CR in a value", get(b"/livez", b"A: b\rc"), 400),
    ("NUL in a value", get(b"/livez", b"A: b\0c"), 400),
    ("NUL in the path", get(b"/liv\0ez"), 400),
    ("obs-fold", get(b"/livez", b"A: b", b" c"), 400),
    ("space before colon", get(b"/livez", b"A : b"), 400),
    ("no colon", get(b"/livez", b"Anna"), 400),
    ("empty name", get(b"/livez", b": b"), 400),
    ("tab in the request line", b"GET\t/livez HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    # smuggling
    ("CL and TE", post(CL, TE, body=CHUNKED), 400),
    ("TE and CL", post(TE, CL, body=CHUNKED), 400),
    ("two CL, different", post(CL, b"Content-Length: 0", body=POISON), 400),
    ("two CL, same", post(CL, CL, body=POISON), 400),
    ("CL list", post(b"Content-Length: 21, 21", body=POISON), 400),
    ("CL plus sign", post(b"Content-Length: +21", body=POISON), 400),
    ("CL minus", post(b"Content-Length: -1", body=POISON), 400),
    ("CL hex", post(b"Content-Length: 0x15", body=POISON), 400),
    ("CL with spaces", post(b"Content-Length: 2 1", body=POISON), 400),
    ("CL over 64 bits", post(b"Content-Length: 99999999999999999999", body=POISON), 400),
    ("CL empty", post(b"Content-Length:", body=POISON), 400),
    ("TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED), 501),
    ("TE identity", post(b"Transfer-Encoding: identity", body=POISON), (400, 501)),
    ("TE xchunked", post(b"Transfer-Encoding: xchunked", body=CHUNKED), 501),
    ("TE chunked twice", post(TE, TE, body=CHUNKED), 400),
    ("TE chunked, chunked", post(b"Transfer-Encoding: chunked, chunked", body=CHUNKED), 400),
    ("TE chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=CHUNKED), (400, 501)),
    ("TE empty", post(b"Transfer-Encoding:", body=CHUNKED), 400),
    ("TE with space before colon", post(b"Transfer-Encoding : chunked", body=CHUNKED), 400),
    ("TE with vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=CHUNKED), (400, 501)),
    ("TE on HTTP/1.0", post(TE, body=CHUNKED, version=b"HTTP/1.0"), 400),
    ("chunk size not hex", post(TE, body=b"zz\r\n" + POISON), 400),
    ("chunk size with 0x", post(TE, body=b"0x15\r\n" + POISON + b"\r\n0\r\n\r\n"), 400),
    ("chunk size negative", post(TE, body=b"-15\r\n" + POISON + b"\r\n0\r\n\r\n"), 400),
    ("chunk size over 64 bits", post(TE, body=b"fffffffffffffffff\r\n" + POISON), 400),
    ("chunk without CR LF at its end", post(TE, body=b"15\r\n" + POISON + b"0\r\n\r\n"), 400),
    ("chunk size line with bare LF", post(TE, body=b"15\n" + POISON + b"\r\n0\r\n\r\n"), 400),
    ("chunk extension over 4 KiB", post(TE, body=b"15;" + b"x" * 5000 + b"\r\n" + POISON + b"\r\n0\r\n\r\n"), 400),
    ("Expect of something else", post(b"Expect: 200-ok", CL, body=POISON), 417),
    ("two Authorizations", get(b"/livez", b"Authorization: a", b"Authorization: b"), 400),
    ("body on GET", get(b"/livez", b"Content-Length: 3") + b"abc", 400),
    ("body on a lookup", get(b"/api/user?cookie=x", b"Content-Length: 3") + b"abc", 400),
    # limits
    ("101 header fields", get(b"/livez", *[b"A: b"] * 100), 431),
    ("header section over 32 KiB", get(b"/livez", b"A: " + b"b" * 32768), 431),
    ("request line over 8 KiB", get(b"/" + b"a" * 8192), 414),
    ("a trailer of 33 KiB", post(TE, body=b"15\r\n" + POISON + b"\r\n0\r\n" + (b"T: " + b"v" * 1019 + b"\r\n") * 33 + b"\r\n"), 431),
    ("101 trailer fields", post(TE, body=b"15\r\n" + POISON + b"\r\n0\r\n" + b"T: v\r\n" * 101 + b"\r\n"), 431),
]

# These are fine, or fine to answer otherwise without ending the connection.
ACCEPTED = [
    ("plain", get(), 200),
    ("empty lines before", b"\r\n\r\n" + get(), 200),
    ("h2c upgrade is ignored", get(b"/livez", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                                  b"HTTP2-Settings: AAMAAABkAAQAAP__"), 200),
    ("websocket upgrade is ignored", get(b"/livez", b"Connection: Upgrade", b"Upgrade: websocket"), 200),
    ("99 header fields and Host", get(b"/livez", *[b"A: b"] * 99), 200),
    ("header section of nearly 32 KiB", get(b"/livez", b"A: " + b"b" * 32000), 200),
    ("path of nearly 8 KiB", get(b"/" + b"a" * 8100), 404),
    ("method override is ignored", get(b"/livez", b"X-HTTP-Method-Override: DELETE"), 200),
    ("TRACE", b"TRACE /livez HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    ("OPTIONS", b"OPTIONS /livez HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    ("dot segments are no path of ours", get(b"/api/../livez"), 404),
    ("encoded dot segments", get(b"/api/%2e%2e/livez"), 404),
    ("double slash", get(b"//livez"), 404),
    ("other case", get(b"/LIVEZ"), 404),
]

# Cut in two at every byte.
SPLIT = [
    ("lookup", get(b"/api/user?cookie=split-me"), 200, True),
    ("unknown path", get(b"/nowhere"), 404, True),
    ("no Host", b"GET /livez HTTP/1.1\r\n\r\n", 400, False),
    ("CL and TE", post(CL, TE, body=CHUNKED), 400, False),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED), 501, False),
    ("bad chunk", post(TE, body=b"zz\r\n"), 400, False),
    ("absolute-form", get(b"http://localhost/"), 400, False),
    ("preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, False),
    ("body", post(b"Content-Length: 21", body=b'{"cookie":"split-it"}'), 200, True),
    ("chunks", post(TE, body=b"5\r\n{\"coo\r\n10\r\nkie\":\"split-it\"}\r\n0\r\nT: v\r\n\r\n"), 200, True),
]


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(args=["--workers", "1"])
        cls.server.ingest([{"cookie": "split-me"}])

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_refused_once_and_closed(self):
        for name, data, status in REFUSED:
            with self.subTest(name):
                # A second request follows: it must not be answered.
                got = answers(self.server.raw(data + get(b"/livez")))
                self.assertEqual(len(got), 1, got)
                self.assertIn(got[0][0], status if isinstance(status, tuple) else (status,), got)
                self.assertEqual(got[0][1]["connection"], "close")
                self.assertEqual(got[0][1]["content-type"], "application/problem+json")
        self.assertEqual(self.server.get("/api/user?cookie=smuggled").status, 404)

    def test_accepted_and_kept_open(self):
        for name, data, status in ACCEPTED:
            with self.subTest(name):
                with self.server.connect() as sock:
                    sock.sendall(data + get(b"/livez"))
                    got = read_answers(sock, 2)
                self.assertEqual([one[0] for one in got], [status, 200])

    def test_the_same_wherever_it_is_cut(self):
        for name, data, status, stays in SPLIT:
            with self.subTest(name):
                for cut in range(1, len(data)):
                    with self.server.connect() as sock:
                        sock.sendall(data[:cut])
                        time.sleep(0.0005)
                        try:
                            sock.sendall(data[cut:])
                            if stays:
                                got = read_answers(sock, 1)
                            else:
                                got = answers(read_all(sock))
                        except (BrokenPipeError, ConnectionResetError):
                            got = answers(read_all(sock))
                    self.assertEqual([one[0] for one in got], [status], (name, cut))

    def test_byte_by_byte(self):
        data = post(TE, body=b"5\r\n{\"coo\r\n10\r\nkie\":\"drop-it!\"}\r\n0\r\n\r\n") + get(b"/api/user?cookie=drop-it!")
        with self.server.connect() as sock:
            for i in range(len(data)):
                sock.sendall(data[i:i + 1])
            got = read_answers(sock, 2)
        self.assertEqual([one[0] for one in got], [200, 200])

    def test_pipelined_in_order(self):
        paths = [b"/api/user?cookie=split-me", b"/api/user?cookie=nobody", b"/api/user?email=%zz", b"/nowhere",
                 b"/api/cohorts", b"/api/user?id=p1", b"/livez", b"/api/user"]
        expected = [200, 404, 400, 404, 200, 200, 200, 400]
        for times in (1, 40):
            with self.server.connect() as sock:
                sock.sendall(b"".join(get(path) for path in paths) * times)
                got = read_answers(sock, len(paths) * times)
            self.assertEqual([one[0] for one in got], expected * times)
        # A write in the middle: what follows sees it.
        body = b'{"cookie":"pipelined"}'
        with self.server.connect() as sock:
            sock.sendall(get(b"/api/user?cookie=pipelined") + post(b"Content-Length: 22", body=body) +
                         get(b"/api/user?cookie=pipelined") +
                         b"DELETE /api/user?cookie=pipelined HTTP/1.1\r\n" + HOST + b"\r\n" +
                         get(b"/api/user?cookie=pipelined"))
            got = read_answers(sock, 5)
        self.assertEqual([one[0] for one in got], [404, 200, 200, 202, 404])

    def test_many_clients_in_one_turn(self):
        """Lookups of many clients are answered together: everybody must get their own, in order, whatever else they ask."""
        count = 60
        self.server.ingest([{"cookie": f"turn-{i}"} for i in range(count)])
        socks = [self.server.connect() for _ in range(count)]
        rounds = ((b"lookup",), (b"lookup", b"list", b"lookup"), (b"list", b"lookup"), (b"lookup", b"unknown", b"lookup", b"bad"),
                  (b"lookup",) * 70, (b"write", b"lookup"))
        for turn in range(40):
            plans = [rounds[(turn * 7 + i * i) % len(rounds)] for i in range(count)]
            kinds = {b"lookup": lambda i: get(b"/api/user?cookie=turn-%d" % i), b"list": lambda i: get(b"/api/cohorts"),
                     b"unknown": lambda i: get(b"/api/user?cookie=nobody"), b"bad": lambda i: get(b"/api/user"),
                     b"write": lambda i: post(b"Content-Length: %d" % len(b'{"cookie":"turn-%d"}' % i),
                                              body=b'{"cookie":"turn-%d"}' % i)}
            for i, sock in enumerate(socks):
                sock.sendall(b"".join(kinds[kind](i) for kind in plans[i]))
            for i, sock in enumerate(socks):
                got = read_answers(sock, len(plans[i]))
                self.assertEqual(len(got), len(plans[i]))
                for kind, (status, _, body) in zip(plans[i], got):
                    self.assertEqual(status, {b"unknown": 404, b"bad": 400}.get(kind, 200))
                    if kind == b"lookup":
                        self.assertIn(b'"turn-%d"' % i, body)
        for sock in socks:
            sock.close()

    def test_keep_alive(self):
        for data, closes in ((get(version=b"HTTP/1.0"), True),
                             (get(b"/livez", b"Connection: keep-alive", version=b"HTTP/1.0"), False),
                             (b"GET /livez HTTP/1.0\r\n\r\n", True),
                             (get(b"/livez", b"Connection: close"), True), (get(), False)):
            with self.server.connect() as sock:
                sock.sendall(data)
                status, headers, _ = read_answers(sock, 1)[0]
                self.assertEqual(status, 200)
                self.assertEqual(headers.get("connection") == "close", closes, data)
                if closes:
                    self.assertEqual(sock.recv(1), b"")
                else:
                    sock.sendall(get())
                    self.assertEqual(read_answers(sock, 1)[0][0], 200)

    def test_expect_continue(self):
        with self.server.connect() as sock:
            sock.sendall(post(b"Expect: 100-continue", b"Content-Length: 20"))
            self.assertEqual(sock.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            sock.sendall(b'{"cookie":"expect1"}')
            self.assertEqual(read_answers(sock, 1)[0][0], 200)
        with self.server.connect() as sock:
            sock.sendall(post(b"Expect: 100-continue", b"Content-Length: 20", path=b"/nowhere"))
            self.assertEqual([one[0] for one in answers(read_all(sock))], [404])
        self.assertEqual(self.server.get("/api/user?cookie=expect1").status, 200)

    def test_body_limits(self):
        big = b"{" + b" " * (1024 * 1024) + b"}"
        answer = self.server.call("PATCH", "/api/user?cookie=split-me", big)
        self.assertEqual(answer.status, 413)
        # Without a length it is found out on the way.
        data = (b"PATCH /api/user?cookie=split-me HTTP/1.1\r\n" + HOST + TE + b"\r\n\r\n" +
                b"%x\r\n" % len(big) + big + b"\r\n0\r\n\r\n")
        self.assertEqual([one[0] for one in answers(self.server.raw(data))], [413])

    def test_half_close(self):
        self.assertEqual([a[0] for a in answers(self.server.raw(get(), half_close=True))], [200])
        data = post(b"Content-Length: 18", body=b'{"cookie":"half1"}')
        self.assertEqual([a[0] for a in answers(self.server.raw(data, half_close=True))], [200])
        # The end comes before the body: no record.
        cut = post(b"Content-Length: 40", body=b'{"cookie":"half2"}')
        self.assertEqual(self.server.raw(cut, half_close=True), b"")
        self.assertEqual(self.server.get("/api/user?cookie=half1").status, 200)
        self.assertEqual(self.server.get("/api/user?cookie=half2").status, 404)

    def test_reset_in_the_middle(self):
        for i in range(20):
            sock = self.server.connect()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.sendall(post(b"Content-Length: 9999999", body=b'{"cookie":"reset%d"}\n' % i * (i * 200)))
            sock.close()
        self.assertEqual(self.server.get("/livez").status, 200)

    def test_rebinding_and_origins(self):
        for host, status in ((b"localhost:1", 200), (b"127.0.0.1", 200), (b"[::1]:8080", 200), (b"LOCALHOST", 200),
                             (b"evil.example", 403), (b"127.0.0.1.evil.example", 403), (b"localhost.evil.example:80", 403)):
            got = answers(self.server.raw(get(b"/livez", b"Connection: close", host=b"Host: " + host + b"\r\n")))
            self.assertEqual([one[0] for one in got], [status], host)
        for origin, status in ((b"http://localhost:3000", 200), (b"https://evil.example", 403), (b"null", 403),
                               (b"http://localhost.evil.example", 403)):
            got = answers(self.server.raw(get(b"/livez", b"Connection: close", b"Origin: " + origin)))
            self.assertEqual([one[0] for one in got], [status], origin)

    def test_noise(self):
        for i in range(50):
            got = self.server.raw(os.urandom(200) + b"\r\n\r\n", half_close=True, timeout=5)
            for status, _, _ in answers(got):
                self.assertGreaterEqual(status, 400)
        self.assertEqual(self.server.get("/livez").status, 200)


if __name__ == "__main__":
    unittest.main()
