"""Tries to break: an export shows nothing that depends on how the state was built: deleting the LMDB files and folding the log
again changes no byte. CSV holds what NDJSON holds. An output file is complete or absent."""
import csv
import io
import json
import subprocess

import cli
from cli import CommandTest, FAILED, USAGE


class Export(CommandTest):
    def fill(self, people="3k"):
        path = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", people, "--seed", 11, "--output", path)
        self.import_file(path)

    def forget_checkpoint(self):
        removed = list(self.data.rglob("*.mdb"))
        self.assertTrue(removed)
        for path in removed:
            path.unlink()

    def test_same_bytes_after_deleting_lmdb(self):
        self.fill()
        # A second import on top of a loaded checkpoint: ids were given in another order than in one fold.
        extra = self.folder / "extra.csv"
        self.run_kindred("generate", "--people", 500, "--seed", 12, "--format", "csv", "--output", extra)
        self.import_file(extra)
        kinds = ["profiles", "raw", "cohort Sports", "cohort technology"]
        before = {kind: self.export(kind) for kind in kinds}
        before["csv"] = self.export("profiles", None, "--format", "csv")
        self.forget_checkpoint()
        for kind in kinds:
            self.assertEqual(self.export(kind), before[kind], kind)
        self.assertEqual(self.export("profiles", None, "--format", "csv"), before["csv"])
        self.run_kindred("verify", "--data", self.data)
        self.assertGreater(before["cohort Sports"].count(b"\n"), 100)
        self.assertEqual(self.export("cohort sports"), before["cohort Sports"])

    def test_raw_gives_back_every_original_byte(self):
        body = '{"email": "a@example.com", "n": 1.50,   "z": "\\u00e9"}'
        rows = "email,note\nb@example.com,\"x, y\"\nc@example.com,\"two\nlines\"\n"
        self.import_file(self.write("a.ndjson", body + "\n"), "--source", "app")
        self.import_file(self.write("b.csv", rows))
        entries = [json.loads(line) for line in self.export("raw").splitlines()]
        self.assertEqual([e["sequence"] for e in entries], list(range(1, len(entries) + 1)))
        records = [e for e in entries if e["kind"] == "record"]
        self.assertEqual([e["raw"] for e in records], [body, 'b@example.com,"x, y"', 'c@example.com,"two\nlines"'])
        self.assertEqual(records[0]["source"], "app")
        header = entries[records[2]["header"] - 1]
        self.assertEqual((header["kind"], header["raw"]), ("csv_header", ",email,note"))
        times = [e["received_at"] for e in entries]
        self.assertEqual(times, sorted(times))

    def test_csv_holds_what_ndjson_holds(self):
        self.fill("300")
        self.import_file(self.write("q.ndjson", json.dumps({"email": "q@example.com", "note": 'a "b", c; d',
                                                            "tags": ["x", "y"]})))
        people = self.people()
        rows = list(csv.DictReader(io.StringIO(self.export("profiles", None, "--format", "csv").decode(), newline="")))
        self.assertEqual(len(rows), len(people))
        for person, row in zip(people, rows):
            self.assertEqual(row["id"], person["id"])
            self.assertEqual(row["email"], person["email"] or "")
            self.assertEqual(row["interests"], ";".join(person["interests"]))
            self.assertEqual(row["cohorts"], ";".join(person["cohorts"]))
            emails = [i["value"] for i in person["identifiers"] if i["type"] == "email"]
            self.assertEqual(row.get("identifiers.email", ""), ";".join(emails))
            for name, value in person["attributes"].items():
                if isinstance(value, str):
                    self.assertEqual(row["attributes." + name], value)
        last = rows[-1] if rows[-1]["email"] == "q@example.com" else rows[[r["email"] for r in rows].index("q@example.com")]
        self.assertEqual((last["attributes.note"], last["attributes.tags"]), ('a "b", c; d', "x;y"))

    def test_output_file_is_complete_or_absent(self):
        self.fill("100")
        out = self.folder / "out.ndjson"
        self.run_kindred("export", "profiles", "--data", self.data, "--output", out)
        self.assertEqual(out.read_bytes(), self.export())
        missing = self.folder / "no" / "where.ndjson"
        self.run_kindred("export", "profiles", "--data", self.data, "--output", missing, expect=FAILED)
        other = self.folder / "other"
        self.run_kindred("export", "cohort", "nosuch", "--data", self.data, "--output", other, expect=FAILED)
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("other")], [])

    def test_reader_that_goes_away(self):
        self.fill()
        export = subprocess.Popen([cli.KINDRED, "export", "profiles", "--data", str(self.data)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        export.stdout.readline()
        export.stdout.close()
        self.assertEqual((export.wait(timeout=60), export.stderr.read()), (0, b""))
        export.stderr.close()

    def test_mistakes_are_explained(self):
        self.fill("100")
        self.assertIn("Sports", self.run_kindred("export", "cohort", "sprots", "--data", self.data, expect=FAILED).err)
        self.assertIn("profiles", self.run_kindred("export", "profile", "--data", self.data, expect=USAGE).err)
        self.assertIn("name the cohort", self.run_kindred("export", "cohort", "--data", self.data, expect=USAGE).err)
        self.assertIn("ndjson or csv",
                      self.run_kindred("export", "raw", "--data", self.data, "--format", "xml", expect=USAGE).err)
        absent = self.folder / "absent"
        self.run_kindred("export", "profiles", "--data", absent, expect=FAILED)
        self.assertFalse(absent.exists())


if __name__ == "__main__":
    cli.main()
