"""The rows in which Kindred stands beside others: ingest, lookups, latency, pages, writes that wait for the disk."""
import json
import os
import subprocess
import time
import urllib.parse

import peers
import report
from report import Row, compare

GROWN_UPS = "Grown-ups"
NEW_PEOPLE = 20000000  # the first whom nobody has been told of yet


def parts_of(people, rounds):
    """How everybody is brought: [(first, count)]. The first parts are small, so that growth can be seen from its beginning; the last
    `rounds` are equal, and ratios are taken over these."""
    parts, first = [], 0
    for until in (10000, 100000, 1000000):
        if until * 5 <= people:
            parts.append((first, until - first))
            first = until
    each = (people - first) // rounds
    return parts + [(first + turn * each, each) for turn in range(rounds)]


# ---- everybody is brought ----------------------------------------------------------------------------


def ingest_sides(h):
    def kindred(server, first, count):
        """Verdicts and checkpoint that were still owed when the last answer came are waited for, and their CPU time counts."""
        before, phrases = server.cpu_seconds(), server.classified()
        result = h.load(server, "ingest", first=first, count=count, per_body=500, connections=4)
        server.settle()
        after = server.cpu_seconds() - before - result["server_cpu_seconds"]
        result["server_cpu_us_per_unit"] += 1e6 * max(0.0, after) / count
        result["classified_per_unit"] = (server.classified() - phrases) / count
        return result

    def side(work, per_body):
        return lambda server, first, count: h.load(server, work, first=first, count=count, per_body=per_body, connections=4)
    sides = [("Kindred", h.kindred, kindred)]
    if h.redis:
        sides.append(("Redis", h.redis, side("redis-ingest", 500)))
    if h.postgres:
        # PostgreSQL always syncs at commit: here it is loaded and shown, the row comes with Kindred's fsync mode.
        sides.append(("PostgreSQL", h.postgres, side("pg-copy", 5000)))
    return sides


def ingest(h):
    """Loading everybody is the first measurement: each round brings a part of the people to every side."""
    parts = parts_of(h.options.people, h.rounds)
    small = len(parts) - h.rounds

    def bring(server, run, at):
        return lambda turn: run(server, *parts[at + turn])
    sides = ingest_sides(h)
    first = h.rotate("ingest, the first people", [(label, bring(server, run, 0)) for label, server, run in sides], small) if small else {}
    group = h.rotate("ingest, synced every second", [(label, bring(server, run, small)) for label, server, run in sides])
    h.groups.pop("ingest, the first people", None)  # measured from nothing: in the plot only
    h.loaded = parts[-1][0] + parts[-1][1]
    h.growth = [(label, [(parts[k][0] + parts[k][1], one["server_cpu_us_per_unit"])
                         for k, one in enumerate(first.get(label, []) + rounds)]) for label, rounds in group.items()]
    h.rows.append(compare(
        "ingest, 500 records a body, against Redis, synced every second", group, "Kindred", "Redis", 5,
        "Kindred: JSON parsed, checked, logged raw, identity by three identifiers, profile, cohorts worked out, checkpoint; "
        "what it still owes after its last answer counts as its CPU time; `--durability interval`. Redis: HSET of 12 fields, SADD of the cohorts it is told, SET of two index keys, 500 people "
        "a pipeline, AOF everysec. 4 connections each"))
    if len(parts) > 2:
        growth_row(h, parts, first.get("Kindred", []) + group["Kindred"])
    check_same(h)
    memory_rows(h)


