"""The rows of Kindred against itself: starting, changing cohorts, lookups beside other work, more workers, switches off. By then
the peers have ended, and Kindred has all cores, as it would."""
import json
import os
import statistics
import subprocess
import time
import urllib.parse

import peers
import report
from report import Row

INTERESTED = 40000000  # the first of the people who come while others look up
LOOKUPS_PER_SECOND = 3000


# ---- starting and stopping -------------------------------------------------------------------------------


def starting(h):
    empty = h.new_kindred("empty", workers=len(h.all_cores))
    empty.cores = h.all_cores
    starts, stops = [], []
    for _ in range(h.rounds):
        starts.append(1000 * empty.start("interval"))
        stops.append(1000 * empty.stop())
    h.release(empty)
    h.rows.append(Row("start of an empty server until /readyz", starts, unit="ms", at_most=True,
                      note="from the start of the process; new folder the first time, its own after that"))
    h.rows.append(Row("shutdown of the empty server", stops, unit="ms", at_most=True, note="from SIGTERM to the end of the process"))
    h.kindred.settle()
    people = h.kindred.metric("kindred_people")
    h.kindred.cores, h.kindred.workers = h.all_cores, len(h.all_cores)
    starts, stops = [], []
    h.kindred.stop()
    for _ in range(3):
        h.kindred.read_checkpoint()
        starts.append(h.kindred.start("interval"))
        stops.append(h.kindred.stop())
    h.kindred.start("interval")
    everybody = report.number(people)
    h.rows.append(Row(f"restart with {everybody} people until /readyz", starts, 10 if h.loaded >= 10000000 else None, "s", True,
                      note="checkpoint complete and in the file cache, all cores"
                      + ("" if h.loaded >= 10000000 else "; the goal of 10 s is for 10,000,000 people")))
    h.rows.append(Row(f"shutdown with {everybody} people", stops, unit="s", at_most=True, note="nothing was left to be written"))


# ---- lookups beside other work ---------------------------------------------------------------------------


class TopicChange:
    """A topic's cohort with some of the frequent interests taken out, and put back in, in turn."""

    def __init__(self, h, name, without):
        self.kindred, self.name = h.kindred, name
        path = "/api/cohorts/" + urllib.parse.quote(name, safe="")
        self.whole = h.kindred.json(path)["definition"]
        self.less = dict(self.whole, not_phrases=[*self.whole.get("not_phrases", []), *without])
        self.turn, self.times_ms = 0, []

    def change(self):
        self.times_ms.append(self.kindred.put_cohort(self.name, self.less if self.turn % 2 == 0 else self.whole))
        self.turn += 1
        return self.kindred.cohort_sizes()[self.name]

    def count(self):
        """How many hold the topic now, and how many of them a change moves. Not among the times."""
        times = list(self.times_ms)
        if self.turn % 2:
            self.change()
        smaller, self.size = self.change(), self.change()
        self.moved, self.times_ms = self.size - smaller, times


def interests_of(h):
    """cohort → its frequent interests."""
    found = {}
    with open(h.cohorts_file) as file:
        for line in list(file)[:80]:
            phrase, *cohorts = line.rstrip("\n").split("\t")
            for cohort in cohorts:
                found.setdefault(cohort, []).append(phrase)
    return found


def topic_changes(h):
    """One phrase of the largest topic; and a whole topic that a fifth of everybody holds, or the next larger one."""
    sizes, interests = h.kindred.cohort_sizes(), interests_of(h)
    people = h.kindred.metric("kindred_people")
    topics = sorted((name for name in interests if sizes[name] >= people / 5), key=lambda name: sizes[name])
    if not topics:
        raise RuntimeError("no topic is held by a fifth of the people")
    return [TopicChange(h, topics[-1], interests[topics[-1]][1:2]), TopicChange(h, topics[0], interests[topics[0]])]


def three_rows(what, busy, idle, note):
    """p50, p99 and p99.9 as ratios, the figures in the note; the goal is on p99."""
    def figures(rounds):
        return " / ".join(report.number(report.median(rounds, field)) for field in ("p50_us", "p99_us", "p999_us"))
    return [Row(f"{label} of lookups {what} against idle", report.ratios(busy, idle, field), goal, at_most=True,
                note="as the row of p99" if goal is None else f"p50 / p99 / p99.9: idle {figures(idle)} µs, then {figures(busy)} µs; {note}")
            for label, field, goal in (("p50", "p50_us", None), ("p99", "p99_us", 2), ("p99.9", "p999_us", None))]


