"""The servers that are measured: how each is started, asked how it is, and stopped.

All listen on loopback only, keep their data in one temporary folder, and get the same core. Configurations are written out here so
that a reader can judge whether they are fair."""
import glob
import http.client
import json
import os
import pwd
import shutil
import socket
import subprocess
import time
import urllib.parse


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rss_bytes(pid, kind="RssAnon"):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(kind + ":"):
                return int(line.split()[1]) * 1024
    return 0


def huge_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("AnonHugePages:"):
                return int(line.split()[1]) * 1024
    return 0


def folder_bytes(path):
    return sum(os.stat(os.path.join(where, name)).st_blocks * 512
               for where, _, names in os.walk(path) for name in names)


class Server:
    """A child process on a port. Subclasses say the command."""
    title = "?"

    def __init__(self, folder, cores, name=None):
        self.folder = os.path.join(folder, name or type(self).__name__.lower())
        os.makedirs(self.folder, exist_ok=True)
        self.cores = cores
        self.process = None
        self.port = None

    @property
    def pid(self):
        return self.process.pid

    def spawn(self, command, **more):
        log = open(os.path.join(self.folder, "server.log"), "a")
        cores = self.cores
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, cores), **more)
        log.close()

    def await_port(self, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.002)
        with open(os.path.join(self.folder, "server.log"), errors="replace") as log:
            raise RuntimeError(f"{self.title} did not start: {log.read()[-800:]}")

    def stop(self):
        """Returns the seconds it took."""
        begin = time.monotonic()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - begin

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


# Kindred writes a checkpoint after 200,000 records or 30 seconds. Here after 2 seconds at the latest: that costs it more, and what
# it owes to one measurement does not fall into the next.
CHECKPOINT_SECONDS = 2


class Kindred(Server):
    title = "Kindred"
    durability = "interval"

    def __init__(self, folder, cores, binary, workers=1, name=None):
        super().__init__(folder, cores, name)
        self.binary = binary
        self.workers = workers
        self.data = os.path.join(self.folder, "data")

    def start(self, durability, environment=None):
        """Returns the seconds until /readyz said yes. environment: set on top of this process's own."""
        self.durability = durability
        self.port = free_port()
        config = os.path.join(self.folder, "config.json")
        with open(config, "w") as file:
            json.dump({"checkpoint": {"seconds": CHECKPOINT_SECONDS}}, file)
        begin = time.monotonic()
        self.spawn([self.binary, "serve", "--config", config, "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                    "--workers", str(self.workers), "--durability", durability], env={**os.environ, **(environment or {})})
        self.await_port()
        while self.get("/readyz")[0] != 200:
            if self.process.poll() is not None:
                raise RuntimeError("Kindred ended while recovering")
            time.sleep(0.005)
        return time.monotonic() - begin

    def cpu_seconds(self):
        """From the kernel's accounting, all threads, in ticks of 10 ms."""
        with open(f"/proc/{self.pid}/stat") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def get(self, path):
        return self.request("GET", path)

    def metric(self, name):
        for line in self.get("/metrics")[1].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return None

    def busiest_share(self, before=None):
        """Of the CPU time since `before` (an earlier result's second part), which share the busiest thread used."""
        now = {}
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/stat") as stat:
                words = stat.read().rsplit(")", 1)[1].split()
            now[thread] = int(words[11]) + int(words[12])
        used = [ticks - (before or {}).get(thread, 0) for thread, ticks in now.items()]
        return max(used) / (sum(used) or 1), now

    def json(self, path):
        status, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:300]}")
        return json.loads(body)

    def put_cohort(self, name, definition):
        """Returns the milliseconds from request to answer."""
        begin = time.monotonic()
        status, answer = self.request("PUT", "/api/cohorts/" + urllib.parse.quote(name, safe=""), json.dumps(definition))
        took = 1000 * (time.monotonic() - begin)
        if status not in (200, 201):
            raise RuntimeError(f"PUT /api/cohorts/{name}: {status} {answer[:300]}")
        return took

    def classified(self):
        """How many phrases the classifier was asked about for records."""
        return sum(self.metric(f'kindred_phrases_classified_total{{path="{path}"}}') or 0 for path in ("worker", "backlog"))

    def cohort_sizes(self):
        return {cohort["name"]: cohort["size"] for cohort in self.json("/api/cohorts")["cohorts"]}

    def settle(self, seconds=120):
        """Until the checkpoint has caught up and every phrase has its verdict, so that neither disturbs what is measured next."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.metric("kindred_checkpoint_lag") and not self.json("/api/interests?limit=1")["pending"]:
                return
            time.sleep(0.05)

    def read_checkpoint(self):
        """Into the file cache: a restart is measured warm."""
        for where, _, names in os.walk(os.path.join(self.data, "profiles")):
            for name in names:
                with open(os.path.join(where, name), "rb") as file:
                    while file.read(1 << 22):
                        pass


class Floor(Server):
    title = "floor (constant answer, libuv + llhttp)"

    def __init__(self, folder, cores, binary):
        super().__init__(folder, cores)
        self.binary = binary

    def start(self, body):
        path = os.path.join(self.folder, "body")
        with open(path, "wb") as file:
            file.write(body)
        self.port = free_port()
        self.spawn([self.binary, str(self.port), path, "1"])
        self.await_port()


class Nginx(Server):
    title = "nginx (constant answer)"

    @staticmethod
    def find():
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    def start(self, body):
        self.port = free_port()
        text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "")
        config = f"""
