"""The same through a running server: import --url and export --url give what --data gives; a busy, killed or restarted server loses
and doubles nothing; keys are sent and their refusal is explained."""
import json
import signal
import subprocess
import threading
import time

import cli
from cli import CommandTest, FAILED, REJECTED


class Remote(CommandTest):
    def setUp(self):
        super().setUp()
        self.server = cli.Server(self.data)

    def tearDown(self):
        if self.server.process.poll() is None:
            self.server.stop()
        super().tearDown()

    def generate(self, people, form="ndjson"):
        path = self.folder / f"people.{form}"
        self.run_kindred("generate", "--people", people, "--seed", 21, "--format", form, "--output", path)
        return path

    def send(self, path, *more, expect=cli.OK):
        done = self.run_kindred("import", path, "--url", self.server.url, *more, expect=expect)
        done.counts = cli.summary(done.out)
        return done

    def receive(self, what="profiles"):
        self.server.wait_classified()
        return self.run_kindred("export", *what.split(), "--url", self.server.url).stdout

    def test_same_people_as_without_a_server(self):
        for form in ("ndjson", "csv"):
            path = self.generate("3k", form)
            local = self.folder / ("local-" + form)
            expected = self.import_file(path, data=local).counts
        counts = self.send(path).counts
        self.assertEqual(counts, expected)
        self.assertEqual([cli.who(json.loads(line)) for line in self.receive().splitlines()],
                         [cli.who(person) for person in self.people(local)])
        exports = {what: self.receive(what) for what in ("profiles", "raw", "cohort Sports")}
        self.assertEqual(self.server.stop(), 0)
        for what, export in exports.items():
            self.assertEqual(export, self.export(what), what)

    def test_rejects_and_mending(self):
        rows = "".join(f"p{i}@example.com,{i}\n" if i % 50 else f"wrong {i},{i}\n" for i in range(1, 5001))
        path = self.write("crm.csv", "email,n\n" + rows)
        done = self.send(path, expect=REJECTED)
        self.assertEqual((done.counts["accepted"], done.counts["quarantined"]), (4900, 100))
        rejects = self.folder / "crm.csv.rejects.csv"
        lines = rejects.read_text().splitlines()
        self.assertEqual((lines[0], len(lines)), ("email,n,_error,_field,_line", 101))
        self.assertTrue(lines[-1].endswith(",email,5001"), lines[-1])
        rejects.write_text("\n".join([lines[0]] + [f"q{i}@example.com,{i},,," for i in range(100)]))
        done = self.send(rejects)
        self.assertEqual((done.counts["accepted"], done.counts["people"]), (100, 5000))

    def test_every_rejected_row_is_in_the_file(self):
        path = self.write("bad.csv", "email,n\n" + "".join(f"wrong {i},{i}\n" for i in range(1500)))
        done = self.send(path, expect=REJECTED)
        self.assertEqual((done.counts["accepted"], done.counts["quarantined"]), (0, 1500))
        rejects = (self.folder / "bad.csv.rejects.csv").read_text().splitlines()
        self.assertEqual([row.split(",")[1] for row in rejects[1:]], [str(i) for i in range(1500)])

    def test_mapping_goes_along(self):
        mapping = self.write("map.json", json.dumps({"name": "tiny map", "fields": {"email": "Mail", "first_name": "Vorname"}}))
        self.send(self.write("de.csv", "Mail;Vorname\na@example.com;Änne\n"), "--map", mapping)
        self.assertEqual(json.loads(self.receive())["attributes"]["first_name"], "Änne")

    def test_a_mapping_says_the_delimiter(self):
        mapping = self.write("map.json", json.dumps({"name": "odd", "delimiter": ";", "fields": {
            "user_id": "id", "first_name": "Name, as written, in full"}}))
        rows = self.write("odd.csv", "id;Name, as written, in full\nu1;Ann, of Oslo\n")
        local = self.folder / "local"
        self.import_file(rows, "--map", mapping, data=local)
        self.send(rows, "--map", mapping)
        for person in (json.loads(self.receive()), self.people(local)[0]):
            self.assertEqual(person["attributes"], {"first_name": "Ann, of Oslo"})

    def test_client_killed_in_the_middle(self):
        path = self.generate("12k")
        local = self.folder / "local"
        self.import_file(path, data=local)
        complete = False
        for pause in (0.05, 0.06, 0.07):
            client = subprocess.Popen([cli.KINDRED, "import", str(path), "--url", self.server.url],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(pause)
            client.send_signal(signal.SIGKILL)
            complete = client.wait() == 0
            if complete:
                break
        if not complete:
            self.send(path)
        raw = [json.loads(line) for line in self.receive("raw").splitlines()]
        self.assertEqual(sum(e["kind"] == "record" for e in raw), len(path.read_bytes().splitlines()))
        self.assertEqual([cli.who(json.loads(line)) for line in self.receive().splitlines()],
                         [cli.who(person) for person in self.people(local)])

    def test_server_killed_and_restarted_meanwhile(self):
        path = self.generate("20k")
        result = {}

        def client():
            result["done"] = subprocess.run([cli.KINDRED, "import", str(path), "--url", self.server.url],
                                            capture_output=True, timeout=120)
        thread = threading.Thread(target=client)
        thread.start()
        time.sleep(0.15)
        self.server.kill()
        time.sleep(0.5)
        self.server.start()
        thread.join()
        self.assertEqual(result["done"].returncode, 0, result["done"].stderr)
        raw = [json.loads(line) for line in self.receive("raw").splitlines()]
        self.assertEqual(sum(e["kind"] == "record" for e in raw), len(path.read_bytes().splitlines()))

    def test_refusals_are_explained(self):
        done = self.run_kindred("export", "cohort", "sprots", "--url", self.server.url, expect=FAILED)
        self.assertIn("404", done.err)
        self.assertIn("ports", done.err)
        self.assertIn("404", self.run_kindred("export", "profiles", "--url", self.server.url + "/nowhere", expect=FAILED).err)


if __name__ == "__main__":
    cli.main()
