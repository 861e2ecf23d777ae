"""Tries to break: the same people come out of every format and wrapping; nothing rejected is lost; mended rows go in;
what the user typed wrongly is explained."""
import gzip
import json
import subprocess
import time

import cli
from cli import CommandTest, FAILED, LOCKED, REJECTED, USAGE

PEOPLE = [
    {"email": "ann@example.com", "first_name": "Ann", "location": {"city": "Oslo"}, "interests": ["chess", "rock climbing"]},
    {"email": "bob@example.com", "first_name": "Bob, \"the\" builder", "location": {"city": "São Paulo"}, "interests": []},
    {"cookie": "c-3", "first_name": "Zoë\nAnn", "interests": ["Chess"]},
]


def as_csv(delimiter=",", line_end="\n"):
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in delimiter + '"\n;|') else text
    rows = [["email", "cookie", "first_name", "location.city", "interests"]]
    for person in PEOPLE:
        rows.append([person.get("email", ""), person.get("cookie", ""), person["first_name"],
                     person.get("location", {}).get("city", ""), ";".join(person["interests"])])
    return line_end.join(delimiter.join(map(cell, row)) for row in rows) + line_end


def bodies():
    ndjson = "".join(json.dumps(p) + "\n" for p in PEOPLE)
    yield "people.ndjson", ndjson
    yield "utf8.ndjson", "\ufeff" + "".join(json.dumps(p, ensure_ascii=False) + "\r\n" for p in PEOPLE)
    yield "people.json", json.dumps(PEOPLE, indent=2)
    yield "data.json", json.dumps({"data": PEOPLE})
    yield "people.csv", as_csv()
    yield "windows.csv", "\ufeff" + as_csv(line_end="\r\n")
    yield "semicolon.csv", as_csv(";")
    yield "people.tsv", as_csv("\t")
    yield "no-name", as_csv("|")


class Formats(CommandTest):
    def test_every_format_gives_the_same_people(self):
        expected = None
        for name, body in bodies():
            for wrap, wrapped in (("", bytes), (".gz", cli.gzipped), (".zst", cli.zstd_stored)):
                with self.subTest(name=name + wrap):
                    path = self.write(name + wrap, wrapped(body.encode()))
                    data = self.folder / ("data-" + name + wrap)
                    done = self.import_file(path, data=data)
                    self.assertEqual((done.counts["accepted"], done.counts["quarantined"], done.counts["people"]), (3, 0, 3))
                    people = [cli.who(p) for p in self.people(data)]
                    expected = expected or people
                    self.assertEqual(people, expected)
        self.assertIn(("email", "ann@example.com"), expected[0][0])

    def test_standard_input(self):
        for body in (as_csv().encode(), gzip.compress(as_csv().encode())):
            data = self.folder / str(len(body))
            done = self.import_file("-", "--source", "pipe", data=data, input=body)
            self.assertEqual(done.counts["people"], 3)
            raw = [json.loads(line) for line in self.export("raw", data).splitlines()]
            self.assertEqual([e["source"] for e in raw if e["kind"] == "record"], ["pipe"] * 3)

    def test_several_files_and_default_source(self):
        one = self.write("one.ndjson", json.dumps(PEOPLE[0]))
        two = self.write("two.ndjson", json.dumps(PEOPLE[1]))
        self.run_kindred("import", one, two, "--data", self.data)
        raw = [json.loads(line) for line in self.export("raw").splitlines()]
        self.assertEqual([e["source"] for e in raw if e["kind"] == "record"], ["one.ndjson", "two.ndjson"])

    def test_durability_modes(self):
        for mode in ("fsync", "interval", "os"):
            path = self.write("people.csv", as_csv())
            self.import_file(path, "--durability", mode, data=self.folder / mode)
            self.assertEqual(len(self.people(self.folder / mode)), 3)

    def test_many_batches_keep_their_headers(self):
        rows = "".join(f"u{i},\"line\nbreak {i}\"\n" for i in range(5000))
        path = self.write("many.csv", "user_id,note\n" + rows)
        self.assertEqual(self.import_file(path).counts["people"], 5000)
        self.assertEqual(self.people()[4321]["attributes"]["note"].split(), ["line", "break", "4321"])