def meanwhile(h):
    """Lookups at a constant rate while something heavy happens."""
    lookups = {"people": h.loaded, "connections": 16, "rate": LOOKUPS_PER_SECOND, "cores": h.all_cores}
    part = min(500000, h.options.people)
    changes = topic_changes(h)
    idle, busy, ingest, sorting = [], [], [], [[] for _ in changes]
    for turn in range(h.rounds):
        h.kindred.settle(60)
        idle.append(h.load(h.kindred, "lookup", seconds=1.5, **lookups))
        ingesting = h.beside(h.kindred, "ingest", first=INTERESTED + turn * part, count=part, per_body=500, connections=2,
                             cores=h.all_cores)
        time.sleep(0.3 + part / 2e6)  # its bodies are made before it begins
        busy.append(h.load(h.kindred, "lookup", seconds=max(0.3, part / 500000), **lookups))
        ingest.append(ingesting())
        h.kindred.settle(60)
        for change, results in zip(changes, sorting):
            looking = h.beside(h.kindred, "lookup", seconds=1.5, **lookups)
            time.sleep(0.4)
            for _ in range(6):
                change.change()
                time.sleep(0.1)
            results.append(looking())
            change.count()
        h.say(f"lookups at {LOOKUPS_PER_SECOND:,}/s, p99: idle {idle[-1]['p99_us']:.0f} µs, during ingest {busy[-1]['p99_us']:.0f} µs, during "
              + ", ".join(f"a change that moves {change.moved:,} people {results[-1]['p99_us']:.0f} µs ({change.times_ms[-1]:.1f} ms)"
                          for change, results in zip(changes, sorting)))
    everybody = report.number(h.kindred.metric("kindred_people"))
    h.groups["lookup at 3,000/s, open loop, beside other work"] = {
        "idle": idle, "ingesting": busy, "phrase changed": sorting[0], "topic changed": sorting[1]}
    phrase, topic = changes
    h.rows += [
        Row(f"re-sorting {everybody} people after a change of one phrase of {phrase.name}", phrase.times_ms, 100, "ms", True,
            note=f"PUT /api/cohorts/{phrase.name}, from request to answer, its log entry included; {phrase.size:,} people hold the "
                 f"topic, {phrase.moved:,} leave or enter at each change"),
        Row(f"changing a topic that {report.number(topic.size)} of {everybody} people hold", topic.times_ms, 100, "ms", True,
            note=f"the same with {topic.name}: all its frequent phrases taken out or put back, {topic.moved:,} people leave or enter"),
        *three_rows("during the change of one phrase", sorting[0], idle, "open loop, 3,000/s, 16 connections, six changes in the 1.5 s; "
                    "generators and server share all cores"),
        *three_rows("during the change of a topic", sorting[1], idle, "as above"),
        *three_rows("during full-speed ingest", busy, idle,
                    f"as above, 500-record bodies on two connections meanwhile ({report.number(report.median(ingest, 'units_per_second'))} "
                    "records/s)"),
    ]


# ---- workers -----------------------------------------------------------------------------------------------

