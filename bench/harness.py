"""What all phases of the benchmark need: the servers, the load generator, rounds, and how long it will take."""
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

import peers
import report

STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def minutes(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def prepare(cores, punctual):
    """In the generator, before it starts. One that keeps a rate comes before others where that is allowed: clients would be on other
    machines, and what it waits for a core would count as the server's latency."""
    os.sched_setaffinity(0, cores)
    if punctual:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        except PermissionError:
            pass


class Harness:
    """Servers, rounds and rows of one run. `loaded`: people 0 .. loaded - 1 are everywhere."""

    say = staticmethod(say)

    def __init__(self, options):
        self.options = options
        self.rounds = options.rounds
        cores = sorted(os.sched_getaffinity(0))
        self.server_core = {cores[0]}
        self.load_core = {cores[1]} if len(cores) > 1 else {cores[0]}
        self.all_cores = set(cores)
        self.folder = tempfile.mkdtemp(prefix="kindred-bench-", dir=options.folder)
        os.chmod(self.folder, 0o711)  # PostgreSQL's account must get to its part
        self.groups, self.rows, self.growth, self.facts = {}, [], [], []
        self.servers = []
        self.loaded = 0
        self.cohorts_file = None
        self.phrase_us = 0.0  # CPU time of classifying one phrase, which happens once, when it is first seen
        self.others, self.measured = 0.0, 0.0  # CPU seconds of other processes while measuring; seconds of measuring
        self.micro = ""

    # ---- the generator -----------------------------------------------------------------------------

    def generator(self, *words):
        command = [os.path.join(self.options.build, "bench", "load"), *words]
        if self.cohorts_file:
            command += ["--cohorts", self.cohorts_file]
        return command

    def load(self, server, work, cores=None, **options):
        """One measurement: what the generator printed. Words of `options` are its options."""
        command = self.generator("--port", str(server.port), "--pid", str(server.pid), "--work", work)
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        pinned = cores or self.load_core
        busy, begin = report.busy_seconds(), time.monotonic()
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: prepare(pinned, "rate" in options))
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

    def beside(self, server, work, **options):
        """Starts a load in the background; returns a function that waits for its result."""
        box = {}

        def run():
            try:
                box["result"] = self.load(server, work, **options)
            except RuntimeError as error:
                box["error"] = error
        thread = threading.Thread(target=run)
        thread.start()

        def wait():
            thread.join()
            if "error" in box:
                raise box["error"]
            return box["result"]
        return wait

    def rotate(self, name, sides, rounds=None):
        """sides: [(label, function(round) → result)]: A B C, C B A, A B C, …"""
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

    # ---- servers -----------------------------------------------------------------------------------

    def new_kindred(self, name="kindred", **more):
        server = peers.Kindred(self.folder, self.server_core, os.path.join(self.options.build, "kindred"), name=name, **more)
        self.servers.append(server)
        return server

    def start(self):
        self.ask_for_cohorts()
        self.kindred = self.new_kindred()
        self.kindred.start("interval")
        self.redis = self.postgres = self.nginx = self.floor = None
        if peers.Redis.find() and not self.options.alone:
            self.redis = peers.Redis(self.folder, self.server_core)
            self.servers.append(self.redis)
            self.redis.start()
        if peers.Postgres.find() and not self.options.alone:
            self.postgres = peers.Postgres(self.folder, self.server_core)
            self.servers.append(self.postgres)
            self.postgres.start()
        self.kindred_rss = peers.rss_bytes(self.kindred.pid)
        self.redis_memory = self.redis.used_memory() if self.redis else 0
        self.facts.append(self.sync_time())

    def ask_for_cohorts(self):
        """What each interest leads to, as a Kindred of its own says, which ends before anything is measured: the peers are told
        that, and the Kindred that is measured works it out again, phrase by phrase."""
        asked = self.new_kindred("asked")
        asked.start("os")
        interests = subprocess.run(self.generator("--interests"), stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        path = os.path.join(self.folder, "cohorts.tsv")
        known, before = 0, asked.cpu_seconds()
        with open(path, "w") as file:
            for begin in range(0, len(interests), 500):
                body = json.dumps({"phrases": interests[begin:begin + 500]})
                status, answer = asked.request("POST", "/api/classify", body)
                if status != 200:
                    raise RuntimeError(f"POST /api/classify: {status} {answer[:300]}")
                for verdict in json.loads(answer)["results"]:
                    names = [topic["topic"] for topic in verdict["topics"]]
                    names += [name for name in verdict["cohorts"] if name not in names]
                    known += bool(names)
                    file.write("\t".join([verdict["phrase"], *names]) + "\n")
        self.phrase_us = 1e6 * (asked.cpu_seconds() - before) / len(interests)
        asked.stop()
        asked.remove()
        self.servers.remove(asked)
        self.cohorts_file = path
        self.facts.append(f"Interests: one to four of 80 frequent ones each, and one person in 32 has one of {len(interests) - 80:,} rare "
                          f"ones besides (1.3 % of all interests). Of the {len(interests):,}, Kindred's classifier gives {known:,} a "
                          "topic or more; Redis and PostgreSQL are told which.")

    def release(self, *servers):
        """Stops peers whose rows are done and removes their data: memory and disk for what comes."""
        for server in servers:
            if server in self.servers:
                server.stop()
                server.remove()
                self.servers.remove(server)

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- facts -------------------------------------------------------------------------------------

    def other_load(self):
        share = 100 * self.others / (self.measured * len(self.all_cores) or 1)
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


class Progress:
    """Phases with an estimate each; says before each how long the rest will take, corrected by how wrong it was so far."""

    def __init__(self, phases):
        self.phases = phases  # [(name, estimated seconds, function)]

    def run(self):
        done = spent = 0.0
        total = sum(seconds for _, seconds, _ in self.phases)
        for number, (name, seconds, work) in enumerate(self.phases, 1):
            wrong = spent / done if done > 10 else 1.0
            say(f"—— {number} of {len(self.phases)}: {name}; about {minutes((total - done) * wrong)} to go")
            begin = time.monotonic()
            work()
            spent += time.monotonic() - begin
            done += seconds