def growth_row(h, parts, rounds):
    """The very first part pays for what every process pays once, so the second is the base. A phrase is classified once, when it is
    first seen, and most are seen in the first parts: that is taken out of both, or it would hide growth."""
    (begin, count), (last, last_count) = parts[1], parts[-1]

    def cost(one):
        return one["server_cpu_us_per_unit"] - one["classified_per_unit"] * h.phrase_us
    everything = sum(one["server_cpu_us_per_unit"] * part[1] for one, part in zip(rounds, parts))
    phrases = sum(one["classified_per_unit"] * part[1] for one, part in zip(rounds, parts))
    h.rows.append(Row(
        f"CPU time per record when {report.number(last + last_count)} people are there, against {report.number(begin + count)}",
        [cost(rounds[-1]) / cost(rounds[1])], 2, at_most=True,
        note=f"while growing from {report.number(last)} to {report.number(last + last_count)}, against from {report.number(begin)} to "
             f"{report.number(begin + count)}; without what classifying new phrases costs. The very first part is in the plot only: it pays "
             "for setting up"))
    h.facts.append(f"While loading, Kindred classified {phrases:,.0f} phrases that it saw for the first time, {h.phrase_us:.0f} µs of CPU each: "
                   f"{100 * phrases * h.phrase_us / everything:.0f} % of its CPU time, and part of the ingest rows. The peers classify nothing.")


def check_same(h):
    """A ratio whose two sides did different work is a defect: same people, same cohorts everywhere?"""
    told = json.loads(subprocess.run(h.generator("--sizes", str(h.loaded)), stdout=subprocess.PIPE, text=True, check=True).stdout)
    sizes = h.kindred.cohort_sizes()
    problems = [f"{name}: Kindred {sizes.get(name, 0)}, told {told.get(name, 0)}"
                for name in sorted({*sizes, *told}) if sizes.get(name, 0) != told.get(name, 0)]
    people = h.kindred.metric("kindred_people")
    if people != h.loaded:
        problems.append(f"Kindred has {people:.0f} people, {h.loaded} were sent")
    for name, count in told.items() if h.redis else []:
        members = h.redis.command("SCARD", "c:" + name)
        if members != count:
            problems.append(f"{name}: told {count}, Redis {members}")
    if h.postgres:
        rows = int(h.postgres.psql("SELECT count(*) FROM person"))
        if rows != h.loaded:
            problems.append(f"PostgreSQL has {rows} people, {h.loaded} were sent")
    for text in problems:
        h.say("NOT THE SAME: " + text)
    h.facts.append(
        f"Checked after loading: all {h.loaded:,} people are everywhere, and the {len(told)} cohorts that Kindred worked out from interests "
        f"have exactly the sizes that the peers were told (the largest {max(told.values()):,}, the smallest {min(told.values()):,})."
        if not problems else "**After loading the sides differ:** " + "; ".join(problems) + ".")


def memory_rows(h):
    h.kindred.settle()
    time.sleep(1)
    kindred = (peers.rss_bytes(h.kindred.pid) - h.kindred_rss) / h.loaded
    own = (h.kindred.metric("kindred_profile_bytes") + h.kindred.metric("kindred_index_bytes")) / h.loaded
    redis = (h.redis.used_memory() - h.redis_memory) / h.loaded if h.redis else None
    h.facts.append(f"Memory per person: Kindred {kindred:.0f} B resident (anonymous; its own count is {own:.0f} B)"
                   + (f", Redis {redis:.0f} B by `used_memory`" if redis else "") + ".")
    if redis:
        h.rows.append(Row("memory per person against Redis", [kindred / redis], 0.35, at_most=True,
                          note=f"{kindred:.0f} B resident against {redis:.0f} B `used_memory`, all indexes, after loading"))
    log = peers.folder_bytes(os.path.join(h.kindred.data, "log")) / h.loaded
    profiles = peers.folder_bytes(os.path.join(h.kindred.data, "profiles")) / h.loaded
    h.rows.append(Row("disk per record", [log + profiles], unit="B",
                      note=f"raw log {log:.0f} B + LMDB checkpoint {profiles:.0f} B"))


# ---- reading ---------------------------------------------------------------------------------------------


