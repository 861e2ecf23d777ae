"""Tries to break: every limit of docs/operations.md ("Limits"): at the limit it works, one beyond gives what the table says. A row of the table
without a test here, or a test without a row, fails, too."""
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import unittest

from support import Server, answers, kindred, read_all, read_answers

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "operations.md")
KIB, MIB = 1024, 1024 * 1024
HOST = b"Host: localhost\r\n"
ROWS = {}


def row(name):
    def add(function):
        assert name not in ROWS, name
        ROWS[name] = function
        return function
    return add


def refused(answer, status, code):
    assert (answer.status, answer.json["code"]) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json", answer
    if status in (429, 503, 507):
        assert int(answer.headers["retry-after"]) > 0, answer


def one(data, expected):
    """The status and code of a raw exchange that the server ends."""
    got = answers(data)
    assert [(status, json.loads(body)["code"]) for status, _, body in got] == [expected], got


counter = iter(range(1, 1 << 40))


def somebody():
    return f"limit{next(counter)}"


def taken(s, record, **query):
    """Ingests one record with a cookie: nothing was left away."""
    record = {"cookie": somebody(), **record}
    words = "&".join(f"{name}={value}" for name, value in query.items())
    result = s.ingest({"data": record}, "?" + words if words else "")
    assert (result["records_processed"], result["records_cleansed"]) == (1, 0), result
    return s.user(f"cookie={record['cookie']}&expand=all")


def cleansed(s, record, code):
    """... something was, and the answer says so."""
    record = {"cookie": somebody(), **record}
    result = s.ingest({"data": record})
    assert (result["records_processed"], result["records_cleansed"]) == (1, 1), result
    assert code in [warning["code"] for warning in result["warnings"]], (code, result)
    return s.user(f"cookie={record['cookie']}&expand=all")


def quarantined(s, record, code):
    body = record if isinstance(record, (bytes, str)) else {"data": record}
    answer = s.post("/api/ingest", body)
    result = answer.json
    assert result["records_quarantined"] == 1 and result["errors"][0]["code"] == code, (code, answer)


# ---- HTTP -------------------------------------------------------------------------------------------

