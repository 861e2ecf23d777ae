"""Tries to get a backup that is not what was in the log at one moment: made while records come in and people are erased, killed in
the middle, restored to a point in time. And people who come back from an older backup."""
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import cli
from cli import CommandTest, FAILED, LOCKED, Server, STORAGE, USAGE

SEED = int(os.environ.get("KINDRED_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


def call(server, path, body=None, method=None):
    request = urllib.request.Request(server.url + path, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def ingest(server, records):
    status, answer = call(server, "/api/ingest", "".join(json.dumps(r) + "\n" for r in records).encode())
    assert status == 200 and answer["records_processed"] == len(records), answer


def erase(server, query, wait=True):
    status, answer = call(server, "/api/user?" + query, method="DELETE")
    assert status == 202, (status, answer)
    for _ in range(1500):
        if not wait or call(server, f"/api/erasures/{answer['erasure_id']}")[1]["status"] == "done":
            return answer["erasure_id"]
        time.sleep(0.02)
    raise AssertionError("the erasure did not end")


def files_with(folder, *texts):
    """[(file, text)] wherever one of the texts stands in a file of the folder."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes().lower()
        found += [(str(path), text) for text in texts if text.lower().encode() in content]
    return found


class Feed(threading.Thread):
    """Records f-0, f-1, … in batches of 1 to 40, until it is stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.acknowledged, self.going, self.error = server, 0, True, None

    def run(self):
        generator = random.Random(SEED)
        try:
            while self.going:
                count = generator.randrange(1, 41)
                numbers = range(self.acknowledged, self.acknowledged + count)
                ingest(self.server, [{"cookie": f"f-{n}", "number": n} for n in numbers])
                self.acknowledged += count
        except Exception as error:  # told by the test
            self.error = error

    def stop(self):
        self.going = False
        self.join()
        if self.error:
            raise self.error


class BackupTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.target = self.folder / "backup"
        self.server = None

    def tearDown(self):
        if self.server is not None and self.server.process.poll() is None:
            self.server.kill()
        super().tearDown()

    def serve(self, data=None):
        self.server = Server(data or self.data)
        return self.server

    def backup(self, target=None, *more, expect=0, data=None):
        done = self.run_kindred("backup", target or self.target, "--data", data or self.data, *more, expect=expect)
        found = re.search(r"entries +([\d,]+)", done.out)
        done.last = int(found.group(1).replace(",", "")) if found else None
        return done

    def restore(self, name, *more, source=None, expect=0):
        data = self.folder / name
        done = self.run_kindred("restore", source or self.target, "--data", data, *more, expect=expect)
        return data, done

    def raw(self, data):
        """The log's entries as lines, without what reading it today says about it."""
        return self.export("raw", data).splitlines()


class Online(BackupTest):
    def test_while_records_come_in(self):
        server = self.serve()
        feed = Feed(server)
        feed.start()
        kept = []
        while feed.acknowledged < 50:
            time.sleep(0.01)
        for i in range(6):
            before = feed.acknowledged
            done = self.backup()
            copy = self.folder / f"copy-{i}"
            shutil.copytree(self.target, copy)
            kept.append((copy, before, done.last))
            time.sleep(0.1)
        feed.stop()
        self.assertEqual(server.stop(), 0)
        whole = self.raw(self.data)
        self.assertGreater(kept[-1][2], kept[0][2])
        for i, (copy, before, last) in enumerate(kept):
            data, _ = self.restore(f"restored-{i}", source=copy)
            raw = self.raw(data)
            self.assertEqual(len(raw), last)
            self.assertEqual(raw, whole[:last], "not a prefix of the log")
            entries = map(json.loads, raw)
            cookies = {json.loads(entry["raw"])["cookie"] for entry in entries if entry["kind"] == "record"}
            self.assertGreaterEqual(len(cookies), before, "something acknowledged before is missing")
            self.assertEqual(cookies, {f"f-{n}" for n in range(len(cookies))})
            if i in (0, 5):
                self.answers_as(data, len(cookies))
        self.run_kindred("verify", "--data", self.folder / "restored-5")

    def answers_as(self, data, count):
        server = self.serve(data)
        for n in (0, 1, count // 2, count - 1):
            status, answer = call(server, f"/api/user?cookie=f-{n}&expand=attributes")
            self.assertEqual((status, str(answer["user_profile"]["attributes"]["number"])), (200, str(n)), answer)
        self.assertEqual(call(server, f"/api/user?cookie=f-{count}")[0], 404)
        self.assertEqual(call(server, "/api/users?limit=1")[1]["total"], count)
        # It goes on from there.
        ingest(server, [{"cookie": "after"}])
        self.assertEqual(call(server, "/api/user?cookie=after")[0], 200)
        self.assertEqual(server.stop(), 0)

    def test_only_what_changed_is_copied(self):
        people = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", 38000, "--seed", 5, "--output", people)
        self.import_file(people)
        self.backup()
        files = {p.name: p.stat().st_ino for p in (self.target / "log").iterdir()}
        self.assertGreaterEqual(len(files), 2)
        server = self.serve()
        ingest(server, [{"cookie": "one-more"}])
        done = self.backup()
        after = {p.name: p.stat().st_ino for p in (self.target / "log").iterdir()}
        self.assertEqual(len(after), len(files))
        self.assertEqual(len(after.items() & files.items()), len(files) - 1)
        self.assertRegex(done.out, r"copied +1   of 2 log segments")
        self.assertRegex(self.backup().out, r"copied +0   of 2")
        # A person in the first segment goes: that one is copied, too.
        erase(server, "cookie=" + re.search(r'"cookie": ?"([^"]+)"', people.read_text()).group(1))
        self.assertRegex(self.backup().out, r"copied +2   of 2")
        self.assertRegex(self.run_kindred("backup", self.target, "--check").out, "every byte is as it was written")

    def test_point_in_time(self):
        server = self.serve()
        times = []
        for n in range(5):
            ingest(server, [{"cookie": f"t-{n}-{i}"} for i in range(3)])
            time.sleep(0.03)
            times.append(time.time())
            time.sleep(0.03)
        self.backup()
        server.stop()
        raw = [json.loads(line) for line in self.raw(self.data)]
        for n, moment in enumerate(times):
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e6):06d}Z"
            data, _ = self.restore(f"time-{n}", "--until", text)
            people = {p["cookie"] for p in self.people(data)}
            self.assertEqual(people, {f"t-{k}-{i}" for k in range(n + 1) for i in range(3)})
            last = max(e["sequence"] for e in raw if f"t-{n}-" in e.get("raw", ""))
            data, done = self.restore(f"sequence-{n}", "--until", last)
            self.assertEqual({p["cookie"] for p in self.people(data)}, people)
            data, done = self.restore(f"inside-{n}", "--until", last - 1)
            self.assertEqual(len(self.people(data)), 3 * n, "a batch is whole or absent")
        zoned = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(times[2] + 2 * 3600)) + f".{int(times[2] % 1 * 1e6):06d}+02:00"
        self.assertEqual(len(self.people(self.restore("zoned", "--until", zoned)[0])), 9)
        for wrong in ("yesterday", "2026-02-31T00:00:00Z", "2026-11-22T04:05:06", "0", "2026-11-22"):
            self.restore("wrong", "--until", wrong, expect=USAGE)
        self.assertIn("does not reach", self.restore("later", "--until", "2199-01-01T00:00:00Z", expect=FAILED)[1].err)
        self.assertIn("does not reach", self.restore("later", "--until", 10 ** 9, expect=FAILED)[1].err)
        self.assertIn("nothing", self.restore("early", "--until", "2020-01-01T00:00:00Z", expect=FAILED)[1].err)


class Erased(BackupTest):
    def test_stay_erased(self):
        secrets = ("zq-cookie-77", "zq.secret@example.com", "+12125550188", "zq-name-secret")
        server = self.serve()
        ingest(server, [{"cookie": f"before-{n}", "email": f"before{n}@example.com"} for n in range(50)])
        ingest(server, [{"cookie": secrets[0], "email": secrets[1], "phone": secrets[2], "attributes": {"nick": secrets[3]}}])
        moment = len(self.export_live(server))
        ingest(server, [{"cookie": f"after-{n}"} for n in range(50)])
        call(server, "/api/ingest", b'{"cookie": "broken", "email": "' + secrets[1].encode() + b'"\n')
        self.backup()
        old = self.folder / "old"
        shutil.copytree(self.target, old)
        self.assertEqual({text for _, text in files_with(old, *secrets)}, set(secrets))

        erase(server, "email=" + secrets[1], wait=False)
        done = self.backup()  # waits for the end
        self.assertEqual(files_with(self.target, *secrets), [], done.err)
        ingest(server, [{"cookie": "later"}])
        self.assertEqual(server.stop(), 0)
        self.assertEqual(files_with(self.data, *secrets), [])

        # From the new backup, whole and to a moment when the person was still there.
        for name, more in (("whole", ()), ("earlier", ("--until", moment))):
            data, _ = self.restore(name, *more)
            self.assertEqual(files_with(data, *secrets), [])
        # From an old copy of it: the person is in it …
        data, _ = self.restore("with-person", source=old)
        self.assertNotEqual(files_with(data, *secrets), [])
        # … unless what has been erased since is named, in any of three ways.
        ledger = next(self.target.glob("erasures-*.ledger"))
        for name, newer in (("by-backup", self.target), ("by-file", ledger), ("by-folder", self.data)):
            data, done = self.restore(name, "--erasures", newer, source=old)
            self.assertEqual(files_with(data, *secrets), [], name)
            restored = self.serve(data)
            self.assertEqual(call(restored, "/api/user?email=" + secrets[1])[0], 404)
            self.assertEqual(call(restored, "/api/user?cookie=" + secrets[0])[0], 404)
            for n in (0, 49):
                self.assertEqual(call(restored, f"/api/user?email=before{n}@example.com")[0], 200)
                self.assertEqual(call(restored, f"/api/user?cookie=after-{n}")[0], 200)
            self.assertEqual(restored.stop(), 0)
            self.assertEqual(files_with(data, *secrets), [], name)
            self.run_kindred("verify", "--data", data)

    def export_live(self, server):
        return self.run_kindred("export", "raw", "--url", server.url).stdout.splitlines()

    def test_an_erasure_under_way(self):
        """The server dies between the request and the work: the backup says so, a restored server ends it."""
        server = self.serve()
        ingest(server, [{"cookie": "uw-secret", "email": "uw.secret@example.com"}, {"cookie": "other"}])
        erase(server, "cookie=uw-secret", wait=False)
        server.kill()
        done = self.backup(None, "--wait", 0)
        if "under way" not in done.err:
            self.skipTest("the erasure was faster than the kill")
        self.assertIn("make another one", done.err)
        self.assertIn("under way", self.restore("early", "--until", 20, expect=FAILED)[1].err)
        data, _ = self.restore("restored")
        server = self.serve(data)
        for _ in range(500):
            if not files_with(data / "log", "uw-secret", "uw.secret"):
                break
            time.sleep(0.02)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(files_with(data, "uw-secret", "uw.secret"), [])


class Interrupted(BackupTest):
    def test_kill_in_the_middle(self):
        generator = random.Random(SEED)
        people = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", 15000, "--seed", 5, "--output", people)
        self.import_file(people)
        whole = self.backup().last
        killed = 0
        for i in range(6):
            self.import_file(self.write(f"more-{i}.ndjson", f'{{"cookie": "more-{i}"}}\n'))
            backup = subprocess.Popen([cli.KINDRED, "backup", str(self.target), "--data", str(self.data)],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(generator.random() * 0.2)
            backup.kill()
            killed += backup.wait() != 0
            done = self.run_kindred("backup", self.target, "--check")
            last = int(re.search(r"entries +([\d,]+)", done.out).group(1).replace(",", ""))
            self.assertGreaterEqual(last, whole, f"seed {SEED}")
            whole = last
        self.restore("restored")
        self.assertEqual(self.raw(self.folder / "restored"), self.raw(self.data)[:whole])
        self.assertGreater(self.backup().last, whole - 1)
        self.assertEqual(len(list((self.target / "log").iterdir())), len(list((self.data / "log").glob("*.seg"))))
        self.assertEqual(list(self.target.glob("*.new")), [])

    def test_restore_killed(self):
        people = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", 12000, "--seed", 5, "--output", people)
        self.import_file(people)
        self.backup()
        data = self.folder / "restored"
        restore = subprocess.Popen([cli.KINDRED, "restore", str(self.target), "--data", str(data)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not any(data.glob("log/*.seg")) and restore.poll() is None:
            time.sleep(0.001)
        restore.kill()
        if restore.wait() == 0:
            self.skipTest("the restore was faster than the kill")
        done = self.run_kindred("export", "profiles", "--data", data, expect=FAILED)
        self.assertIn("once more", done.err)
        self.restore("restored")
        self.assertEqual(self.export(data=data), self.export())


class Mistakes(BackupTest):
    def test_they_are_named(self):
        self.import_file(self.write("a.ndjson", '{"cookie": "a"}\n'))
        self.run_kindred("backup", expect=USAGE)
        self.run_kindred("backup", self.target, expect=USAGE)
        self.run_kindred("restore", self.target, expect=USAGE)
        self.assertIn("elsewhere", self.backup(self.data, expect=USAGE).err)
        self.assertIn("elsewhere", self.backup(self.data / "backup", expect=USAGE).err)
        self.assertIn("not empty", self.backup(self.folder, expect=FAILED).err)
        self.assertIn("not a Kindred data folder", self.backup(data=self.folder / "no", expect=FAILED).err)
        self.assertFalse(self.target.exists())
        self.assertIn("not a backup", self.run_kindred("restore", self.folder, "--data", self.folder / "x", expect=FAILED).err)
        self.assertIn("not a backup", self.run_kindred("backup", self.target, "--check", expect=FAILED).err)
        self.backup()
        self.assertIn("not empty", self.run_kindred("restore", self.target, "--data", self.data, expect=FAILED).err)
        server = self.serve()
        done = self.restore("x", "--erasures", self.data, expect=LOCKED)[1]
        self.assertIn("in use", done.err)
        server.stop()
        self.assertIn("neither", self.restore("x", "--erasures", self.folder / "a.ndjson.no", expect=FAILED)[1].err)

    def test_damage_is_named(self):
        self.import_file(self.write("a.ndjson", "".join(f'{{"cookie": "a-{n}"}}\n' for n in range(5000))))
        self.backup()
        segment = next((self.target / "log").glob("*.seg"))
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 4
        segment.write_bytes(content)
        done = self.run_kindred("backup", self.target, "--check", expect=STORAGE)
        self.assertIn(segment.name, done.err)
        self.assertIn("at byte", done.err)
        done = self.restore("x", expect=STORAGE)[1]
        self.assertIn("at byte", done.err)
        # What lies before it can be had.
        entry = int(re.search(r"entry (\d+)", done.err).group(1))
        data, _ = self.restore("x", "--until", entry - 1)
        self.assertGreater(len(self.people(data)), 500)
        self.run_kindred("verify", "--data", data)

    def test_full_disk(self):
        """A file size limit is the full disk that every machine has."""
        self.import_file(self.write("a.ndjson", "".join(f'{{"cookie": "a-{n}"}}\n' for n in range(3000))))
        self.backup()
        self.import_file(self.write("b.ndjson", "".join(f'{{"cookie": "b-{n}"}}\n' for n in range(3000))))
        limited = subprocess.run(["sh", "-c", 'ulimit -f 600; trap "" XFSZ; exec "$@"', "sh", cli.KINDRED, "backup",
                                  str(self.target), "--data", str(self.data)], capture_output=True, check=False)
        self.assertEqual(limited.returncode, STORAGE, limited.stderr)
        self.assertIn(b"copying.tmp", limited.stderr)
        self.assertEqual(len(list((self.target / "log").iterdir())), 1)
        self.run_kindred("backup", self.target, "--check")
        data, _ = self.restore("x")
        self.assertEqual(len(self.people(data)), 3000)


if __name__ == "__main__":
    print("seed", SEED)
    unittest.main(verbosity=1)