worker_processes 1;
daemon off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    default_type application/json;
    client_body_temp_path {self.folder}/a; proxy_temp_path {self.folder}/b; fastcgi_temp_path {self.folder}/c;
    uwsgi_temp_path {self.folder}/d; scgi_temp_path {self.folder}/e;
    server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 '{text}'; }} }}
}}
"""
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(config)
        self.spawn([self.find(), "-p", self.folder, "-c", path, "-e", f"{self.folder}/error.log"])
        self.await_port()


class Redis(Server):
    title = "Redis"

    @staticmethod
    def find():
        return shutil.which("redis-server")

    def start(self):
        self.port = free_port()
        # Rewrites of the append-only file are off, and small hashes stay packed: both favour Redis.
        self.spawn([self.find(), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder, "--save", "",
                    "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0",
                    "--hash-max-listpack-value", "512", "--daemonize", "no"])
        self.await_port()

    def command(self, *words):
        """One command; strings, integers and flat arrays come back."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(
                b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words))
            return self._read(connection.makefile("rb"))

    def _read(self, file):
        line = file.readline()
        kind, rest = line[:1], line[1:].strip()
        if kind == b"$":
            return None if int(rest) < 0 else file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._read(file) for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError("Redis says: " + rest.decode())
        return int(rest) if kind == b":" else rest.decode()

    def used_memory(self):
        info = self.command("INFO", "memory")
        return int([line for line in info.splitlines() if line.startswith("used_memory:")][0].split(":")[1])


class Postgres(Server):
    title = "PostgreSQL"

    @staticmethod
    def find():
        """The folder of initdb, postgres and psql."""
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: float(p.split("/")[-2]))
        return folders[-1] if folders and os.path.exists(folders[-1] + "/initdb") else None

    def start(self):
        programs = self.find()
        self.who = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = pwd.getpwnam("postgres")
            self.who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        data = os.path.join(self.folder, "data")
        subprocess.run([programs + "/initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-locale", "-E", "UTF8"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder, **self.who)
        self.port = free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                    "shared_buffers": "2GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min",
                    "max_connections": 200, "fsync": "on", "synchronous_commit": "on"}
        command = [programs + "/postgres", "-D", data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.spawn(command, cwd=self.folder, **self.who)
        self.await_port()
        deadline = time.monotonic() + 30
        while self.psql("SELECT 1", "postgres", check=False) != "1":
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not answer")
            time.sleep(0.1)
        self.psql("CREATE DATABASE bench", "postgres")
        self.psql("CREATE TABLE person (cookie text PRIMARY KEY, email text, phone text, city text, state text,"
                  " country text, age int, gender text, income text, education text, interests text[], cohorts text[]);"
                  " CREATE INDEX ON person (email); CREATE INDEX ON person (phone)")

    def psql(self, sql, database="bench", check=True):
        run = subprocess.run([self.find() + "/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-X", "-q",
                              "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        if check and run.returncode != 0:
            raise RuntimeError("PostgreSQL says: " + run.stderr.strip())
        return run.stdout.strip()
