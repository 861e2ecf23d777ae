"""Tries to break: what clients are told when the disk fails, is full, or stalls. fail_disk.c is preloaded into the server."""
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from support import Server

HERE = os.path.dirname(os.path.abspath(__file__))


@unittest.skipIf("ASAN_OPTIONS" in os.environ, "the sanitizers' runtime must be loaded first")
class Storage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kindred-test-")
        cls.library = os.path.join(cls.folder, "fail_disk.so")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", cls.library, os.path.join(HERE, "fail_disk.c"), "-ldl"],
                       check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.order = os.path.join(self.folder, "order")
        self.say("")
        os.environ["KINDRED_FAIL"] = self.order
        os.environ["LD_PRELOAD"] = self.library
        self.server = Server()
        del os.environ["LD_PRELOAD"]

    def tearDown(self):
        if self.server.process.poll() is None:
            self.server.process.kill()
        self.server.process.wait()
        shutil.rmtree(self.server.folder, ignore_errors=True)

    def say(self, word):
        with open(self.order, "w", encoding="ascii") as file:
            file.write(word)

    def test_a_failed_sync_ends_the_server(self):
        s = self.server
        s.ingest({"cookie": "before"})
        self.say("sync")
        answer = s.post("/api/ingest", {"cookie": "during"})
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertNotIn(s.data, answer.body.decode())
        self.assertEqual(s.process.wait(20), 3)
        for reader in s.readers:
            reader.join(5)
        self.assertIn("dmesg", "".join(s.errors))
        self.say("")
        s.start()
        self.assertEqual(s.get("/api/user?cookie=before").status, 200)

    def test_a_full_disk_stops_writing_only(self):
        s = self.server
        s.ingest({"cookie": "before"})
        self.say("space")
        for call in (lambda: s.post("/api/ingest", {"cookie": "during"}),
                     lambda: s.call("PATCH", "/api/user?cookie=before", {"first_name": "x"}),
                     lambda: s.call("PUT", "/api/cohorts/x", {"phrases": ["y"]}),
                     lambda: s.call("DELETE", "/api/user?cookie=before")):
            answer = call()
            self.assertEqual((answer.status, answer.json["code"]), (507, "no_space"), answer)
            self.assertIn("retry-after", answer.headers)
            self.assertNotIn(s.data, answer.body.decode())
        self.assertEqual(s.get("/api/user?cookie=before").status, 200)
        self.assertEqual(s.get("/api/user?cookie=during").status, 404)
        self.assertEqual(s.get("/readyz").status, 200)
        self.say("")
        s.ingest({"cookie": "after"})
        self.assertEqual(s.get("/api/user?cookie=after").status, 200)
        self.assertEqual(s.stop(), 0, s.errors)

    def test_reads_do_not_wait_for_a_slow_disk(self):
        s = self.server
        s.ingest({"cookie": "before"})
        self.say("slow")
        writers = [threading.Thread(target=s.post, args=("/api/ingest", {"cookie": f"slow-{i}"})) for i in range(8)]
        for writer in writers:
            writer.start()
        slowest, end = 0.0, time.monotonic() + 0.8
        while time.monotonic() < end:
            begin = time.monotonic()
            self.assertEqual(s.get("/api/user?cookie=before").status, 200)
            slowest = max(slowest, time.monotonic() - begin)
        for writer in writers:
            writer.join()
        self.assertLess(slowest, 0.3)
        self.say("")
        for i in range(8):
            self.assertEqual(s.get(f"/api/user?cookie=slow-{i}").status, 200)


if __name__ == "__main__":
    unittest.main()
