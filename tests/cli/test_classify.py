"""Tries to break: `kindred classify`: what it prints for people and for programs, phrases from words, lines and files, bad
models, and what it says another model would move."""
import json
import os
import subprocess
import unittest
import urllib.request

from cli import FAILED, KINDRED, LOCKED, SOURCE, USAGE, CommandTest, Server, main

HAS_MODEL = subprocess.run([KINDRED, "classify", "tom brady"], capture_output=True, check=False).returncode == 0


@unittest.skipUnless(HAS_MODEL, "this binary has no model")
class Classify(CommandTest):
    def test_words(self):
        out = self.run_kindred("classify", "tom brady", "Nike shoes").out
        self.assertRegex(out, r"(?m)^tom brady\n  topics    Sports \d\.\d\d")
        self.assertRegex(out, r"(?m)^Nike shoes\n  topics    Fashion \d\.\d\d")
        self.assertIn("nearest", out)
        lines = self.run_kindred("classify", "--json", "tom brady", "qqzzy").out.splitlines()
        first, second = map(json.loads, lines)
        self.assertEqual((first["phrase"], first["topics"][0]["topic"]), ("tom brady", "Sports"))
        self.assertEqual(len(first["scores"]), 19)
        self.assertEqual(set(first), {"phrase", "topics", "interest", "read_as", "corrected", "known", "scores", "nearest"})
        self.assertEqual(second["phrase"], "qqzzy")

    def test_lines(self):
        phrases = ["tom brady", "latte art"] + [f"phrase {i}" for i in range(40)]
        text = "\n".join(phrases[:3]) + "\n\n   \n" + "\r\n".join(phrases[3:])
        piped = self.run_kindred("classify", input=text.encode()).out.splitlines()
        self.assertEqual([line.split("\t")[0] for line in piped], phrases)
        self.assertRegex(piped[0], r"^tom brady\tSports \d\.\d\d")
        path = self.write("phrases.txt", text)
        self.assertEqual(self.run_kindred("classify", "--file", path).out.splitlines(), piped)
        as_json = [json.loads(line) for line in self.run_kindred("classify", "--json", "--file", path).out.splitlines()]
        self.assertEqual([one["phrase"] for one in as_json], phrases)
        self.assertEqual(self.run_kindred("classify", input=b"").out, "")

    def test_usage(self):
        self.run_kindred("classify", "--file", "x", "y", expect=USAGE)
        self.run_kindred("classify", "--data", "x", expect=USAGE)
        self.run_kindred("classify", "--compare", "x", expect=USAGE)
        self.run_kindred("classify", "--compare", "x", "--data", "y", "z", expect=USAGE)
        self.run_kindred("classify", "--file", self.folder / "absent", expect=FAILED)
        self.run_kindred("classify", "--model", "none", "a", expect=FAILED)
        self.run_kindred("classify", "--model", self.write("bad", b"x" * 1000), "a", expect=FAILED)
        self.run_kindred("classify", "--model", self.folder, "a", expect=FAILED)
        self.assertIn("--compare", self.run_kindred("classify", "--help").out)

    def test_compare(self):
        model = SOURCE / "classifier/model/kindred.kcm"
        if not model.exists():
            self.skipTest("the model's file is not in the tree")
        people = "".join(json.dumps({"cookie": f"c-{i}", "interests": ["tom brady", f"latte art {i}"]}) + "\n" for i in range(50))
        path = self.write("people.ndjson", people)
        self.import_file(path, "--model", "none")
        before = self.export()
        done = self.run_kindred("classify", "--compare", model, "--data", self.data)
        self.assertIn("51 interests", done.out)
        self.assertIn("51 of them were not classified", done.out)
        self.run_kindred("classify", "--compare", self.write("bad", b"x"), "--data", self.data, expect=FAILED)
        self.run_kindred("classify", "--compare", "none", "--data", self.data, expect=FAILED)
        self.run_kindred("classify", "--compare", model, "--data", self.folder / "absent", expect=FAILED)
        # Now with verdicts: the same model moves nobody.
        self.import_file(self.write("more.ndjson", '{"cookie":"more"}\n'))
        self.assertIn("Nobody would move", self.run_kindred("classify", "--compare", model, "--data", self.data).out)
        compared = json.loads(self.run_kindred("classify", "--compare", model, "--data", self.data, "--json").out)
        self.assertEqual((compared["phrases"], compared["phrases_unclassified"]), (51, 0))
        for cohort in compared["cohorts"]:
            self.assertEqual((cohort["entering"], cohort["leaving"], cohort["enter_by"]), (0, 0, []), cohort)
        self.assertEqual(len(before.splitlines()), 50)
        server = Server(self.data)
        self.run_kindred("classify", "--compare", model, "--data", self.data, expect=LOCKED)
        self.assertEqual(server.stop(), 0)

    def test_import_classifies(self):
        path = self.write("people.csv", "cookie,interests\na,tom brady\nb,latte art\n")
        self.import_file(path)
        self.run_kindred("verify", "--data", self.data)
        server = Server(self.data)
        try:
            with urllib.request.urlopen(server.url + "/metrics", timeout=5) as answer:
                text = answer.read().decode()
        finally:
            self.assertEqual(server.stop(), 0)
        self.assertIn("\nkindred_phrases_pending 0\n", text)
        self.assertIn('kindred_phrases_classified_total{path="backlog"} 0\n', text)


if __name__ == "__main__":
    assert os.path.exists(KINDRED)
    main()
