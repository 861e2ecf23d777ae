"""Tries to see something that no single-threaded Kindred could have answered, from a real server with several workers.

Client processes write and read at the same time, and note when each request left and when its answer was there. Five workloads
run at once, all with group commit, checkpoints and large batches going on beside them; afterwards linear_check.py looks for an
order of the operations that explains every answer.

  registers  a few hot people, found by cookie, e-mail, user id and id, written by corrections, single records and records in the
             middle of a batch. Each write sets two attributes and a side: they must never be seen apart, the side's cohort and
             the cohort's page must say the same at the same moment, and the values must make a linearizable register
  counters   an attribute that is raised under If-Match: no rise is lost or done twice
  movers     a device that goes from one person to another, e-mail by e-mail: it is always somebody's, and who has it has what was
             written last
  flips      a cohort's definition goes from one set of people to another, disjoint one. Each page, total, size and membership
             is of one definition, and the definitions seen make a linearizable register
  cells      records, links that merge, corrections and erasures on a handful of identifiers, at the same time: searched for an
             order under a model of identity

  python3 tests/http/test_linearizability.py [--long] [--seconds N] [--seed S]

Prints its seed and counts. Exit code 1 with the first violations.
"""
import argparse
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
import traceback

from linear_check import NEVER, Operation, people_apply, register_fault, search_fault, test_checkers
from support import Server