@row("request line")
def _(s):
    def get(length):
        return s.raw(b"GET /" + b"a" * (length - len("GET / HTTP/1.1\r\n")) + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    one(get(8 * KIB + 2), (404, "path_unknown"))  # CR LF do not count
    one(get(8 * KIB + 3), (414, "request_line_too_long"))


@row("header section")
def _(s):
    def get(length):
        fields = HOST + b"Connection: close\r\n"
        return s.raw(b"GET /nowhere HTTP/1.1\r\n" + fields + b"A: " + b"b" * (length - len(fields) - 5) + b"\r\n\r\n")
    one(get(32 * KIB), (404, "path_unknown"))
    one(get(32 * KIB + 1), (431, "headers_too_large"))


@row("header fields, trailer fields included")
def _(s):
    def get(count):
        return s.raw(b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Connection: close\r\n" + b"A: b\r\n" * (count - 2) + b"\r\n")
    one(get(100), (404, "path_unknown"))
    one(get(101), (431, "headers_too_many"))
    # Host, Connection and Transfer-Encoding are three.
    assert chunked(s, trailers=97)[0] == 200
    assert chunked(s, trailers=98)[0] == 431


def chunked(s, chunk_extension=b"", trailers=0):
    cookie = somebody().encode()
    body = b'{"cookie":"' + cookie + b'"}'
    data = s.raw(b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n%x" % len(body) +
                 chunk_extension + b"\r\n" + body + b"\r\n0\r\n" + b"T: v\r\n" * trailers + b"\r\n")
    return answers(data)[0]


@row("chunk extensions")
def _(s):
    assert chunked(s, b";" + b"x" * (4 * KIB))[0] == 200
    assert chunked(s, b";" + b"x" * (4 * KIB + 1))[0] == 400


@row("query parameters")
def _(s):
    refused(s.get("/api/users?" + "&".join(f"a{i}=1" for i in range(16))), 400, "parameter_unknown")
    refused(s.get("/api/users?" + "&".join(f"a{i}=1" for i in range(17))), 400, "query_too_many")


def padded(text, length):
    return text[:-1] + b" " * (length - len(text)) + text[-1:]


@row("body of a correction, of a mapping")
def _(s):
    cookie = somebody()
    s.ingest({"cookie": cookie})
    for path, method, text in ((f"/api/user?cookie={cookie}", "PATCH", b'{"first_name":"x"}'),
                               ("/api/mappings/big", "PUT", b'{"name":"big","fields":{"email":"e"}}')):
        assert s.call(method, path, padded(text, MIB)).status in (200, 201)
        refused(s.call(method, path, padded(text, MIB + 1)), 413, "body_too_large")


@row("body of a cohort's definition")
def _(s):
    text = b'{"description":"x"}'
    assert s.call("PUT", "/api/cohorts/big", padded(text, 4 * MIB)).status == 201
    refused(s.call("PUT", "/api/cohorts/big", padded(text, 4 * MIB + 1)), 413, "body_too_large")


@row("body of a quarantine retry")
def _(s):
    refused(s.post("/api/quarantine/999999999/retry", padded(b"{}", 2 * MIB)), 404, "quarantine_unknown")
    refused(s.post("/api/quarantine/999999999/retry", padded(b"{}", 2 * MIB + 1)), 413, "body_too_large")


@row("body of an ingest, as it arrives")
def _(s):
    def head(length):
        with s.connect() as sock:
            sock.sendall(b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
            return sock.recv(12)
    assert head(64 << 30) == b"HTTP/1.1 100"
    assert head((64 << 30) + 1) == b"HTTP/1.1 413"


@row("a page of a list")
def _(s):
    for path in ("/api/users?", "/api/quarantine?", "/api/log?", "/api/cohort/users?cohort=sports&"):
        assert s.get(path + "limit=1000").status == 200
        assert s.get(path + "limit=1001").status == 400, path


@row("offset of a page")
def _(s):
    assert s.get("/api/users?offset=18446744073709551615").status == 200
    assert s.get("/api/users?offset=18446744073709551616").status == 400


@row("`source`")
def _(s):
    taken(s, {}, source="s" * 64)
    refused(s.post("/api/ingest?source=" + "s" * 65, {"cookie": somebody()}), 400, "source_invalid")


@row("Idempotency-Key")
def _(s):
    assert s.post("/api/ingest", {"cookie": somebody()}, {"Idempotency-Key": "k" * 255}).status == 200
    refused(s.post("/api/ingest", {"cookie": somebody()}, {"Idempotency-Key": "k" * 256}), 400, "idempotency_key_invalid")


@row("phrase to classify")
def _(s):
    assert s.get("/api/classify?phrase=" + "p" * 1024).status == 200
    assert s.get("/api/classify?phrase=" + "p" * 1025).status == 400


@row("phrases classified in one request")
def _(s):
    assert s.post("/api/classify", {"phrases": ["p"] * 1000}).status == 200
    refused(s.post("/api/classify", {"phrases": ["p"] * 1001}), 413, "phrases_too_many")


@row("phrases explained in one request")
def _(s):
    assert s.post("/api/classify?explain=true", {"phrases": ["p"] * 100}).status == 200
    refused(s.post("/api/classify?explain=true", {"phrases": ["p"] * 101}), 413, "phrases_too_many")


@row("body of phrases to classify")
def _(s):
    assert s.post("/api/classify", padded(b'{"phrases":["p"]}', 4 * MIB)).status == 200
    refused(s.post("/api/classify", padded(b'{"phrases":["p"]}', 4 * MIB + 1)), 413, "body_too_large")


@row("errors and warnings listed in an answer")
def _(s):
    bad = "{}\n" * 1001
    for query, listed in (("", 100), ("?errors=1000", 1000)):
        result = s.ingest(bad + json.dumps({"cookie": somebody()}), query)
        assert (result["records_quarantined"], len(result["errors"])) == (1001, listed), listed
    assert s.post("/api/ingest?errors=1001", bad).status == 400


@row("connections")
def _(_s):
    with Server(args=["--workers", "1"], config={"limits": {"connections": 20}}) as s:
        socks = [s.connect() for _ in range(20)]
        try:
            socks[19].sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
            assert read_answers(socks[19], 1)[0][0] == 200
            one(s.raw(), (503, "too_many_connections"))
        finally:
            for sock in socks:
                sock.close()


@row("submissions waiting for the writer")
def _(_s):
    with Server(args=["--workers", "1"], config={"limits": {"queue": 4}}) as s:
        statuses = []

        def client():
            for _ in range(30):
                answer = s.post("/api/ingest", {"cookie": somebody()})
                statuses.append(answer.status)
                if answer.status != 200:
                    refused(answer, 503, "busy")
        # Four wait, 24 come: how soon that is too many depends on the disk.
        for _ in range(20):
            threads = [threading.Thread(target=client) for _ in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if 503 in statuses:
                break
        assert len(statuses) % (24 * 30) == 0 and set(statuses) == {200, 503}, set(statuses)
        assert s.metric("kindred_writer_queue_max") == 4


@row("memory in use")
def _(_s):
    # At the cap and beyond: http.memory. Here, that the cap is what was said.
    with Server(args=["--memory-max", "512M"]) as s:
        assert s.metric("kindred_memory_max_bytes") == 512e6
        assert s.metric("kindred_memory_bytes") < 512e6
        s.ingest({"cookie": somebody()})


def drip(s, first, until, pieces=b""):
    """Seconds until the server ends it, and what it said."""
    begin = time.monotonic()
    with s.connect() as sock:
        sock.sendall(first)
        sock.settimeout(until)
        if pieces:
            sock.sendall(pieces)
        data = read_all(sock)
    assert b"<timeout>" not in data and b"<TimeoutError>" not in data, "never closed"
    return time.monotonic() - begin, data


def deadline(name, first, expected):
    def test(_s):
        config = {"limits": {"header_timeout_ms": 1500, "body_timeout_ms": 1500, "idle_timeout_ms": 1500}}
        with Server(args=["--workers", "1"], config=config) as s:
            took, data = drip(s, first, 30)
            assert took >= 1.4, took  # what keeps to it is not cut off
            if expected:
                one(data, expected)
            else:
                assert data == b"", data
    row(name)(test)


deadline("time for a head", b"GET /livez HTTP/1.1\r\n", (408, "timeout"))
deadline("time for each KiB of a body", b"POST /api/ingest HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{", (408, "timeout"))
deadline("time without a request", b"", None)


@row("time without the client reading")
def _(_s):
    with Server(args=["--workers", "1", "--demo", "1000"], config={"limits": {"write_timeout_ms": 1000}}) as s:
        with s.connect() as sock:
            sock.sendall((b"GET /api/users?limit=1000&expand=all HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
            end = time.monotonic() + 30
            while s.metric("kindred_connections_timed_out_total") < 1:
                assert time.monotonic() < end, "never closed"
                time.sleep(0.1)


# ---- records ----------------------------------------------------------------------------------------

@row("a record")
def _(s):
    def record(length):
        text = '{"cookie":"%s","attributes":{"a":"b"}}' % somebody()
        return text[:-1] + " " * (length - len(text)) + "}"
    result = s.ingest(record(MIB) + "\n" + record(1000))
    assert result["records_processed"] == 2, result
    quarantined(s, record(MIB + 1) + "\n", "record_too_large")


@row("levels of objects and lists")
def _(s):
    def nested(levels):
        value = "x"
        for _ in range(levels):
            value = {"a": value}
        return {"cookie": somebody(), **value}
    assert s.ingest(nested(32))["records_processed"] == 1
    quarantined(s, json.dumps(nested(33)), "too_deep")


@row("keys of a record, in all its objects")
def _(s):
    taken(s, {f"k{i}": i for i in range(511)})
    quarantined(s, {"cookie": somebody(), **{f"k{i}": i for i in range(512)}}, "too_many_keys")


@row("identifiers of a record")
def _(s):
    taken(s, {"identifiers": {"device_id": [somebody() for _ in range(63)]}})
    quarantined(s, {"cookie": somebody(), "identifiers": {"device_id": [somebody() for _ in range(64)]}}, "too_many_identifiers")


@row("an identifier")
def _(s):
    taken(s, {"user_id": somebody().ljust(256, "x")})
    cleansed(s, {"user_id": somebody().ljust(257, "x")}, "identifier_too_long")


@row("an e-mail, its local part")
def _(s):
    def email(local, length):
        domain = ".".join(["d" * 60] * 5)[:length - local - 5].rstrip(".")
        return "m" * local + "@" + domain.ljust(length - local - 5, "d") + ".com"
    assert len(email(64, 254)) == 254
    taken(s, {"email": email(64, 254)})
    cleansed(s, {"email": email(64, 255)}, "email_invalid")
    cleansed(s, {"email": email(65, 200)}, "email_invalid")


@row("a message id")
def _(s):
    taken(s, {"message_id": "m" * 256})
    cleansed(s, {"message_id": "n" * 257}, "text_too_long")


@row("a name, place or other short field")
def _(s):
    assert taken(s, {"first_name": "n" * 256})["attributes"]["first_name"] == "n" * 256
    assert "first_name" not in cleansed(s, {"first_name": "n" * 257}, "text_too_long")["attributes"]
    taken(s, {"location": {"city": "c" * 256}})
    cleansed(s, {"location": {"city": "c" * 257}}, "text_too_long")


@row("a street")
def _(s):
    taken(s, {"location": {"street": "s" * 512}})
    cleansed(s, {"location": {"street": "s" * 513}}, "text_too_long")


@row("an attribute's text")
def _(s):
    taken(s, {"note": "t" * 8192})
    cleansed(s, {"note": "t" * 8193}, "text_too_long")


@row("a dotted path")
def _(s):
    taken(s, {"p" * 128: 1})
    cleansed(s, {"p" * 129: 1}, "attribute_name_invalid")


@row("age")
def _(s):
    taken(s, {"demographics": {"age": 130}})
    cleansed(s, {"demographics": {"age": 131}}, "age_invalid")


@row("interests of a record")
def _(s):
    assert len(taken(s, {"interests": [f"thing {i}" for i in range(200)]})["interests"]) == 200
    assert len(cleansed(s, {"interests": [f"thing {i}" for i in range(201)]}, "too_many_interests")["interests"]) == 200


@row("an interest")
def _(s):
    taken(s, {"interests": ["i" * 120]})
    cleansed(s, {"interests": ["i" * 121]}, "text_too_long")


@row("members of all lists of a record")
def _(s):
    taken(s, {"tags": [f"t{i}" for i in range(1000)]})
    cleansed(s, {"tags": [f"t{i}" for i in range(1001)]}, "too_many_items")


@row("a member of a list")
def _(s):
    taken(s, {"tags": ["t" * 256]})
    cleansed(s, {"tags": ["t" * 257]}, "text_too_long")


@row("warnings of a record")
def _(s):
    def warned(count):
        record = {"cookie": somebody(), **{f"w{i}": "x" * 8193 for i in range(count)}}
        result = s.ingest({"data": record}, "?errors=1000")
        assert result["records_cleansed"] == 1, result
        return len(result["warnings"])
    assert warned(100) == 100
    assert warned(101) == 100


@row("columns of a table")
def _(s):
    csv = {"Content-Type": "text/csv"}

    def sparse(count):
        return ",".join(["cookie"] + [f"c{i}" for i in range(count - 1)]) + "\n" + somebody() + "," * (count - 1) + "\n"
    answer = s.post("/api/ingest", sparse(1024), csv)
    assert answer.status == 200 and answer.json["records_processed"] == 1, answer
    answer = s.post("/api/ingest", sparse(1025), csv)
    assert (answer.status, answer.json["errors"][0]["code"]) == (413, "csv_too_many_columns"), answer


@row("a table's header line")
def _(s):
    def table(length):
        names = [f"c{i}".ljust(127, "x") for i in range(2200)]
        head = "cookie," + ",".join(names)
        return head[:length] + "\n"
    csv = {"Content-Type": "text/csv"}
    # Over the number of columns either way: which of the two limits speaks tells where the other one is.
    inside = s.post("/api/ingest", table(256 * KIB - 2), csv).json
    beyond = s.post("/api/ingest", table(256 * KIB + 2), csv).json
    assert json.dumps(inside).count("csv_too_many_columns") == 1, inside
    assert "csv_header_invalid" in json.dumps(beyond), beyond


# ---- people -----------------------------------------------------------------------------------------

def grown(s, make, rounds):
    cookie = somebody()
    s.ingest([{"cookie": cookie, **make(i)} for i in range(rounds)])
    return s.user(f"cookie={cookie}&expand=all")


@row("interests of a person")
def _(s):
    tag = somebody()
    make = lambda i: {"interests": [f"{tag} {i * 128 + k}" for k in range(128)]}
    assert len(grown(s, make, 16)["interests"]) == 2048
    assert len(grown(s, make, 17)["interests"]) == 2048


@row("members of all lists of a person")
def _(s):
    make = lambda i: {"tags": [f"{i * 512 + k}" for k in range(512)]}
    assert len(grown(s, make, 8)["attributes"]["tags"]) == 4096
    assert len(grown(s, make, 9)["attributes"]["tags"]) == 4096


@row("fields of a person")
def _(s):
    tag = somebody()
    make = lambda i: {f"{tag}f{i * 256 + k}": k for k in range(256)}
    assert len(grown(s, make, 8)["attributes"]) == 2048
    assert len(grown(s, make, 9)["attributes"]) == 2048


@row("identifiers of a person")
def _(s):
    cookie, tag = somebody(), somebody()
    lists = [[f"{tag}-{i * 45 + k}" for k in range(45)] for i in range(91)]  # 4,095 and the cookie
    s.ingest([{"cookie": cookie, "identifiers": {"device_id": ids}} for ids in lists])
    person = s.user(f"cookie={cookie}&expand=identifiers")
    assert len(person["identifiers"]) == 4096, len(person["identifiers"])
    s.ingest([{"cookie": cookie, "identifiers": {"device_id": [tag + "-beyond"]}}])
    assert len(s.user(f"cookie={cookie}&expand=identifiers")["identifiers"]) == 4096


# ---- cohorts ----------------------------------------------------------------------------------------

def cohort(s, definition, name="limit"):
    return s.call("PUT", "/api/cohorts/" + name, definition)


def cohort_row(name, at, beyond, status, code):
    @row(name)
    def _(s):
        answer = cohort(s, at)
        assert answer.status in (200, 201), answer
        refused(cohort(s, beyond), status, code)


@row("a cohort's name")
def _(s):
    assert cohort(s, {"phrases": ["x"]}, "n" * 64).status == 201
    refused(cohort(s, {"phrases": ["x"]}, "n" * 65), 400, "cohort_name_invalid")


cohort_row("a cohort's description", {"description": "d" * 1000}, {"description": "d" * 1001}, 400, "cohort_invalid")
cohort_row("phrases of a cohort, of each kind", {"phrases": [f"ph{i}" for i in range(10000)]}, {"phrases": [f"ph{i}" for i in range(10001)]},
           413, "cohort_too_large")
cohort_row("a phrase of a cohort", {"phrases": ["p" * 120]}, {"phrases": ["p" * 121]}, 400, "pattern_too_long")
cohort_row("conditions of a cohort", {"where": {"all": [{"field": "age", "op": "gt", "value": i} for i in range(255)]}},
           {"where": {"all": [{"field": "age", "op": "gt", "value": i} for i in range(256)]}}, 413, "cohort_too_large")
cohort_row("a condition's text", {"where": {"field": "city", "op": "eq", "value": "v" * 512}},
           {"where": {"field": "city", "op": "eq", "value": "v" * 513}}, 400, "cohort_where_invalid")
cohort_row("values of a condition", {"where": {"field": "city", "op": "in", "value": [f"v{i}" for i in range(1000)]}},
           {"where": {"field": "city", "op": "in", "value": [f"v{i}" for i in range(1001)]}}, 400, "cohort_where_invalid")
cohort_row("examples of a cohort, of each kind", {"examples": [f"ex{i}" for i in range(1000)]},
           {"examples": [f"ex{i}" for i in range(1001)]}, 413, "cohort_too_large")


@row("a cohort's topic")
def _(s):
    refused(cohort(s, {"topic": "t" * 64}), 400, "topic_unknown")  # long enough, but there is none of this name
    refused(cohort(s, {"topic": "t" * 65}), 400, "cohort_invalid")


@row("people named by a cohort, of each kind")
def _(s):
    tag = somebody()
    s.ingest("\n".join('{"cookie":"%s-%d"}' % (tag, i) for i in range(10001)))
    people = [{"cookie": f"{tag}-{i}"} for i in range(10001)]
    answer = cohort(s, {"include": people[:10000]})
    assert answer.status in (200, 201), answer
    refused(cohort(s, {"include": people}), 413, "cohort_too_large")


@row("cohorts")
def _(_s):
    with Server(args=["--durability", "os"]) as s:
        have = len(s.get("/api/cohorts").json["cohorts"])

        def put(first, last):
            with s.connect(120) as sock:
                for at in range(first, last, 64):
                    count = min(64, last - at)
                    sock.sendall(b"".join(b"PUT /api/cohorts/c%d HTTP/1.1\r\n" % i + HOST + b"Content-Length: 2\r\n\r\n{}"
                                          for i in range(at, at + count)))
                    got = read_answers(sock, count)
                    assert [a[0] for a in got] == [201] * count, got
        put(0, 4096 - have)
        refused(cohort(s, {}, "beyond"), 413, "cohorts_too_many")
        assert cohort(s, {"description": "anew"}, "c0").status == 200


# ---- mappings, settings, keys -----------------------------------------------------------------------

@row("a mapping's name")
def _(s):
    fields = {"email": "e"}
    assert s.call("PUT", "/api/mappings/" + "m" * 64, {"name": "m" * 64, "fields": fields}).status == 201
    refused(s.call("PUT", "/api/mappings/" + "m" * 65, {"name": "m" * 65, "fields": fields}), 400, "mapping_name")


@row("parts of a mapping's `concat`")
def _(s):
    def put(count):
        return s.call("PUT", "/api/mappings/parts", {"name": "parts", "fields": {"first_name": {"concat": ["a"] * count}, "email": "e"}})
    assert put(64).status in (200, 201), put(64)
    answer = put(65)
    assert answer.status == 400, answer


@row("versions of all mappings")
def _(_s):
    with Server(args=["--durability", "os"]) as s:
        with s.connect(120) as sock:
            for i in range(4096):
                body = b'{"name":"v","fields":{"email":"e%d"}}' % i
                sock.sendall(b"PUT /api/mappings/v HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                assert read_answers(sock, 1)[0][0] in (200, 201), i
        refused(s.call("PUT", "/api/mappings/v", {"name": "v", "fields": {"email": "beyond"}}), 413, "mapping_limit")


def started(config):
    server = Server(config=config, wait=False)
    end = time.monotonic() + 30
    while time.monotonic() < end and server.process.poll() is None and not any("Ready" in line for line in server.output):
        time.sleep(0.02)
    code = server.process.poll()
    server.stop()
    subprocess.run(["rm", "-rf", server.folder], check=True)
    return code


@row("types of identifiers")
def _(_s):
    def settings(count):
        return {"settings": {"identifiers": [{"type": f"extra{i}"} for i in range(count)]}}
    assert started(settings(11)) is None
    assert started(settings(12)) == 2


@row("the settings")
def _(_s):
    def settings(length):
        # Each text comes with its quotes and a comma.
        return {"settings": {"blocked": {"*": [f"b{i}".ljust(1000, "x") for i in range(length // 1003)]}}}
    assert started(settings(2 * MIB - 2 * KIB)) is None
    assert started(settings(2 * MIB + 2 * KIB)) == 2


@row("keys")
def _(_s):
    with tempfile.TemporaryDirectory(prefix="kindred-test-") as folder:
        first = kindred("key", "create", "--role", "read", "--data", folder)
        assert first.returncode == 0, first
        path = os.path.join(folder, "keys.json")
        with open(path, encoding="utf-8") as file:
            keys = json.load(file)
        while len(keys["keys"]) < 1023:
            keys["keys"].append({**keys["keys"][0], "id": f"{len(keys['keys']):08x}"})
        with open(path, "w", encoding="utf-8") as file:
            json.dump(keys, file)
        assert kindred("key", "create", "--role", "read", "--data", folder).returncode == 0
        beyond = kindred("key", "create", "--role", "read", "--data", folder)
        assert beyond.returncode != 0 and "1,024" in beyond.stderr.replace("1024", "1,024"), beyond


@row("a key's name")
def _(_s):
    with tempfile.TemporaryDirectory(prefix="kindred-test-") as folder:
        assert kindred("key", "create", "--role", "read", "--name", "n" * 64, "--data", folder).returncode == 0
        assert kindred("key", "create", "--role", "read", "--name", "n" * 65, "--data", folder).returncode == 2


@row("workers")
def _(_s):
    # The gate holds a lock of each worker; ThreadSanitizer's search for deadlocks ends the process at 64.
    before = os.environ.get("TSAN_OPTIONS")
    if before is not None:
        os.environ["TSAN_OPTIONS"] = before + ":detect_deadlocks=0"
    try:
        with Server(args=["--workers", "256"]) as s:
            assert s.get("/livez").status == 200
    finally:
        if before is not None:
            os.environ["TSAN_OPTIONS"] = before
    with tempfile.TemporaryDirectory(prefix="kindred-test-") as folder:
        assert kindred("serve", "--workers", "257", "--data", folder).returncode == 2


def documented():
    """The first cells of the tables in the section whose header begins with "limit"."""
    with open(DOCS, encoding="utf-8") as file:
        section = file.read().split("\n## Limits\n", 1)[1].split("\n## ", 1)[0]
    found, inside = [], False
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == "limit":
            inside = True
        elif inside and not re.fullmatch(r":?-+:?", cells[0]):
            found.append(cells[0])
            assert len(cells) == 4 and all(cells), line
    return found


class Limits(unittest.TestCase):
    def test_every_row_is_tested(self):
        rows = documented()
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(set(rows) - set(ROWS), set(), "in docs/operations.md without a test here")
        self.assertEqual(set(ROWS) - set(rows), set(), "tested here, not in docs/operations.md")

    def test_constants_named_are_there(self):
        root = os.path.dirname(os.path.dirname(DOCS))
        code = ""
        for folder in ("base", "ingest", "storage", "classifier", "index", "engine", "server"):
            for base, _, names in os.walk(os.path.join(root, folder)):
                for name in names:
                    if name.endswith((".c", ".h")):
                        with open(os.path.join(base, name), encoding="utf-8") as file:
                            code += file.read()
        with open(DOCS, encoding="utf-8") as file:
            section = file.read().split("\n## Limits\n", 1)[1].split("\n## ", 1)[0]
        named = set(re.findall(r"`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)`", section))
        self.assertGreater(len(named), 40)
        self.assertEqual([name for name in sorted(named) if not re.search(rf"\b{name}\b", code)], [])

    def test_at_the_limit_and_beyond(self):
        with Server(args=["--workers", "1", "--durability", "os"]) as server:
            for name, test in ROWS.items():
                with self.subTest(name):
                    begin = time.monotonic()
                    test(server)
                    if os.environ.get("KINDRED_VERBOSE"):
                        print(f"{time.monotonic() - begin:6.2f} s {name}")
        print(f"{len(ROWS)} limits, each at its value and one beyond")


if __name__ == "__main__":
    unittest.main()
