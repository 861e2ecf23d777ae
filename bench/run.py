#!/usr/bin/env python3
"""make bench: the same people and the same work on Kindred and on what people use today, round by round.

  run.py --build DIR [--people N] [--rounds N] [--quick] [--install] [--only WORD] [--page FILE] [--plots DIR]

The server under test has one core, the load generator another, on every side. Rounds go A B C, A B C, …; ratios are taken
within a round. See README.md."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import peers
import report
from report import Row, compare

PACKAGES = {"nginx": ("nginx-light", peers.Nginx), "Redis": ("redis-server", peers.Redis),
            "PostgreSQL": ("postgresql", peers.Postgres)}
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def install_peers():
    """From Debian, as root; otherwise says what is missing. A peer that stays away is named in the table."""
    missing = [package for package, peer in PACKAGES.values() if not peer.find()]
    if not missing:
        return
    if os.geteuid() != 0:
        say(f"not installed, so left out: {', '.join(missing)}. To include them: sudo apt-get install {' '.join(missing)}")
        return
    say(f"installing what is compared with: apt-get install {' '.join(missing)}")
    # Installing must not start daemons: policy-rc.d tells Debian's scripts so.
    policy = "/usr/sbin/policy-rc.d"
    made = not os.path.exists(policy)
    if made:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["apt-get", "update", "-qq"],
                        ["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + missing):
            if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
                say(f"`{' '.join(command)}` failed; going on with what is there")
    finally:
        if made:
            os.unlink(policy)


class Bench:
    def __init__(self, options):
        self.options = options
        self.rounds = options.rounds
        cores = sorted(os.sched_getaffinity(0))
        self.server_core = {cores[0]}
        self.load_core = {cores[1]} if len(cores) > 1 else {cores[0]}
        self.folder = tempfile.mkdtemp(prefix="kindred-bench-", dir=options.folder)
        os.chmod(self.folder, 0o711)  # PostgreSQL's account must get to its part
        self.groups, self.rows, self.growth, self.facts = {}, [], [], []
        self.servers = []
        self.loaded = 0  # people 0 .. loaded - 1 are everywhere
        self.others, self.measured = 0.0, 0.0  # CPU seconds of other processes while measuring; seconds of measuring

    # ---- running -----------------------------------------------------------------------------------

    def load(self, server, work, cores=None, **options):
        command = [os.path.join(self.options.build, "bench", "load"), "--port", str(server.port), "--pid", str(server.pid),
                   "--work", work]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        pinned = cores or self.load_core
        busy, begin = report.busy_seconds(), time.monotonic()
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, pinned))
        busy, took = report.busy_seconds() - busy, time.monotonic() - begin
        if run.returncode != 0:
            raise RuntimeError(f"load --work {work} against {server.title}: {run.stderr.strip()}")
        result = json.loads(run.stdout)
        if took - result["seconds"] < 0.5:  # otherwise preparing the requests was most of it
            self.measured += took
            self.others += max(0.0, busy - result["server_cpu_seconds"] - result["own_cpu_seconds"])
        if result["errors"] or result["unanswered"]:
            say(f"  {server.title}: {result['errors']} errors, {result['unanswered']} without answer")
        return result

    def rotate(self, name, sides, rounds=None):
        """sides: [(label, function(round) → result)]: A B C, A B C, …"""
        group = self.groups.setdefault(name, {})
        for turn in range(rounds or self.rounds):
            # Every other round the other way round, so that no side always comes after the same one.
            order = sides if turn % 2 == 0 else list(reversed(sides))
            for label, work in order:
                group.setdefault(label, []).append(work(turn))
            say(f"{name}, round {turn + 1}: " + ", ".join(
                f"{label} {report.number(group[label][-1]['units_per_second'])}/s"
                f" {report.number(group[label][-1]['server_cpu_us_per_unit'])} µs" for label, _ in sides))
        for label, _ in sides:  # in the order of the table
            group[label] = group.pop(label)
        return group

    def wants(self, word):
        return not self.options.only or word in self.options.only.split(",")

    # ---- starting and loading ----------------------------------------------------------------------

    def start(self):
        build = self.options.build
        self.kindred = peers.Kindred(self.folder, self.server_core, os.path.join(build, "kindred"))
        self.servers.append(self.kindred)
        self.kindred.start("interval")
        self.redis = self.postgres = self.nginx = None
        if peers.Redis.find():
            self.redis = peers.Redis(self.folder, self.server_core)
            self.servers.append(self.redis)
            self.redis.start()
        if peers.Postgres.find():
            self.postgres = peers.Postgres(self.folder, self.server_core)
            self.servers.append(self.postgres)
            self.postgres.start()
        self.kindred_rss = peers.rss_bytes(self.kindred.pid)
        self.redis_memory = self.redis.used_memory() if self.redis else 0

    def start_constant(self):
        """The constant answer is one of Kindred's own, so that all three send the same bytes of body."""
        import urllib.parse
        status, page = self.kindred.get("/api/users?limit=1")
        cookie = json.loads(page)["users"][0]["cookie"]
        status, body = self.kindred.get("/api/user?cookie=" + urllib.parse.quote(cookie))
        assert status == 200, body
        self.floor = peers.Floor(self.folder, self.server_core, os.path.join(self.options.build, "bench", "floor"))
        self.servers.append(self.floor)
        self.floor.start(body)
        if peers.Nginx.find():
            self.nginx = peers.Nginx(self.folder, self.server_core)
            self.servers.append(self.nginx)
            self.nginx.start(body)
        self.facts.append(f"The constant answer of nginx and floor is one of Kindred's: {len(body)} bytes of JSON.")

    def ingest_rows(self):
        """Loading everybody is the first measurement: each round brings a part of the people to every side."""
        part = self.options.people // self.rounds

        def side(server, work, **more):
            def run(turn):
                return self.load(server, work, first=turn * part, count=part, connections=4, **more)
            return run
        # PostgreSQL always syncs at commit: here it is loaded and shown, the row comes with Kindred's fsync mode.
        sides = [("Kindred", side(self.kindred, "ingest", per_body=500))]
        if self.redis:
            sides.append(("Redis", side(self.redis, "redis-ingest", per_body=500)))
        if self.postgres:
            sides.append(("PostgreSQL", side(self.postgres, "pg-copy", per_body=5000)))
        group = self.rotate("ingest, synced every second", sides)
        self.loaded = part * self.rounds
        self.growth = [(label, [(turn * part, one["server_cpu_us_per_unit"]) for turn, one in enumerate(rounds)])
                       for label, rounds in group.items()]
        self.rows.append(compare(
            "ingest, 500 records a body, against Redis, synced every second", group, "Kindred", "Redis", 5,
            "Kindred: JSON parsed, checked, logged raw, identity by three identifiers, profile, cohorts worked out, "
            "`--durability interval`. Redis: HSET of 12 fields, SADD of the cohorts it is told, SET of two index keys, 500 people "
            "a pipeline, AOF everysec. 4 connections each"))
        first, last = group["Kindred"][0], group["Kindred"][-1]
        self.rows.append(Row(f"cost per record, last {report.number(part)} people against first", [
            last["server_cpu_us_per_unit"] / first["server_cpu_us_per_unit"]], 2, at_most=True,
            note=f"CPU time per record while growing to {report.number(self.loaded)} people"))
        self.check_same()
        self.memory_rows()

    def check_same(self):
        """A ratio whose two sides did different work is a defect: same people, same cohorts everywhere?"""
        answer = json.loads(self.kindred.get("/api/cohorts")[1])
        sizes = {cohort["name"]: cohort["size"] for cohort in answer["cohorts"]}
        problems = []
        people = self.kindred.metric("kindred_people")
        if people != self.loaded:
            problems.append(f"Kindred has {people} people, {self.loaded} were sent")
        for key in self.redis.command("KEYS", "c:*") if self.redis else []:
            members = self.redis.command("SCARD", key)
            if sizes.get(key[2:]) != members:
                problems.append(f"{key[2:]}: Kindred {sizes.get(key[2:])}, Redis {members}")
        if self.postgres:
            rows = int(self.postgres.psql("SELECT count(*) FROM person"))
            if rows != self.loaded:
                problems.append(f"PostgreSQL has {rows} people, {self.loaded} were sent")
        for text in problems:
            say("NOT THE SAME: " + text)
        self.facts.append("Checked after loading: everybody is everywhere, and Kindred's cohorts, worked out from interests, have the "
                          "sizes of the sets that Redis was told." if not problems else
                          "**After loading the sides differ:** " + "; ".join(problems) + ".")

    def memory_rows(self):
        self.kindred.settle()
        time.sleep(1)
        kindred = (peers.rss_bytes(self.kindred.pid) - self.kindred_rss) / self.loaded
        self.facts.append(
            f"Memory per person: Kindred {kindred:.0f} B resident (anonymous; its own count is "
            f"{(self.kindred.metric('kindred_profile_bytes') + self.kindred.metric('kindred_index_bytes')) / self.loaded:.0f} B)"
            + (f", Redis {(self.redis.used_memory() - self.redis_memory) / self.loaded:.0f} B by `used_memory`" if self.redis
               else "") + ".")
        if self.redis:
            redis = (self.redis.used_memory() - self.redis_memory) / self.loaded
            self.rows.append(Row("memory per person against Redis", [kindred / redis], 0.35, at_most=True,
                                 note=f"{kindred:.0f} B resident against {redis:.0f} B `used_memory`, all indexes, after loading"))
        log = peers.folder_bytes(os.path.join(self.kindred.data, "log")) / self.loaded
        profiles = peers.folder_bytes(os.path.join(self.kindred.data, "profiles")) / self.loaded
        self.rows.append(Row("disk per record", [log + profiles], unit="B",
                             note=f"raw log {log:.0f} B + LMDB checkpoint {profiles:.0f} B"))

    # ---- reading -----------------------------------------------------------------------------------

    def lookup_sides(self, people, **more):
        def side(server, work):
            return lambda turn: self.load(server, work, people=people, seed=1000003 * turn + 17, seconds=self.options.seconds,
                                          **more)
        sides = [("Kindred", side(self.kindred, "lookup")), ("floor", side(self.floor, "lookup"))]
        if self.nginx:
            sides.append(("nginx", side(self.nginx, "lookup")))
        if self.redis:
            sides.append(("Redis", side(self.redis, "hgetall")))
        if self.postgres:
            sides.append(("PostgreSQL", side(self.postgres, "pg-select")))
        return sides

    def lookup_rows(self):
        everybody = report.number(self.loaded)
        lookup = f"GET /api/user?cookie=… of a random one of {everybody} people"
        group = self.rotate("lookup, 64 connections", self.lookup_sides(self.loaded, connections=64))
        self.rows += [
            compare(f"lookup by cookie, random over {everybody}, 64 connections, against nginx's constant", group, "Kindred",
                    "nginx", 1.0, f"Kindred: {lookup}. nginx: `return 200` with a fixed text of the same length, no log, one worker"),
            compare("the same against floor", group, "Kindred", "floor", None,
                    "floor: libuv and llhttp, fixed bytes, no lookup"),
            compare("lookup against Redis HGETALL", group, "Kindred", "Redis", 1.6,
                    "Redis: HGETALL of the 12 stored fields, phone, income and education among them, which Kindred stores but leaves out "
                    "of its default answer. Both 64 connections, one request under way on each"),
            compare("lookup against PostgreSQL, prepared", group, "Kindred", "PostgreSQL", 4,
                    "PostgreSQL: SELECT of the 12 columns by primary key, Bind/Execute/Sync of a prepared statement, 64 connections"),
        ]
        deep = self.rotate("lookup, pipelined 16", self.lookup_sides(self.loaded, connections=64, depth=16))
        self.rows += [
            compare("lookup, pipelined 16 deep, against nginx's constant", deep, "Kindred", "nginx", 4, "as above, 16 under way on each"),
            compare("the same against floor", deep, "Kindred", "floor", None, ""),
            compare("lookup, pipelined 16 deep, against Redis HGETALL", deep, "Kindred", "Redis", 3.5, ""),
            compare("lookup, pipelined 16 deep, against PostgreSQL", deep, "Kindred", "PostgreSQL", None, ""),
        ]

    def latency_group(self):
        rate = 10000
        self.rotate(f"lookup, open loop at {rate:,}/s",
                    self.lookup_sides(self.loaded, connections=64, rate=rate), max(3, self.rounds - 2))

    def page_rows(self):
        if not self.redis:
            return
        say("Redis gets sorted sets for paging")
        self.load(self.redis, "redis-sorted", first=0, count=self.loaded, per_body=500, connections=4)
        size = self.redis.command("ZCARD", "z:Sports")
        for offset in (0, min(1000000, size - 100)):
            def kindred(turn, offset=offset):
                return self.load(self.kindred, "get", path=f"/api/cohort/users?cohort=sports&limit=100&offset={offset}",
                                 connections=16, seconds=self.options.seconds)

            def redis(turn, offset=offset):
                return self.load(self.redis, "redis-page", path="z:Sports", offset=offset, connections=16,
                                 seconds=self.options.seconds)
            group = self.rotate(f"cohort page of 100 at {offset:,}", [("Kindred", kindred), ("Redis", redis)])
            self.rows.append(compare(
                f"cohort page of 100 at offset {offset:,} against Redis", group, "Kindred", "Redis", 3 if offset else None,
                "Kindred: one GET, JSON of 100 profiles. Redis: ZRANGE, then 100 HGETALL in one pipeline. 16 connections each"))

    # ---- durable writing ---------------------------------------------------------------------------

    def durable_rows(self):
        stopping = time.monotonic()
        self.kindred.stop()
        stopping = time.monotonic() - stopping
        ready = self.kindred.start("fsync")
        self.rows.append(Row(f"restart with {report.number(self.loaded)} people until /readyz", [ready],
                             10 if self.loaded >= 10000000 else None, "s", True,
                             note=f"checkpoint in the file cache, one core; the shut-down before took {stopping:.1f} s"))
        part = min(100000, self.options.people // 5)
        base = 20000000  # people nobody has been told of yet

        def bulk(server, work, **more):
            return lambda turn: self.load(server, work, first=base + turn * part, count=part, connections=4, **more)
        sides = [("Kindred", bulk(self.kindred, "ingest", per_body=500))]
        if self.redis:
            self.redis.command("CONFIG", "SET", "appendfsync", "always")
            sides.append(("Redis", bulk(self.redis, "redis-ingest", per_body=500)))
        if self.postgres:
            sides.append(("PostgreSQL", bulk(self.postgres, "pg-copy", per_body=5000)))
        group = self.rotate("ingest, each answer after its fsync", sides)
        self.rows.append(compare("ingest, 500 records a body, against Redis, each answer after its fsync", group, "Kindred",
                                 "Redis", 5, "as above with `--durability fsync` and AOF always"))
        self.rows.append(compare("ingest against PostgreSQL COPY + merge, each answer after its fsync", group, "Kindred",
                                 "PostgreSQL", 20,
                                 "PostgreSQL: COPY of 5,000 rows into a temporary table, INSERT … SELECT … ON CONFLICT DO UPDATE, committed with its fsync; "
                                 "primary key on cookie, indexes on e-mail and phone; told the cohorts. 4 connections each"))

        single = 4000 if self.options.quick else 15000

        def singles(server, work):
            return lambda turn: self.load(server, work, first=base + 5000000 + turn * single, count=single, per_body=1,
                                          connections=64)
        sides = [("Kindred", singles(self.kindred, "ingest"))]
        if self.postgres:
            sides.append(("PostgreSQL", singles(self.postgres, "pg-upsert")))
        if self.redis:
            sides.append(("Redis", singles(self.redis, "redis-ingest")))
        group = self.rotate("one-record posts, 64 connections, each answer after its fsync", sides)
        self.rows.append(compare("one-record posts, 64 connections, each after its fsync, against PostgreSQL upserts", group,
                                 "Kindred", "PostgreSQL", 3,
                                 "PostgreSQL: prepared INSERT … ON CONFLICT, one a transaction, synchronous_commit on"))
        self.rows.append(compare("the same against Redis, AOF always", group, "Kindred", "Redis", None,
                                 "Redis: the commands of one person in one pipeline"))

    # ---- Kindred against itself --------------------------------------------------------------------

    def beside(self, work, **options):
        """Starts a load in the background; returns a function that waits for its result."""
        box = {}
        thread = threading.Thread(target=lambda: box.update(result=self.load(self.kindred, work, **options)))
        thread.start()

        def wait():
            thread.join()
            return box["result"]
        return wait

    def meanwhile_rows(self):
        """Lookups at a constant rate while something heavy happens. Here Kindred may use all cores, as it would."""
        everywhere = self.server_core | self.load_core
        self.kindred.stop()
        self.kindred.cores = everywhere
        self.kindred.start("interval")
        lookups = {"people": self.loaded, "connections": 16, "rate": 3000, "cores": everywhere}
        part = min(200000, self.options.people // 2)
        idle, busy, sorting, resort_ms = [], [], [], []
        for turn in range(self.rounds):
            idle.append(self.load(self.kindred, "lookup", seconds=1, **lookups))
            ingest = self.beside("ingest", first=40000000 + turn * part, count=part, per_body=500, connections=2,
                                 cores=everywhere)
            busy.append(self.load(self.kindred, "lookup", seconds=max(0.3, part / 400000), **lookups))
            ingest()
            self.kindred.settle(30)
            lookup = self.beside("lookup", seconds=1, **lookups)
            time.sleep(0.4)
            for again in range(5):
                resort_ms.append(self.put_sports(turn * 5 + again))
            sorting.append(lookup())
            say(f"lookups at 3,000/s, p99: idle {idle[-1]['p99_us']:.0f} µs, during ingest {busy[-1]['p99_us']:.0f} µs, during "
                f"re-sorting {sorting[-1]['p99_us']:.0f} µs; re-sorting took {resort_ms[-1]:.1f} ms")
        self.groups["lookup at 3,000/s, open loop, beside other work"] = {
            "Kindred idle": idle, "Kindred ingesting": busy, "Kindred re-sorting": sorting}
        self.rows += [
            Row(f"re-sorting {report.number(self.loaded)} people after a topic change", resort_ms,
                100, "ms", True, note="PUT /api/cohorts/Sports with one phrase more or less, from request to answer, its log entry "
                "included"),
            Row("p99 of lookups during re-sorting against idle", report.ratios(sorting, idle, "p99_us"), 2, at_most=True,
                note="open loop, 3,000/s, 16 connections; generators and server share all cores"),
            Row("p99 of lookups during full-speed ingest against idle", report.ratios(busy, idle, "p99_us"), 2, at_most=True,
                note="as above, 500-record bodies on two connections meanwhile"),
        ]

    def put_sports(self, turn):
        status, text = self.kindred.get("/api/cohorts/Sports")
        if turn == 0:
            self.sports = json.loads(text)
        definition = dict(self.sports["definition"], description=self.sports["description"])
        if turn % 2 == 0:
            definition["not_phrases"] = [*definition.get("not_phrases", []), "football"]
        begin = time.monotonic()
        status, answer = self.kindred.request("PUT", "/api/cohorts/Sports", json.dumps(definition))
        if status not in (200, 201):
            raise RuntimeError(f"PUT /api/cohorts/Sports: {status} {answer[:300]}")
        return (time.monotonic() - begin) * 1000

    # ---- all of it ---------------------------------------------------------------------------------

    def run(self):
        self.start()
        say(f"started; {self.options.people:,} people, {self.rounds} rounds")
        self.facts.append(self.sync_time())
        self.ingest_rows()
        self.start_constant()
        self.kindred.settle()
        if self.wants("lookup"):
            self.lookup_rows()
        if self.wants("page") and not self.options.quick:
            self.page_rows()
        if self.wants("latency") and not self.options.quick:
            self.latency_group()
        if self.wants("durable"):
            self.durable_rows()
        if self.wants("meanwhile") and not self.options.quick:
            self.meanwhile_rows()

    def other_load(self):
        share = 100 * self.others / (self.measured * len(os.sched_getaffinity(0)) or 1)
        return (f"While measuring, other processes used {share:.0f} % of the processors"
                + ("." if share < 5 else ": **trust the ratios of CPU time, not throughput or latency**."))

    def sync_time(self):
        """What one sync costs here: it decides the rows that wait for it."""
        times = []
        with open(os.path.join(self.folder, "sync"), "wb") as file:
            for _ in range(40):
                file.write(b"x" * 4096)
                file.flush()
                begin = time.monotonic()
                os.fdatasync(file.fileno())
                times.append(1000 * (time.monotonic() - begin))
        return f"One fdatasync of 4 KiB took {statistics.median(times):.1f} ms here ({min(times):.1f} to {max(times):.1f})."

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def micro_benches(options):
    """The hot paths alone; nothing is compared, so these are plain numbers of this machine."""
    if not options.topics:
        return ""
    say("hot paths alone")
    run = subprocess.run([os.path.join(options.build, "bench", "micro"), "--topics", options.topics, "--people",
                          str(min(options.people, 1000000))], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout


def page_text(bench, micro):
    missing = [name for name, (_, peer) in PACKAGES.items() if not peer.find()]
    parts = [
        f"Measured {time.strftime('%Y-%m-%d')} with `make bench PEOPLE={bench.options.people}`: {bench.rounds} rounds, "
        f"medians of the ratios within each round, lowest and highest beside them. Machine: {report.machine()}."
        + (f" Not installed, so left out: {', '.join(missing)}." if missing else ""),
        report.markdown_table(report.HEADINGS, [row.cells() for row in bench.rows]),
        "\n".join("- " + fact for fact in bench.facts),
        "![Throughput](plots/throughput.svg)\n\n![Latency](plots/latency.svg)\n\n![Growth](plots/growth.svg)",
        "### The numbers under the ratios\n\nOf this machine on that day; they are here to be divided by each other.\n\n"
        + report.absolute_table(bench.groups),
    ]
    if micro:
        parts.append("### Hot paths alone\n\n```\n" + micro.rstrip() + "\n```")
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--topics", help="the shipped topics; with them the hot paths are measured alone, too")
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0, help="of each timed measurement")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--only", help="of lookup,page,latency,durable,meanwhile")
    parser.add_argument("--folder", help="where temporary data goes; a disk, not a RAM file system")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--page")
    parser.add_argument("--plots")
    options = parser.parse_args()
    options.people = options.people or int(os.environ.get("PEOPLE") or (100000 if options.quick else 1000000))
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 2)
    options.build = os.path.abspath(options.build)
    if not 1000 <= options.people <= 10000000:
        parser.error("PEOPLE is 1000 to 10000000")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.install:
        install_peers()
    bench = Bench(options)
    try:
        bench.run()
    finally:
        bench.stop()
    bench.facts.append(bench.other_load())
    micro = micro_benches(options)
    print("\n" + report.terminal_table(bench.rows) + "\n")
    for fact in bench.facts:
        print(fact.replace("**", ""))
    if micro:
        print("\n" + micro)
    with open(os.path.join(options.build, "bench", "results.json"), "w") as file:
        json.dump({"machine": report.machine(), "people": options.people, "groups": bench.groups,
                   "rows": [row.cells() for row in bench.rows]}, file, indent=1)
    if options.plots:
        report.write_plots(options.plots, bench.groups, bench.growth)
    if options.page:
        report.write_page(options.page, page_text(bench, micro))
        print(f"written: {os.path.relpath(options.page)}")


if __name__ == "__main__":
    main()