SANITIZED = any(name in os.environ for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"))
HOT = 4            # people of the registers
SEGMENT_PEOPLE = 5  # of each definition of the flipping cohort
STATIC = 30        # on each side, written once
CELL_CLIENTS = 4
CELL_OPERATIONS = 7
CELL_LOOKS = 150     # by one more client, at most
BATCH = 120
now = time.monotonic_ns


# ---- one client's connection ----

def request(method, path, body=None, *fields):
    body = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode() + \
        "".join(field + "\r\n" for field in fields).encode() + b"\r\n" + body


class Client:
    def __init__(self, port):
        self.port = port
        self.data = b""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(self):
        """(status, head, body, when its last byte was there)"""
        while True:
            at = self.data.find(b"\r\n\r\n")
            if at >= 0:
                head = self.data[:at].lower()
                found = head.find(b"\r\ncontent-length: ")
                length = int(head[found + 18:].split(b"\r", 1)[0]) if found >= 0 else 0
                if len(self.data) >= at + 4 + length:
                    body = self.data[at + 4:at + 4 + length]
                    self.data = self.data[at + 4 + length:]
                    return int(head[9:12]), head, body, now()
            part = self.sock.recv(1 << 18)
            if not part:
                raise ConnectionError("closed")
            self.data += part

    def calls(self, *requests):
        """Pipelined. [(begin, end, status, body as JSON, head)]"""
        begin = now()
        self.sock.sendall(b"".join(requests))
        got = []
        for _ in requests:
            status, head, body, end = self.answer()
            got.append((begin, end, status, json.loads(body) if body else None, head))
            # A client's next request is handled after this answer was: what follows cannot have been earlier. That the
            # answer was made after the one before it left is the server's promise (in order), and not used here.
        return got

    def call(self, *words):
        return self.calls(request(*words))[0]


class Violation(Exception):
    pass


def must(holds, text):
    if not holds:
        raise Violation(text)


# ---- registers and counters ----

def names_of(k):
    return [f"cookie=hot-{k}", f"cookie=hot-{k}-b", f"email=hot-{k}@example.com", f"user_id=hot-{k}"]


def side_of(value):
    return "north" if int(value.rsplit("-", 1)[1]) % 2 == 0 else "south"


def hot_fields(value):
    return {"r": value, "s": value, "side": side_of(value)}


def read_hot(user, log, k, begin, end):
    fields = user["attributes"]
    value = fields["r"]
    must(value == fields["s"] and fields["side"] == side_of(value), f"half a write: {user}")
    must({"North", "South"} & set(user["cohorts"]) == {fields["side"].capitalize()},
         f"the cohorts do not go with the fields: {user}")
    log.append(("read", k, value, begin, end))


def write_hot(client, rnd, me, number, log):
    k = rnd.randrange(HOT)
    value = f"{me}-{number}"
    look = request("GET", f"/api/user?{rnd.choice(names_of(k))}&expand=attributes")
    how = rnd.randrange(3)
    if how == 0:
        write = request("PATCH", f"/api/user?{rnd.choice(names_of(k))}&expand=attributes", hot_fields(value))
    else:
        name, _, what = rnd.choice(names_of(k)).partition("=")
        record = json.dumps({name: what, **hot_fields(value)})
        lines = [record]
        if how == 2:
            lines = [json.dumps({"cookie": f"filler-{rnd.randrange(2000)}", "r": rnd.randrange(9)}) for _ in range(BATCH)]
            lines[rnd.randrange(BATCH)] = record
        write = request("POST", "/api/ingest", "\n".join(lines).encode() + b"\n")
    # The read lies in the server when the write is answered: the first moment at which the change must show.
    done, seen = client.calls(write, look)
    must(done[2] == 200 and seen[2] == 200, f"{done} {seen}")
    log.append(("write", k, value, done[0], done[1]))
    if how == 0:
        read_hot(done[3]["user_profile"], log, k, done[0], done[1])
    read_hot(seen[3]["user_profile"], log, k, seen[0], seen[1])
    must(how != 0 or done[3]["user_profile"]["attributes"]["r"] is not None, "")


def raise_counter(client, rnd, log):
    k = rnd.randrange(HOT)
    name = rnd.choice(names_of(k))
    answer = client.call("GET", f"/api/user?{name}&expand=attributes")
    must(answer[2] == 200, f"{answer}")
    read_hot(answer[3]["user_profile"], log, k, answer[0], answer[1])
    etag = answer[4].split(b"\r\netag: ")[1].split(b"\r\n")[0].decode()
    count = answer[3]["user_profile"]["attributes"].get("n", 0)
    answer = client.call("PATCH", f"/api/user?{rnd.choice(names_of(k))}", {"n": count + 1}, "If-Match: " + etag)
    must(answer[2] in (200, 412), f"{answer}")
    if answer[2] == 200:
        log.append(("raise", k, count + 1, answer[0], answer[1]))


def register_writer(client, rnd, me, until, log, _):
    number = 0
    while now() < until:
        number += 1
        if rnd.random() < 0.3:
            raise_counter(client, rnd, log)
        else:
            write_hot(client, rnd, me, number, log)


def hot_number(user):
    cookie = user["cookie"] or ""
    return int(cookie.split("-")[1]) if cookie.startswith("hot-") else None


def read_side_page(client, rnd, log):
    side = rnd.choice(["north", "south"])
    begin, end, status, page, _ = client.call("GET", f"/api/cohort/users?cohort={side}&limit=1000&expand=attributes")
    must(status == 200 and page["total"] == len(page["users"]), f"{status} {page}")
    static = 0
    for user in page["users"]:
        must(user["attributes"]["side"] == side, f"in the page of {side}: {user}")
        k = hot_number(user)
        if k is None:
            static += 1
        else:
            read_hot(user, log, k, begin, end)
    must(static == STATIC, f"{static} of {STATIC} people are in {side}")


def register_reader(client, rnd, me, until, log, ids):
    while now() < until:
        if rnd.random() < 0.15:
            read_side_page(client, rnd, log)
            continue
        ks = [rnd.randrange(HOT) for _ in range(rnd.choice([1, 1, 2, 8, 24]))]
        looks = [request("GET", f"/api/user?{rnd.choice(names_of(k) + ['id=' + ids[k]])}&expand=attributes") for k in ks]
        for k, (begin, end, status, body, _) in zip(ks, client.calls(*looks)):
            must(status == 200, f"{status} {body}")
            read_hot(body["user_profile"], log, k, begin, end)


# ---- movers ----

MOVED = 2           # devices
MOVED_BETWEEN = 3   # people each
MOVED_LOOKS = 24


def moved_record(k, side, value):
    return {"device_id": f"moved-{k}", "email": f"moved-{k}-{side}@example.com", "m": value}


def read_moved(answer, log, k):
    begin, end, status, body, _ = answer
    must(status == 200, f"moved-{k} is nobody's for a moment: {status} {body}")
    log.append(("have", k, body["user_profile"]["attributes"]["m"], begin, end))


def mover(client, rnd, me, until, log, _):
    number = 0
    while now() < until:
        number += 1
        k = rnd.randrange(MOVED)
        value = f"{me}-{number}"
        look = request("GET", f"/api/user?device_id=moved-{k}&expand=attributes")
        write = request("POST", "/api/ingest", moved_record(k, rnd.randrange(MOVED_BETWEEN), value))
        done, seen = client.calls(write, look)
        must(done[2] == 200, f"{done}")
        log.append(("move", k, value, done[0], done[1]))
        read_moved(seen, log, k)


def moved_reader(client, rnd, me, until, log, _):
    while now() < until:
        ks = [rnd.randrange(MOVED) for _ in range(MOVED_LOOKS)]
        for k, answer in zip(ks, client.calls(*(request("GET", f"/api/user?device_id=moved-{k}&expand=attributes") for k in ks))):
            read_moved(answer, log, k)


# ---- flips ----

def flip_definition(value):
    return {"description": f"d{value}", "where": {"field": "segment", "op": "eq", "value": f"g{value}"}}


def flipper(client, rnd, me, until, log, segments):
    value = 0
    while now() < until and value + 1 < segments:
        value += 1
        begin, end, status, body, _ = client.call("PUT", "/api/cohorts/Flip", flip_definition(value))
        must(status == 200, f"{status} {body}")
        log.append(("define", 0, value, begin, end))
        read_definition(body, log, begin, end)
        time.sleep(rnd.choice([0, 0, 0.001, 0.01]))


def read_definition(body, log, begin, end):
    value = int(body["description"][1:])
    must(body["size"] == SEGMENT_PEOPLE and body["definition"] == flip_definition(value), f"{body}")
    log.append(("defined", 0, value, begin, end))


def read_flip_page(body, log, begin, end, whole):
    must(body["total"] == SEGMENT_PEOPLE and (not whole or len(body["users"]) == SEGMENT_PEOPLE), f"{body}")
    values = {user["attributes"]["segment"] for user in body["users"]}
    must(len(values) == 1, f"a page of several definitions: {sorted(values)}")
    must(all("Flip" in user["cohorts"] for user in body["users"]), f"{body}")
    log.append(("defined", 0, int(values.pop()[1:]), begin, end))


def flip_reader(client, rnd, me, until, log, segments):
    last = 0
    while now() < until:
        how = rnd.randrange(4)
        if how < 2:
            more, whole = [("&limit=1000", True), ("&limit=3", False), ("&limit=3&offset=2", False)][rnd.randrange(3)]
            begin, end, status, body, _ = client.call("GET", "/api/cohort/users?cohort=flip&expand=attributes" + more)
            must(status == 200, f"{status} {body}")
            read_flip_page(body, log, begin, end, whole)
            last = log[-1][2]
        elif how == 2:
            begin, end, status, body, _ = client.call("GET", "/api/cohorts/flip")
            must(status == 200, f"{status} {body}")
            read_definition(body, log, begin, end)
            last = log[-1][2]
        else:  # somebody of the set seen last, and of the one before it
            looks = [request("GET", f"/api/user?cookie=segment-{s}-{rnd.randrange(SEGMENT_PEOPLE)}")
                     for s in (last, max(last - 1, 0), min(last + 1, segments - 1))]
            for s, (begin, end, status, body, _) in zip((last, max(last - 1, 0), min(last + 1, segments - 1)),
                                                        client.calls(*looks)):
                must(status == 200, f"{status} {body}")
                if "Flip" in body["user_profile"]["cohorts"]:
                    log.append(("defined", 0, s, begin, end))


# ---- cells ----

def cell_keys(cell):
    return {"c": ("cookie", f"cell-{cell}-c"), "b": ("cookie", f"cell-{cell}-b"), "d": ("device_id", f"cell-{cell}-d"),
            "e": ("email", f"cell-{cell}@example.com")}


def cell_reads(client, cell, looks, log):
    keys = cell_keys(cell)
    requests = [request("GET", "/api/user?%s=%s&expand=attributes" % keys[one]) for one in looks]
    for one, (begin, end, status, body, _) in zip(looks, client.calls(*requests)):
        must(status in (200, 404), f"{status} {body}")
        if status == 404:
            log.append(Operation(begin, end, "nobody", frozenset(one), None))
        else:
            user = body["user_profile"]
            log.append(Operation(begin, end, "read", frozenset(one), (user["id"], user["attributes"].get("r"))))


def cell_operation(client, rnd, cell, me, n, log):
    keys = cell_keys(cell)
    key = rnd.choice("cbde")
    find = "%s=%s" % keys[key]
    value = f"{me}-{n}"
    how = rnd.choice(["record", "record", "link", "link", "patch", "erase", "read", "read", "read", "reads"])
    if how in ("record", "link"):
        chosen = {key} if how == "record" and rnd.random() < 0.6 else {key, rnd.choice("cbde")}
        if {"c", "b"} <= chosen:
            chosen = {"c", "e"}  # a record has one cookie
        record = {keys[one][0]: keys[one][1] for one in chosen} | {"cell": f"c{cell % 8}"}
        if how == "record":
            record["r"] = value
        begin, end, status, body, _ = client.call("POST", "/api/ingest", record)
        must(status == 200, f"{status} {body}")
        log.append(Operation(begin, end, how, frozenset(chosen), value if how == "record" else None))
    elif how == "patch":
        begin, end, status, body, _ = client.call("PATCH", f"/api/user?{find}", {"r": value})
        must(status in (200, 404), f"{status} {body}")
        # Applied, and erased by somebody else before the answer was written.
        done = status == 200 or body["code"] == "user_erased"
        log.append(Operation(begin, end, "patch" if done else "nobody", frozenset(key), value))
    elif how == "erase":
        begin, end, status, body, _ = client.call("DELETE", f"/api/user?{find}")
        must(status in (202, 404), f"{status} {body}")
        log.append(Operation(begin, end, "erase" if status == 202 else "nobody", frozenset(key), None))
    else:
        cell_reads(client, cell, [key] if how == "read" else [rnd.choice("cbde") for _ in range(3)], log)


def cell_page(client, cell, log):
    """Everybody of this cell, at one moment."""
    begin, end, status, body, _ = client.call("GET", f"/api/cohort/users?cohort=cell%20{cell % 8}&limit=1000&expand=attributes")
    must(status == 200 and body["total"] == len(body["users"]), f"{status} {body}")
    people = [(user["id"], user["attributes"].get("r")) for user in body["users"]]
    must(len({number for number, _ in people}) == len(people), f"somebody twice in a page: {body}")
    log.append(Operation(begin, end, "page", frozenset(), tuple(people)))


def cell_looks(client, rnd, cell, log, working):
    """Looks and looks, as long as the others work."""
    while working.value > 0 and len(log) < CELL_LOOKS:
        if rnd.random() < 0.2:
            cell_page(client, cell, log)
        else:
            cell_reads(client, cell, [rnd.choice("cbde") for _ in range(6)], log)


def cell_clear(client, cell):
    page = client.call("GET", f"/api/cohort/users?cohort=cell%20{cell % 8}&limit=1000&expand=attributes")[3]
    for user in page["users"]:
        client.call("DELETE", "/api/user?id=" + user["id"])


def cell_client(client, rnd, me, until, log, more):
    barrier, last_cell, working = more
    cell = 0
    while True:
        if me == 0:
            if cell >= 8:
                cell_clear(client, cell)  # of the cell that had this cohort before; nobody is inside a cell
            if now() >= until:
                last_cell.value = cell
            working.value = CELL_CLIENTS
        barrier.wait(60)
        if last_cell.value == cell:
            return
        operations = []
        if me == CELL_CLIENTS:
            cell_looks(client, rnd, cell, operations, working)
        else:
            for n in range(CELL_OPERATIONS):
                cell_operation(client, rnd, cell, me, n, operations)
            with working.get_lock():
                working.value -= 1
        barrier.wait(60)
        log += [("cell", cell, operation) for operation in operations]
        cell += 1


# ---- together ----

def run_process(work, port, seed, me, until, more, pipe):
    log = []
    problem = None
    try:
        work(Client(port), random.Random(f"{seed} {work.__name__} {me}"), me, until, log, more)
    except Violation as violation:
        problem = f"{work.__name__} {me}: {violation}"
    except Exception:  # pylint: disable=broad-except
        problem = f"{work.__name__} {me}: {traceback.format_exc()}"
    pipe.send((problem, log))
    pipe.close()


def prepare(server, segments):
    lines = []
    for k in range(HOT):
        lines.append({"cookie": f"hot-{k}", "email": f"hot-{k}@example.com", "user_id": f"hot-{k}", **hot_fields("first-0")})
        lines.append({"cookie": f"hot-{k}-b", "email": f"hot-{k}@example.com"})
        lines.append({"cookie": f"hot-{k}"})
    lines += [moved_record(k, 0, "first-0") for k in range(MOVED)]
    for side in ("north", "south"):
        lines += [{"cookie": f"static-{side}-{i}", "side": side} for i in range(STATIC)]
        server.call("PUT", "/api/cohorts/" + side.capitalize(), {"where": {"field": "side", "op": "eq", "value": side}})
    for cell in range(8):
        server.call("PUT", f"/api/cohorts/Cell%20{cell}", {"where": {"field": "cell", "op": "eq", "value": f"c{cell}"}})
    lines += [{"cookie": f"segment-{s}-{i}", "segment": f"g{s}"} for s in range(segments) for i in range(SEGMENT_PEOPLE)]
    answer = server.post("/api/ingest", "\n".join(map(json.dumps, lines)).encode() + b"\n")
    assert answer.json["records_processed"] == len(lines), answer
    answer = server.call("PUT", "/api/cohorts/Flip", flip_definition(0))
    assert answer.status == 201 and answer.json["size"] == SEGMENT_PEOPLE, answer
    return [server.user(f"cookie=hot-{k}&expand=attributes")["id"] for k in range(HOT)]


def gather(server, seed, seconds, segments):
    context = multiprocessing.get_context("fork")
    ids = prepare(server, segments)
    cells = context.Barrier(CELL_CLIENTS + 1), context.Value("q", -1), context.Value("i", 0)
    until = now() + int(seconds * 1e9)
    plan = [(register_writer, 3, None), (register_reader, 2, ids), (mover, 2, None), (moved_reader, 1, None), (flipper, 1, segments), (flip_reader, 2, segments),
            (cell_client, CELL_CLIENTS + 1, cells)]
    running = []
    for work, count, more in plan:
        for me in range(count):
            ours, theirs = context.Pipe(False)
            process = context.Process(target=run_process, args=(work, server.port, seed, me, until, more, theirs))
            process.start()
            theirs.close()
            running.append((ours, process))
    problems, log = [], []
    for ours, process in running:
        problem, part = ours.recv()
        process.join()
        problems += [problem] if problem else []
        log += part
    return problems, log


def registers_of(log, write_kind, read_kind, first):
    found = {}
    for kind, key, value, begin, end in log:
        writes, reads = found.setdefault(key, ({first: (0, 0)}, []))
        if kind == write_kind:
            assert value not in writes
            writes[value] = (begin, end)
        elif kind == read_kind:
            reads.append((value, begin, end))
    return found


def check_counters(server, log):
    faults = []
    for k in range(HOT):
        raised = sorted(entry[2] for entry in log if entry[0] == "raise" and entry[1] == k)
        fields = server.user(f"cookie=hot-{k}&expand=attributes")["attributes"]
        if raised != list(range(1, len(raised) + 1)) or fields.get("n", 0) != len(raised):
            faults.append(f"hot-{k}: raised to {raised[:20]}…, ends at {fields.get('n', 0)}")
    return faults


def check(server, log):
    cells = {}
    for entry in log:
        if entry[0] == "cell":
            cells.setdefault(entry[1], []).append(entry[2])
    log = [entry for entry in log if entry[0] != "cell"]
    faults = check_counters(server, log)
    counts = {}
    for entry in log:
        counts[entry[0]] = counts.get(entry[0], 0) + 1
    hot = [entry for entry in log if entry[0] in ("write", "read")]
    flips = [entry for entry in log if entry[0] in ("define", "defined")]
    moved = [entry for entry in log if entry[0] in ("move", "have")]
    for name, registers in (("person hot-%d", registers_of(hot, "write", "read", "first-0")),
                            ("device moved-%d", registers_of(moved, "move", "have", "first-0")),
                            ("cohort Flip (%d)", registers_of(flips, "define", "defined", 0))):
        for key, (writes, reads) in registers.items():
            fault = register_fault(writes, reads)
            if fault is not None:
                faults.append(f"{name % key}: {fault}")
    outcomes = {}
    for number, operations in cells.items():
        for operation in operations:
            outcomes[operation.kind] = outcomes.get(operation.kind, 0) + 1
        fault = search_fault(operations, (), people_apply)
        if fault is not None:
            faults.append(f"cell {number}: {fault}")
    print(f"registers: {counts.get('write', 0)} writes, {counts.get('read', 0)} reads of {HOT} people; "
          f"{counts.get('raise', 0)} raised counters")
    print(f"movers: {counts.get('move', 0)} moves, {counts.get('have', 0)} reads of {MOVED} devices")
    print(f"flips: {counts.get('define', 0)} definitions, {counts.get('defined', 0)} reads")
    print(f"cells: {len(cells)}, " + ", ".join(f"{count} {kind}" for kind, count in sorted(outcomes.items())))
    return faults, counts, len(cells)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="ten minutes; make torture runs it")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    seconds = options.seconds or (600 if options.long else 5)
    print(f"seed {seed}, {seconds:g} s; the long form: --long. A seed repeats what is asked for, not the order in which it arrives")
    sys.stdout.flush()
    test_checkers()
    if "TMPDIR" not in os.environ and os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"  # not the disk is tried here: where syncs cost nothing, writes come hundreds of times as often
    rounds, faults, left = 0, [], seconds
    while left > 0 and not faults:  # a fresh server every minute: histories stay small enough to search
        part = min(left, 60)
        left -= part
        # A checkpoint a second runs beside it: blobs are kept, swapped and freed.
        with Server(args=["--workers", "3"], config={"checkpoint": {"entries": 2000, "seconds": 1}}) as server:
            problems, log = gather(server, seed + rounds, part, segments=int(part * 150) + 10)
            faults = problems
            if not problems:
                faults, counts, cells = check(server, log)
        rounds += 1
        if not faults:
            # Something happened at all, on any machine.
            assert min(counts.get(kind, 0) for kind in ("write", "move", "define")) > 0 and cells > 0, (counts, cells)
    for fault in faults[:5]:
        print("VIOLATION " + fault)
    print(f"{rounds} rounds, {len(faults)} violations")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
