"""Tries to break: `kill -9` at any moment under load loses nothing that was acknowledged, a batch is whole or absent, erased
people stay erased, and a retry with its Idempotency-Key is taken once.

Each cycle: four clients write (single records, keyed batches, corrections, erasures), the server is killed at a random moment, started
again, and asked for everything of this cycle and some of the cycles before. Checkpoints are frequent, so that kills fall into them, too.
After a hundred kills the folder is verified and another one begun: what a kill tries does not depend on how much lies behind it, and the
time of a start does.
It says nothing about power cuts: the page cache survives a kill. tests/crash does."""
import json
import random
import signal
import sys
import threading
import time

from common import SANITIZED, Server, ask, check, failures, finish, get, post, present, verify, words, Answers

CLIENTS = 4
BATCH = 20
KILLS_OF_A_FOLDER = 100


class Client(threading.Thread):
    def __init__(self, server, cycle, number, seed):
        super().__init__(daemon=True)
        self.server, self.prefix = server, f"k{cycle}-{number}"
        self.random = random.Random(f"{seed}/{cycle}/{number}")
        self.acknowledged = []   # cookies
        self.erased = []
        self.batches = []        # (key, cookies, body, acknowledged?)
        self.corrected = {}      # cookie: its acknowledged first name
        self.trouble = []

    def run(self):
        try:
            with self.server.connect() as sock:
                self.write(sock)
        except OSError:
            pass

    def call(self, sock, request):
        sock.sendall(request)
        answers = Answers()
        while True:
            data = sock.recv(1 << 16)
            if not data:
                raise ConnectionError
            for status, body, _ in answers.add(data):
                return status, body

    def write(self, sock):
        for step in range(1 << 30):
            cookie = f"{self.prefix}-{step}"
            what = self.random.random()
            if what < 0.3:
                cookies = [f"{cookie}-{i}" for i in range(BATCH)]
                body = "\n".join(json.dumps({"cookie": one, "interests": ["tennis"]}) for one in cookies)
                self.batches.append([cookie, cookies, body, False])
                status, answer = self.call(sock, post(body, f"Idempotency-Key: {cookie}"))
                self.batches[-1][3] = status == 200
                expected = 200
            elif what < 0.4 and self.acknowledged:
                # Asked for, but unanswered, it may have happened: until then it is expected neither here nor gone.
                gone = self.acknowledged.pop()
                self.corrected.pop(gone, None)
                status, answer = self.call(sock, post(b"", path=f"/api/user?cookie={gone}", method="DELETE"))
                if status == 202:
                    self.erased.append(gone)
                expected = 202
            elif what < 0.5 and self.acknowledged:
                one = self.random.choice(self.acknowledged)
                self.corrected.pop(one, None)
                status, answer = self.call(sock, post(json.dumps({"first_name": f"N{step}"}), path=f"/api/user?cookie={one}",
                                                      method="PATCH"))
                if status == 200:
                    self.corrected[one] = f"N{step}"
                expected = 200
            else:
                status, answer = self.call(sock, post(json.dumps({"cookie": cookie, "interests": ["opera"]})))
                if status == 200:
                    self.acknowledged.append(cookie)
                expected = 200
            if status != expected:
                self.trouble.append((status, answer))
                return


def look(server, client, counts):
    wanted = set(client.acknowledged)
    here = present(server, client.acknowledged + client.erased)
    check(wanted <= here, f"acknowledged, then lost: {sorted(wanted - here)[:5]}")
    check(not here & set(client.erased), f"erased, then back: {sorted(here & set(client.erased))[:5]}")
    check(not client.trouble, f"unexpected answers: {client.trouble}")
    names = ask(server, [get(f"/api/user?cookie={one}&expand=all") for one in client.corrected])
    for (one, name), (status, body) in zip(client.corrected.items(), names):
        check(status == 200 and f'"{name}"'.encode() in body, f"a correction of {one} was acknowledged, then lost")
    for key, cookies, body, acknowledged in client.batches:
        there = present(server, cookies)
        check(len(there) in ((BATCH,) if acknowledged else (0, BATCH)), f"batch {key}: {len(there)} of {BATCH}, {acknowledged}")
        counts["whole" if there else "absent"] += not acknowledged
    counts["acknowledged"] += len(wanted) + len(client.corrected) + len(client.erased)
    counts["acknowledged"] += BATCH * sum(1 for batch in client.batches if batch[3])


def retry_last(server, client, counts):
    """What was unanswered is sent again with its key: taken once, whether it had been or not."""
    for key, cookies, body, acknowledged in client.batches[-1:]:
        before = server.metric("kindred_people")
        had = len(present(server, cookies))
        status = server.post("/api/ingest", body, {"Idempotency-Key": key}).status
        check(status == 200, f"retry of {key}: {status}")
        check(server.metric("kindred_people") == before + BATCH - had, f"retry of {key} counted twice")
        counts["retries"] += 1


def kill_once(options, server, cycle, older, counts):
    clients = [Client(server, cycle, n, options.seed) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(random.uniform(0.05, 1.0 if SANITIZED else 0.6))
    server.stop(signal.SIGKILL)
    for client in clients:
        client.join(30)
        check(not client.is_alive(), "a client still waits for a dead server")
    server.start()
    for client in clients:
        look(server, client, counts)
        retry_last(server, client, counts)
    older += [one for client in clients for one in client.acknowledged[-20:]]
    some = random.sample(older, min(200, len(older)))
    check(set(some) == present(server, some), "lost since an earlier cycle")


def main():
    options = words("kill -9 under load", cycles=(1000, "kills, in the long form"), minutes=(0.0, "stop after so many; 0: no limit"))
    cycles = options.cycles or (1000 if options.long else 5)
    counts = {"acknowledged": 0, "whole": 0, "absent": 0, "retries": 0}
    config = {"checkpoint": {"entries": 300, "seconds": 1}}
    until = time.monotonic() + (options.minutes * 60 if options.minutes else float("inf"))
    done = 0
    while done < cycles and not failures and time.monotonic() < until:
        with Server(config=config) as server:
            older, end = [], min(cycles, done + KILLS_OF_A_FOLDER)
            while done < end and not failures and time.monotonic() < until:
                kill_once(options, server, done, older, counts)
                done += 1
            check(server.stop() == 0, "the last stop")
            verify(server.data)
        if options.long:
            print(f"  {done} kills, {counts}")
            sys.stdout.flush()
    lost = "none" if not failures else "see above"
    print(f"{done} kills: {counts['acknowledged']} acknowledged writes, lost: {lost}; unanswered batches: {counts['whole']} whole, "
          f"{counts['absent']} absent; {counts['retries']} keyed retries")
    finish()


if __name__ == "__main__":
    main()
