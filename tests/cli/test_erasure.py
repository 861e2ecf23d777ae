"""Tries to find one byte of an erased person: random people come in by every door (JSON, NDJSON, CSV, mapped CSV, rows that are rejected,
corrections, retries under an Idempotency-Key), random ones of them are erased while others come in, and afterwards every file is
searched for everything they were ever called: log, LMDB, quarantine, stored answers, a backup made after it, an old backup restored
with what was erased since, and all of it again after the profiles are rebuilt from the log alone. Everybody else must still be there,
as they were, though all of them use the same few kiosks: whose a shared cookie is must not change because somebody is gone."""
import json
import os
import random
import shutil
import threading
import unittest
import urllib.error
import urllib.request

import cli
from cli import without_times
from test_backup import BackupTest, call, erase, files_with

SEED = int(os.environ.get("KINDRED_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
PEOPLE = int(os.environ.get("KINDRED_TEST_PEOPLE", "60"))


KIOSKS = [f"kiosk-{n}" for n in range(5)]


class Person:
    """Everything about them holds a word that nobody else has."""

    def __init__(self, generator, number):
        self.number = number
        word = "".join(generator.choice("bcdfghjklmnpqrstvwxz") for _ in range(12))
        self.cookies = [f"ck{i}{word}" for i in range(generator.randrange(1, 4))]
        self.email = f"{word}@mail.example.com"
        self.phone = f"+1212{generator.randrange(2_000_000, 9_999_999)}"
        self.user_id = f"U{word.upper()}"
        self.word = word
        self.secrets = {word, self.phone[-7:]}

    def is_gone(self, server):
        return all(call(server, "/api/user?" + q)[0] == 404 for q in
                   [f"email={self.email}", f"user_id={self.user_id}", f"phone=%2B{self.phone[1:]}"] +
                   [f"cookie={c}" for c in self.cookies])


def post(server, expected, body, path="/api/ingest", key=None, method="POST", kind=None):
    headers = {}
    if key:
        headers["Idempotency-Key"] = key
    if kind:
        headers["Content-Type"] = kind
    request = urllib.request.Request(server.url + path, data=body.encode(), method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, content = error.code, error.read()
    assert status == expected, (path, body, status, content)


def come_in(server, person, generator):
    """By each door, in any order."""
    p = person
    record = {"cookie": p.cookies[0], "email": p.email, "phone": p.phone, "attributes": {"nick": p.word},
              "location": {"city": p.word.title()}, "interests": ["tennis", f"{p.word} collecting"]}
    doors = [
        lambda: post(server, 200, json.dumps({"data": record})),
        lambda: post(server, 200, "".join(json.dumps({"cookie": c, "email": p.email, "note": p.word}) + "\n" for c in p.cookies)),
        lambda: post(server, 200, f"cookie,email,user_id,name\n{p.cookies[-1]},{p.email},{p.user_id},{p.word}\n", "/api/ingest?source=crm"),
        lambda: post(server, 200, f"visitor,mail\n{p.cookies[0]},{p.email.upper()}\n", "/api/ingest?mapping=shop"),
        lambda: [post(server, 200, json.dumps(record) + "\n" + '{"email": "' + p.email + '", "broken"\n', key=f"key-{p.email}") for _ in (1, 2)],
        lambda: post(server, 200, json.dumps({"user_id": p.user_id, "email": p.email, "message_id": f"m-{p.word}"})),
        # A shared computer: it is whose newest record names it; some come late.
        lambda: post(server, 200, "".join(json.dumps({"email": p.email, "cookie": k, "timestamp": generator.choice([None, "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"])}) + "\n"
                                          for k in generator.sample(KIOSKS, 2))),
        lambda: post(server, 200, json.dumps({"email": p.email, "cookie": p.cookies[0], "device_id": generator.choice(KIOSKS)})),
        # Rejected, and naming them: the words stay in the quarantine.
        lambda: post(server, 422, '{"name": "x", "cookie": "", "see": "' + p.email + '"}\n'),
        lambda: post(server, 422, f'email,phone\nnot an address {p.phone},\n'),
    ]
    generator.shuffle(doors)
    for door in doors:
        door()
    post(server, 200, json.dumps({"attributes": {"remark": f"wrote as {p.word}"}}), f"/api/user?email={p.email}", method="PATCH",
         kind="application/merge-patch+json")
    status, answer = call(server, f"/api/user?email={p.email}&expand=identifiers")
    assert status == 200, answer


class Campaign(BackupTest):
    def search(self, folder, what):
        secrets = sorted(set().union(*(p.secrets for p in self.erased)))
        found = files_with(folder, *secrets)
        self.assertEqual(found, [], f"{what}, seed {SEED}")

    def there(self, server):
        """Those who were not erased, by all they are called."""
        for person in self.kept:
            ids = {call(server, f"/api/user?{q}&expand=timestamps")[0] for q in
                   (f"email={person.email}", f"cookie={person.cookies[0]}", f"user_id={person.user_id}")}
            self.assertEqual(ids, {200}, f"person {person.number}, seed {SEED}")
        for person in self.erased:
            self.assertTrue(person.is_gone(server), f"person {person.number}, seed {SEED}")

    def test_nothing_is_left(self):
        generator = random.Random(SEED)
        people = [Person(generator, n) for n in range(PEOPLE)]
        server = self.serve()
        post(server, 201, json.dumps({"name": "shop", "fields": {"cookie": {"from": "visitor"}, "email": {"from": "mail"}}}), "/api/mappings/shop", method="PUT",
             kind="application/json")
        half = len(people) // 2
        for person in people[:half]:
            come_in(server, person, generator)
        # Many of them in one batch, whose others stay.
        post(server, 200, "email,note\n" + "".join(f"{p.email},in the crowd with {p.phone}\n" for p in people[:half]))
        self.assertEqual(len({text for _, text in files_with(self.data / "log", *(p.word for p in people[:half]))}), half)
        self.backup()
        old = self.folder / "old"
        shutil.copytree(self.target, old)

        # Erasures beside people who come in.
        late = random.Random(SEED + 1)
        feed = threading.Thread(target=lambda: [come_in(server, p, late) for p in people[half:]])
        feed.start()
        self.erased = generator.sample(people[:half], half // 2)
        jobs = [erase(server, f"email={p.email}", wait=False) for p in self.erased]
        feed.join()
        more = generator.sample(people[half:], half // 3)
        self.erased += more
        jobs += [erase(server, f"cookie={p.cookies[0]}", wait=False) for p in more]
        self.kept = [p for p in people if p not in self.erased]
        self.backup(None, "--wait", 120)
        for job in jobs:
            self.assertEqual(call(server, f"/api/erasures/{job}")[1]["status"], "done")
        self.there(server)
        self.search(self.data, "the data folder of a running server")
        self.search(self.target, "a backup made after it")
        self.assertEqual(server.stop(), 0)
        self.search(self.data, "the data folder")
        self.assertEqual(files_with(self.target, *(p.word for p in self.kept))[:1] != [], True)

        self.rebuild(old)

    def rebuild(self, old):
        before = self.export()
        for path in self.data.rglob("*.mdb"):
            path.unlink()
        self.assertEqual(without_times(self.export()), without_times(before), f"seed {SEED}")
        self.search(self.data, "after a rebuild")
        data, _ = self.restore("restored")
        self.assertEqual(without_times(self.export(data=data)), without_times(before), f"seed {SEED}")
        self.search(data, "a restored backup")
        data, _ = self.restore("restored-plain", source=old)
        plain = self.export(data=data)
        data, _ = self.restore("restored-old", "--erasures", self.target, source=old)
        secrets = set().union(*(p.secrets for p in self.erased))
        others = [line for line in plain.splitlines() if not any(word.encode() in line for word in secrets)]
        self.assertEqual(self.export(data=data).splitlines(), others, f"seed {SEED}")
        self.search(data, "an old backup with later erasures")
        server = self.serve(data)
        self.kept = [p for p in self.kept if p.number < PEOPLE // 2]
        self.there(server)
        # Rejected rows of theirs are not shown any more, the others are as they were.
        rows = call(server, "/api/quarantine?limit=1000")[1]["entries"]
        self.assertEqual(len(rows), 3 * len(self.kept), f"seed {SEED}")
        self.assertEqual(server.stop(), 0)
        self.search(data, "an old backup, in use again")
        self.run_kindred("verify", "--data", data)
        self.run_kindred("verify", "--data", self.data)


if __name__ == "__main__":
    print("seed", SEED)
    unittest.main(verbosity=1, defaultTest="Campaign")