WIDE = {"name": "wide", "rest": "drop", "fields": {
    "message_id": "row", "cookie": "customer", "email": {"from": "mail", "transforms": ["trim", "lower"]}, "phone_number": "phone",
    "location.city": {"from": "town", "transforms": ["trim", "title"]},
    "location.state": {"from": "region", "transforms": ["trim", "title"]}, "location.country": "land",
    "demographics.age": "age", "demographics.gender": {"from": "sex", "transforms": ["lower", "title"]},
    "demographics.income": "income", "demographics.education": "school",
    **{f"dates.d{k}": {"from": f"date_{k}", "transforms": ["trim", {"date": ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y"]}]} for k in range(10)},
    **{f"amounts.a{k}": {"from": f"amount_{k}", "transforms": ["trim", {"number": {"decimal": ",", "thousands": "."}}]}
       for k in range(10)},
    **{f"names.n{k}": {"from": f"name_{k}", "transforms": ["trim", "lower", {"replace": ["-", " "]}, "title"]} for k in range(10)}}}


def workers(h):
    """Parse-bound: an export of 41 columns, packed by gzip, whose rows are sent again. A worker unpacks, splits and reads every
    column through a mapping with dates, amounts and names as people write them; the writer logs the row and finds by its message id that
    it was there before."""
    again, count = 20000, 200000
    sides, shares = [], []
    for number in (1, 2):
        server = h.new_kindred(f"workers-{number}", workers=number)
        server.cores = h.all_cores
        server.start("interval")
        status, answer = server.request("PUT", "/api/mappings/wide", json.dumps(WIDE))
        if status not in (200, 201):
            raise RuntimeError(f"PUT /api/mappings/wide: {status} {answer[:300]}")

        def run(turn, server=server, count=count):
            before = server.busiest_share()[1]
            result = h.load(server, "ingest-table", path="/api/ingest?mapping=wide&source=wide", first=0, count=count, again=again,
                            per_body=500, connections=8, cores=h.all_cores)
            if server.workers == 1:
                shares.append(server.busiest_share(before)[0])
            server.settle()
            return result
        run(0, count=again)  # the people become known
        sides.append((f"{number} worker{'s' if number > 1 else ''}", run, server))
    group = h.rotate("parse-bound ingest", [(label, run) for label, run, _ in sides])
    for _, _, server in sides:
        h.release(server)
    h.rows.append(workers_row(len(h.all_cores), group["1 worker"], group["2 workers"], statistics.median(shares[1:])))


def workers_row(cores, one, two, parsing):
    """What the generator used was not the server's to use; with one worker that matters only where all cores were busy. parsing:
    the share of the busiest thread, the worker, with one worker."""
    def used(result, field):
        return result[field] / result["seconds"]

    def available(result, full):
        return (cores - used(result, "own_cpu_seconds")) / cores if full else 1
    corrected = []
    for a, b in zip(one, two):
        full = used(a, "server_cpu_seconds") + used(a, "own_cpu_seconds") > 0.95 * cores
        corrected.append(b["units_per_second"] / available(b, True) / (a["units_per_second"] / available(a, full)))
    generator = statistics.median(used(b, "own_cpu_seconds") for b in two)
    plain = statistics.median(report.ratios(two, one, "units_per_second"))
    # All cores busy against one worker busy; or, with cores to spare, until the writer has no time left.
    most = min(2, cores * parsing, parsing / max(1e-9, 1 - parsing))
    return Row("two workers against one, parse-bound ingest", corrected, 1.7,
               note=f"gzipped tables of 41 mapped columns (dates, amounts, names as people write them), rows that were there before: "
                    f"{100 * parsing:.0f} % of the server's CPU time is the worker's, the rest the writer's, who logs each row. Measured throughput times cores / (cores less what the "
                    f"generator used, {generator:.2f}); without that {plain:.2f} ×. With {cores} cores for workers and writer together, two "
                    f"workers can bring {most:.2f} × at most")


# ---- switched off in turn ----------------------------------------------------------------------------------


def huge_pages(h):
    """The same data, the same lookups; the server restarted with and without."""
    shares = {}

    def side(word, conf):
        def run(turn):
            h.kindred.stop()
            h.kindred.start("interval", {"MALLOC_CONF": conf})
            result = h.load(h.kindred, "lookup", people=h.loaded, seed=7 + turn, seconds=h.options.seconds, connections=64, depth=16)
            shares.setdefault(word, []).append(peers.huge_bytes(h.kindred.pid) / peers.rss_bytes(h.kindred.pid))
            return result
        return run
    h.kindred.cores, h.kindred.workers = h.server_core, 1
    group = h.rotate("lookup, pipelined 16, huge pages", [
        ("Kindred with", side("with", "thp:always,metadata_thp:auto")),
        ("Kindred without", side("without", "thp:never,metadata_thp:disabled"))], 3 if h.loaded > 2000000 else h.rounds)
    row = report.compare("what huge pages bring: pipelined lookups with against without", group, "Kindred with", "Kindred without")
    row.note = (f"jemalloc's thp:always ({100 * statistics.median(shares['with']):.0f} % of memory in huge pages) against thp:never "
                f"({100 * statistics.median(shares['without']):.0f} %), the server restarted for each measurement")
    h.rows.append(row)


def hot_paths(h):
    """bench/micro: no sockets, no disk to wait for. Its paths take turns, so they can be divided by each other."""
    if not h.options.topics:
        return
    path = os.path.join(h.folder, "micro.json")
    people = min(h.options.people, 1000000)
    run = subprocess.run([os.path.join(h.options.build, "bench", "micro"), "--topics", h.options.topics, "--people", str(people),
                          "--json", path], stdout=subprocess.PIPE, text=True, check=True)
    h.micro = run.stdout
    with open(path) as file:
        runs = json.load(file)
    for what, off, on, note in (
            ("lookups 16 at a time against one by one", "lookup_one", "lookup",
             "so that the loads of 16 overlap against each waiting for its own"),
            ("applying records with the next ones' loads begun against without", "ingest_unfetched", "ingest",
             "from JSON to log and cohorts, new people")):
        if off in runs and on in runs:
            h.rows.append(Row(f"what batch prefetch brings: {what}", [b / a for a, b in zip(runs[on], runs[off])],
                              note=f"bench/micro, {report.number(people)} people, CPU time of one thread; {note}"))
