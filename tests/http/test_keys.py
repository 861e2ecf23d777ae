"""Tries to break: who may call what. The matrix is made from the route table: every route × {no key, bad, expired, revoked,
each role}; a route with an unknown scope fails."""
import json
import os
import re
import shutil
import signal
import stat
import tempfile
import time
import unittest

from support import Server, folder_contains, kindred

ALLOWED = {"public": {"read", "ingest", "admin"}, "any": {"read", "ingest", "admin"}, "read": {"read", "admin"},
           "ingest": {"ingest", "admin"}, "admin": {"admin"}}


def make_key(data, role, *more):
    done = kindred("key", "create", "--role", role, "--data", data, *more)
    assert done.returncode == 0, done
    key = done.stdout.strip()
    assert re.fullmatch(r"kd_%s_[A-Za-z0-9_-]{43}" % role, key), key
    return key


def bearer(key):
    return {"Authorization": "Bearer " + key} if key else {}


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kindred-test-")
        self.data = os.path.join(self.folder, "data")

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_matrix(self):
        routes = json.loads(kindred("routes").stdout)
        self.assertGreater(len(routes), 25)
        keys = {role: make_key(self.data, role, "--name", f"for {role}") for role in ("read", "ingest", "admin")}
        revoked = make_key(self.data, "admin")
        listing = kindred("key", "list", "--data", self.data).stdout
        revoked_id = listing.splitlines()[-1].split()[0]
        self.assertEqual(kindred("key", "revoke", revoked_id, "--data", self.data).returncode, 0)
        self.assertEqual(kindred("key", "revoke", revoked_id, "--data", self.data).returncode, 1)
        expired = make_key(self.data, "admin", "--expires-days", "1")
        path = os.path.join(self.data, "keys.json")
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        stored["keys"][-1]["expires_at_us"] = 1
        with open(path, "w", encoding="utf-8") as file:
            json.dump(stored, file)
        with Server(data=self.data) as s:
            for route in routes:
                path = re.sub(r"\{\w+\}", "1", route["path"])
                for name, key in [("none", None), ("bad", "kd_admin_" + "A" * 43), ("empty", ""), ("revoked", revoked),
                                  ("expired", expired), ("cut", keys["admin"][:-1]), *keys.items()]:
                    answer = s.call(route["method"], path, headers=bearer(key))
                    with self.subTest(method=route["method"], path=path, key=name, answer=answer):
                        if route["scope"] == "public":
                            self.assertNotIn(answer.status, (401, 403))
                        elif name not in keys:
                            self.assertEqual(answer.status, 401)
                            self.assertIn("bearer", answer.headers["www-authenticate"].lower())
                        elif name in ALLOWED[route["scope"]]:
                            self.assertNotIn(answer.status, (401, 403))
                        else:
                            self.assertEqual(answer.status, 403)
            # Other ways to write it, other ways around it.
            for headers, status in (({"Authorization": "bearer " + keys["read"]}, 200),
                                    ({"Authorization": "Basic " + keys["read"]}, 401),
                                    ({"Authorization": keys["read"]}, 401),
                                    ({"X-Api-Key": keys["read"]}, 401)):
                self.assertEqual(s.call("GET", "/api/cohorts", headers=headers).status, status, headers)
            for path in ("/livez/../api/cohorts", "//api/cohorts", "/api/cohorts/", "/API/cohorts", "/api/%63ohorts",
                         "/api/cohorts;x", "/livez/api/cohorts"):
                self.assertIn(s.get(path).status, (401, 404), path)
            # A keyed server may be called by any name.
            self.assertEqual(s.call("GET", "/livez", headers={"Host": "cdp.example.com"}).status, 200)
        self.assertEqual(folder_contains(self.data, *keys.values()), [])

    def test_one_connection_many_keys(self):
        read, ingest = make_key(self.data, "read"), make_key(self.data, "ingest")
        with Server(data=self.data) as s:
            lookup = b"GET /api/user?cookie=x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"
            last = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            from support import answers
            got = answers(s.raw(lookup % read.encode() + lookup % ingest.encode() + lookup % b"kd_read_x" +
                                lookup % read.encode() + last))
            self.assertEqual([one[0] for one in got], [404, 403, 401, 404, 200])

    def test_file(self):
        make_key(self.data, "read")
        mode = os.stat(os.path.join(self.data, "keys.json")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(kindred("key", "create", "--role", "god", "--data", self.data).returncode, 2)
        self.assertEqual(kindred("key", "list", "--data", self.data + "-none").returncode, 0)

    def test_changes_are_noticed(self):
        admin = make_key(self.data, "admin")
        with Server(data=self.data) as s:
            late = make_key(self.data, "read")
            end = time.monotonic() + 5
            while s.call("GET", "/api/cohorts", headers=bearer(late)).status != 200 and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(s.call("GET", "/api/cohorts", headers=bearer(late)).status, 200)
            ids = [line.split()[0] for line in kindred("key", "list", "--data", self.data).stdout.splitlines()[1:]]
            for key_id in ids:
                kindred("key", "revoke", key_id, "--data", self.data)
            s.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 5
            while s.call("GET", "/api/cohorts", headers=bearer(admin)).status == 200 and time.monotonic() < end:
                time.sleep(0.05)
            # The last key is gone, and still nobody gets in.
            for key in (admin, late, None):
                self.assertEqual(s.call("GET", "/api/cohorts", headers=bearer(key)).status, 401)

    def test_a_damaged_file_leaves_the_old_keys(self):
        admin = make_key(self.data, "admin")
        with Server(data=self.data) as s:
            with open(os.path.join(self.data, "keys.json"), "w", encoding="utf-8") as file:
                file.write("{")
            time.sleep(1.5)
            self.assertEqual(s.call("GET", "/api/cohorts", headers=bearer(admin)).status, 200)
            self.assertEqual(s.call("GET", "/api/cohorts").status, 401)
        done = kindred("serve", "--data", self.data, "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("keys.json", done.stderr)

    def test_no_keys_no_other_address(self):
        for listen in ("0.0.0.0:0", "[::]:0", ":0"):
            done = kindred("serve", "--data", self.data, "--listen", listen)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("kindred key create", done.stderr)
        make_key(self.data, "admin")
        with Server(data=self.data, listen="0.0.0.0:0") as s:
            self.assertEqual(s.get("/livez").status, 200)
            self.assertEqual(s.get("/api/cohorts").status, 401)


if __name__ == "__main__":
    unittest.main()