def start_constant(h):
    """The constant answer is one of Kindred's own, so that all three send the same bytes of body."""
    cookie = h.kindred.json("/api/users?limit=1")["users"][0]["cookie"]
    status, body = h.kindred.get("/api/user?cookie=" + urllib.parse.quote(cookie))
    assert status == 200, body
    h.floor = peers.Floor(h.folder, h.server_core, os.path.join(h.options.build, "bench", "floor"))
    h.servers.append(h.floor)
    h.floor.start(body)
    if peers.Nginx.find() and not h.options.alone:
        h.nginx = peers.Nginx(h.folder, h.server_core)
        h.servers.append(h.nginx)
        h.nginx.start(body)
    h.facts.append(f"The constant answer of nginx and floor is one of Kindred's: {len(body)} bytes of JSON.")


def lookup_sides(h, **more):
    def side(server, work):
        return lambda turn: h.load(server, work, people=h.loaded, seed=1000003 * turn + 17, seconds=h.options.seconds, **more)
    sides = [("Kindred", side(h.kindred, "lookup")), ("floor", side(h.floor, "lookup"))]
    if h.nginx:
        sides.append(("nginx", side(h.nginx, "lookup")))
    if h.redis:
        sides.append(("Redis", side(h.redis, "hgetall")))
    if h.postgres:
        sides.append(("PostgreSQL", side(h.postgres, "pg-select")))
    return sides


def lookups(h):
    if not h.floor:
        start_constant(h)
    everybody = report.number(h.loaded)
    lookup = f"GET /api/user?cookie=… of a random one of {everybody} people"
    group = h.rotate("lookup, 64 connections", lookup_sides(h, connections=64))
    h.rows += [
        compare(f"lookup by cookie, random over {everybody}, 64 connections, against nginx's constant", group, "Kindred",
                "nginx", 1.0, f"Kindred: {lookup}. nginx: `return 200` with a fixed text of the same length, no log, one worker"),
        compare("the same against floor", group, "Kindred", "floor", None,
                "floor: libuv and llhttp, fixed bytes, no lookup"),
        compare("floor against nginx's constant", group, "floor", "nginx", None, "the most that the first row could reach"),
        compare("lookup against Redis HGETALL", group, "Kindred", "Redis", 1.6,
                "Redis: HGETALL of the 12 stored fields, phone, income and education among them, which Kindred stores but leaves out "
                "of its default answer. Both 64 connections, one request under way on each"),
        compare("lookup against PostgreSQL, prepared", group, "Kindred", "PostgreSQL", 4,
                "PostgreSQL: SELECT of the 12 columns by primary key, Bind/Execute/Sync of a prepared statement, 64 connections"),
    ]
    deep = h.rotate("lookup, pipelined 16", lookup_sides(h, connections=64, depth=16))
    h.rows += [
        compare("lookup, pipelined 16 deep, against nginx's constant", deep, "Kindred", "nginx", 4, "as above, 16 under way on each"),
        compare("the same against floor", deep, "Kindred", "floor", None, "as above"),
        compare("lookup, pipelined 16 deep, against Redis HGETALL", deep, "Kindred", "Redis", 3.5, "as above"),
        compare("lookup, pipelined 16 deep, against PostgreSQL", deep, "Kindred", "PostgreSQL", None, "as above"),
    ]


def latency(h):
    if not h.floor:
        start_constant(h)
    rate = 10000
    h.rotate(f"lookup, open loop at {rate:,}/s", lookup_sides(h, connections=64, rate=rate), max(3, h.rounds - 2))