class Rejects(CommandTest):
    def test_csv_rejects_are_mended_and_imported_again(self):
        path = self.write("crm.csv", "email;city;note\n"
                          "a@example.com;Oslo;ok\n"
                          "not an address;Rome;\"quoted; \"\"text\"\"\nand a line\"\n"
                          ";Bonn;nobody\n"
                          "d@example.com;Bern;ok\n")
        done = self.import_file(path, expect=REJECTED)
        self.assertEqual((done.counts["accepted"], done.counts["quarantined"]), (2, 2))
        rejects = self.folder / "crm.csv.rejects.csv"
        self.assertIn(str(rejects), done.out)
        lines = rejects.read_text().splitlines()
        self.assertEqual(lines[0], "email;city;note;_error;_field;_line")
        self.assertTrue(lines[-1].startswith(";Bonn;nobody;"))
        self.assertTrue(lines[-1].endswith(";5") or lines[-1].endswith(";6"), lines[-1])
        mended = rejects.read_text().replace("not an address", "b@example.com").replace("\n;Bonn", "\nc@example.com;Bonn")
        rejects.write_text(mended)
        done = self.import_file(rejects)
        self.assertEqual((done.counts["accepted"], done.counts["people"]), (2, 4))
        people = {p["email"]: p["attributes"] for p in self.people()}
        self.assertEqual(people["c@example.com"], {"location.city": "Bonn", "note": "nobody"})
        self.assertNotIn("_error", json.dumps(list(people.values())))
        raw = [json.loads(line) for line in self.export("raw").splitlines()]
        self.assertEqual({e["source"] for e in raw if e["kind"] == "record"}, {"crm.csv"})
        self.assertIn("c@example.com;Bonn;nobody", [e.get("raw") for e in raw])

    def test_json_rejects_are_mended_and_imported_again(self):
        path = self.write("app.json", '[{"email": "a@example.com"},\n {"city":\n  "Rome", "record": {"email": "inner"}},'
                          ' {"email": "c@example.com", "email": "d@example.com"}]')
        done = self.import_file(path, expect=REJECTED)
        self.assertEqual((done.counts["accepted"], done.counts["quarantined"]), (1, 2))
        rejects = self.folder / "app.json.rejects.ndjson"
        lines = [json.loads(line) for line in rejects.read_text().splitlines()]
        self.assertEqual(lines[0]["record"], {"city": "Rome", "record": {"email": "inner"}})
        self.assertIn("raw", lines[1])
        lines[0]["record"]["email"] = "b@example.com"
        lines[1]["raw"] = '{"email": "c@example.com"}'
        rejects.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = self.import_file(rejects, "--rejects", self.folder / "again.ndjson")
        self.assertEqual((done.counts["accepted"], done.counts["people"]), (2, 3))
        self.assertFalse((self.folder / "again.ndjson").exists())
        self.assertEqual({p["email"] for p in self.people()}, {f"{c}@example.com" for c in "abc"})

    def test_unmended_rejects_are_rejected_the_same_way(self):
        path = self.write("x.csv", "email,n\nwrong,1\n,2\n\"open,3\nx@example.com,4\n")
        self.import_file(path, expect=REJECTED)
        first = self.folder / "x.csv.rejects.csv"
        self.import_file(first, "--rejects", self.folder / "second.csv", expect=REJECTED)
        a, b = first.read_text().splitlines(), (self.folder / "second.csv").read_text().splitlines()
        self.assertEqual(a[0], b[0])
        self.assertEqual([line.split(",")[0:2] for line in a[1:3]], [line.split(",")[0:2] for line in b[1:3]])

    def test_original_bytes_are_in_quarantine(self):
        path = self.write("x.ndjson", b'{"email": "a@example.com"}\nnot json \xff\n{"city": "Rome"}\n')
        self.import_file(path, expect=REJECTED)
        raw = [json.loads(line) for line in self.export("raw").splitlines()]
        kept = [e for e in raw if e["kind"] == "quarantine"]
        self.assertEqual(len(kept), 2)
        self.assertEqual(kept[1]["raw"], '{"city": "Rome"}')
        self.assertEqual(kept[0]["raw_base64"], "bm90IGpzb24g/w==")
        self.assertEqual(kept[1]["code"], "identifier_missing")


class Trouble(CommandTest):
    def test_damaged_gzip_takes_what_was_before_it(self):
        rows = "user_id,city\n" + "".join(f"u{i * 2654435761 % 2**32},c{i * 40503 % 65536}\n" for i in range(20000))
        whole = gzip.compress(rows.encode())
        path = self.write("cut.csv.gz", whole[:len(whole) // 2])
        done = self.import_file(path, expect=FAILED)
        self.assertGreater(done.counts["accepted"], 1000)
        self.assertEqual(done.counts["quarantined"], 0)
        self.assertNotEqual(done.err, "")

    def test_usage_errors_explain(self):
        path = self.write("a.csv", as_csv())
        self.assertIn("--source", self.run_kindred("import", path, "--sorce", "x", expect=USAGE).err)
        self.assertIn("--data DIR or --url", self.run_kindred("import", path, expect=USAGE).err)
        self.assertIn("--data DIR or --url",
                      self.run_kindred("import", path, "--data", "d", "--url", "u", expect=USAGE).err)
        self.assertIn("standard input", self.run_kindred("import", "--data", self.data, expect=USAGE).err)
        self.assertIn("fsync", self.import_file(path, "--durability", "maybe", expect=USAGE).err)
        self.assertIn("such file", self.import_file(self.folder / "absent.csv", expect=FAILED).err.lower())
        bad = self.write("map.json", '{"name": "m", "fields": {"email": {"form": "x"}}}')
        self.assertIn("map.json", self.import_file(path, "--map", bad, expect=USAGE).err)
        self.assertFalse(self.data.exists() and any(self.data.glob("*.state")))

    def test_help_teaches(self):
        for command in ("import", "export", "verify", "generate"):
            help_text = self.run_kindred("help", command).out
            self.assertIn("Example", help_text)
            self.assertIn("Exit codes", help_text)
            self.assertEqual(self.run_kindred(command, "--help").out, help_text)
            for line in help_text.splitlines():
                self.assertLessEqual(len(line), 120)

    def test_folder_in_use_is_refused(self):
        holder = subprocess.Popen([cli.KINDRED, "import", "-", "--data", str(self.data)], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if (self.data / "log").exists():
                    break
                time.sleep(0.05)
            path = self.write("a.csv", as_csv())
            for words in (("import", path), ("export", "profiles"), ("verify",)):
                done = self.run_kindred(*words, "--data", self.data, expect=LOCKED)
                self.assertIn("in use", done.err)
        finally:
            holder.communicate(as_csv().encode())
        self.assertEqual(holder.returncode, 0)
        self.assertEqual(len(self.people()), 3)

    def test_terminal_and_plain_progress(self):
        # Without a terminal there are no control characters, whatever the size.
        done = self.import_file(self.write("a.csv", as_csv()))
        self.assertNotIn("\r", done.err)
        self.assertNotIn("\033", done.err)


if __name__ == "__main__":
    cli.main()
