"""Tries to break: the same numbers give the same bytes, others give others, and what comes out is taken in whole."""
import json

import cli
from cli import CommandTest, USAGE


class Generate(CommandTest):
    def make(self, *words):
        return self.run_kindred("generate", *words).stdout

    def test_same_numbers_same_bytes(self):
        one = self.make("--people", 500, "--seed", 7)
        self.assertEqual(self.make("--people", "500", "--seed=7"), one)
        self.assertNotEqual(self.make("--people", 500, "--seed", 8), one)
        path = self.folder / "out.ndjson"
        self.run_kindred("generate", "--people", 500, "--seed", 7, "--output", path)
        self.assertEqual(path.read_bytes(), one)
        for line in one.splitlines():
            json.loads(line)

    def test_both_formats_are_taken_in_whole(self):
        people = {}
        for form in ("ndjson", "csv"):
            path = self.write("people." + form, self.make("--people", "2k", "--format", form))
            done = self.import_file(path, data=self.folder / form)
            self.assertEqual(done.counts["quarantined"], 0)
            people[form] = done.counts["people"]
        self.assertEqual(people["ndjson"], people["csv"])

    def test_mistakes(self):
        self.assertIn("--people", self.run_kindred("generate", expect=USAGE).err)
        self.assertIn("--people", self.run_kindred("generate", "--pepole", 3, expect=USAGE).err)
        self.run_kindred("generate", "--people", 0, expect=USAGE)
        self.run_kindred("generate", "--people", 5, "--format", "xml", expect=USAGE)


if __name__ == "__main__":
    cli.main()