def pages(h):
    """A cohort that nearly everybody is in, made after loading: keeping it is not part of the ingest rows on either side."""
    took = h.kindred.put_cohort(GROWN_UPS, {"where": {"field": "age", "op": "gte", "value": 21}})
    size = h.kindred.cohort_sizes()[GROWN_UPS]
    h.facts.append(f"The cohort of the page rows, {GROWN_UPS} (age ≥ 21), has {size:,} of {h.loaded:,} people; defining it took Kindred "
                   f"{took:.0f} ms. Redis got it as a sorted set.")
    if h.redis:
        h.say("Redis gets a sorted set for paging")
        h.load(h.redis, "redis-sorted", first=0, count=h.loaded, per_body=500, connections=4)
        members = h.redis.command("ZCARD", "z:" + GROWN_UPS)
        if members != size:
            h.facts.append(f"**{GROWN_UPS} differs:** Kindred {size}, Redis {members}.")
    for offset in sorted({min(wanted, size - 100) for wanted in (0, 1000000, 9000000)}):
        def kindred(turn, offset=offset):
            return h.load(h.kindred, "get", path=f"/api/cohort/users?cohort={GROWN_UPS}&limit=100&offset={offset}",
                          connections=16, seconds=h.options.seconds)

        def redis(turn, offset=offset):
            return h.load(h.redis, "redis-page", path="z:" + GROWN_UPS, offset=offset, connections=16, seconds=h.options.seconds)
        sides = [("Kindred", kindred)] + ([("Redis", redis)] if h.redis else [])
        group = h.rotate(f"cohort page of 100 at {offset:,}", sides)
        h.rows.append(compare(
            f"cohort page of 100 at offset {offset:,} against Redis", group, "Kindred", "Redis", 3 if offset else None,
            "Kindred: one GET, JSON of 100 profiles. Redis: ZRANGE, then 100 HGETALL in one pipeline. 16 connections each"))
    if h.redis:
        h.redis.command("UNLINK", "z:" + GROWN_UPS)
    h.kindred.request("DELETE", "/api/cohorts/" + GROWN_UPS)


# ---- writes that wait for the disk -----------------------------------------------------------------------


def durable(h):
    h.kindred.settle()
    h.kindred.stop()
    h.kindred.start("fsync")
    part = min(100000, h.options.people // 5)

    def bulk(server, work, per_body):
        def run(turn):
            result = h.load(server, work, first=NEW_PEOPLE + turn * part, count=part, connections=4, per_body=per_body)
            if server is h.kindred:
                server.settle()  # its checkpoint is not to run while another side is measured
            return result
        return run
    sides = [("Kindred", bulk(h.kindred, "ingest", 500))]
    if h.redis:
        h.redis.command("CONFIG", "SET", "appendfsync", "always")
        sides.append(("Redis", bulk(h.redis, "redis-ingest", 500)))
    if h.postgres:
        sides.append(("PostgreSQL", bulk(h.postgres, "pg-copy", 5000)))
    group = h.rotate("ingest, each answer after its fsync", sides)
    h.rows += [
        compare("ingest, 500 records a body, against Redis, each answer after its fsync", group, "Kindred",
                "Redis", 5, "as above with `--durability fsync` and AOF always"),
        compare("ingest against PostgreSQL COPY + merge, each answer after its fsync", group, "Kindred",
                "PostgreSQL", 20,
                "PostgreSQL: COPY of 5,000 rows into a temporary table, INSERT … SELECT … ON CONFLICT DO UPDATE, committed with its fsync; "
                "primary key on cookie, indexes on e-mail and phone; told the cohorts. 4 connections each")]
    durable_singles(h)


def durable_singles(h):
    single = 4000 if h.options.quick else 15000

    def singles(server, work):
        return lambda turn: h.load(server, work, first=NEW_PEOPLE + 5000000 + turn * single, count=single, per_body=1,
                                   connections=64)
    sides = [("Kindred", singles(h.kindred, "ingest"))]
    if h.postgres:
        sides.append(("PostgreSQL", singles(h.postgres, "pg-upsert")))
    if h.redis:
        sides.append(("Redis", singles(h.redis, "redis-ingest")))
    group = h.rotate("one-record posts, 64 connections, each answer after its fsync", sides)
    h.rows += [
        compare("one-record posts, 64 connections, each after its fsync, against PostgreSQL upserts", group,
                "Kindred", "PostgreSQL", 3,
                "PostgreSQL: prepared INSERT … ON CONFLICT, one a transaction, synchronous_commit on"),
        compare("the same against Redis, AOF always", group, "Kindred", "Redis", None,
                "Redis: the commands of one person in one pipeline")]
