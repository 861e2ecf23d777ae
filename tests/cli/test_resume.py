"""Tries to break: an import that is killed, again and again, ends with the same people, entry for entry, as one that was not;
nothing is taken twice; a file that was changed meanwhile is noticed."""
import json
import os
import random
import signal
import subprocess
import time

import cli
from cli import CommandTest, FAILED, REJECTED

SEED = int(os.environ.get("KINDRED_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


class Resume(CommandTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.file = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", "12k", "--seed", 5, "--output", self.file)
        lines = self.file.read_bytes().splitlines(keepends=True)
        for at in range(100, len(lines), 997):
            lines.insert(at, b'{"city": "nobody lives here"}\n')
        self.file.write_bytes(b"".join(lines))
        self.records = len(lines)

    def kill_after(self, seconds, words, number=signal.SIGKILL):
        process = subprocess.Popen([cli.KINDRED, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            process.communicate()
        return process.returncode

    def signal_when_some_is_taken(self, words, number):
        process = subprocess.Popen([cli.KINDRED, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None and sum(p.stat().st_size for p in self.data.glob("log/*.seg")) < 1000000:
            time.sleep(0.002)
        process.send_signal(number)
        process.communicate()
        return process.returncode

    def kill_some_runs(self, words, number=signal.SIGKILL):
        """At random moments, until one was quicker."""
        for _ in range(6):
            code = self.kill_after(0.05 + 0.12 * self.random.random(), words, number)
            if code in (0, REJECTED):
                break

    def test_killed_imports_end_like_one_that_was_not(self):
        for mode in ("fsync", "os"):
            with self.subTest(mode=mode, seed=SEED):
                quiet, rough = self.folder / f"quiet-{mode}", self.folder / f"rough-{mode}"
                self.import_file(self.file, data=quiet, expect=REJECTED)
                rejects = (self.folder / "people.ndjson.rejects.ndjson").read_bytes()
                words = ["import", self.file, "--data", rough, "--durability", mode]
                self.kill_some_runs(words)
                done = self.run_kindred(*words, expect=REJECTED)
                self.assertEqual(cli.without_times(self.export(data=rough)), cli.without_times(self.export(data=quiet)))
                self.assertEqual((self.folder / "people.ndjson.rejects.ndjson").read_bytes(), rejects)
                self.assertEqual(cli.summary(done.out)["accepted"] + cli.summary(done.out)["quarantined"], self.records)
                entries = [json.loads(line) for line in self.export("raw", rough).splitlines()]
                self.assertEqual(sum(e["kind"] in ("record", "quarantine") for e in entries), self.records)
                self.assertEqual(list(rough.glob("*.state*")), [])
                self.run_kindred("verify", "--data", rough)

    def test_interrupted_by_ctrl_c(self):
        words = ["import", self.file, "--data", self.data]
        code = self.signal_when_some_is_taken(words, signal.SIGINT)
        self.assertIn(code, (130, REJECTED))
        if code == REJECTED:
            self.skipTest("the machine is too fast: the import was complete before the signal")
        self.assertEqual(len(list(self.data.glob("*.state"))), 1)
        done = self.run_kindred(*words, expect=REJECTED)
        self.assertEqual(self.export("raw").count(b'"kind":"record"'), self.records - len(
            (self.folder / "people.ndjson.rejects.ndjson").read_bytes().splitlines()))
        self.assertEqual(list(self.data.glob("*.state")), [])
        self.assertGreater(cli.summary(done.out).get("repeated", 0), 0)

    def test_a_changed_file_is_noticed(self):
        words = ["import", self.file, "--data", self.data]
        if self.signal_when_some_is_taken(words, signal.SIGKILL) in (0, REJECTED):
            self.skipTest("the machine is too fast: the import was complete before it could be killed")
        content = bytearray(self.file.read_bytes())
        at = content.index(b"example.com", 100000)
        content[at] = ord("E")
        middle = len(content) // 2
        content[content.index(b'"channel"', middle) + 1] = ord("C")
        state = list(self.data.glob("*.state"))
        self.assertEqual(len(state), 1)
        self.file.write_bytes(content)
        # Found only when the changed part had been taken; then the import stops instead of mixing two files.
        process = subprocess.run([cli.KINDRED, *map(str, words)], capture_output=True)
        self.assertIn(process.returncode, (FAILED, REJECTED))
        if process.returncode == FAILED:
            self.assertIn(b"changed", process.stderr)
            self.assertIn(str(state[0]).encode(), process.stderr)

    def test_a_complete_import_can_be_done_again(self):
        small = self.write("small.ndjson", "".join(f'{{"email": "p{i}@example.com"}}\n' for i in range(10)))
        self.import_file(small)
        done = self.import_file(small)
        self.assertEqual((done.counts["accepted"], done.counts["people"]), (10, 10))
        self.assertNotIn("repeated", done.counts)


if __name__ == "__main__":
    print("seed", SEED, flush=True)
    cli.main()
