"""Tries to break: the calls a user makes, in their exact form, and what they promise (read your writes, order, ETag)."""
import gzip
import json
import time
import unittest

from support import Server, folder_contains

ANN = {"cookie": "dk5h2p9s7f3j8m1n4v0x", "email": "Ann.Example@example.com", "phone": "+1 212 555 0123",
       "location": {"city": "New York", "state": "NY", "country": "USA"},
       "demographics": {"age": 34, "gender": "female"}, "interests": ["tennis", "gardening"]}


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_the_three_calls(self):
        s = self.server
        answer = s.post("/api/ingest", {"data": [ANN]}, {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["status"], "success")
        self.assertEqual(answer.json["records_processed"], 1)
        by_cookie = s.get("/api/user?cookie=dk5h2p9s7f3j8m1n4v0x")
        by_email = s.get("/api/user?email=ann.example@example.com")
        self.assertEqual(by_cookie.status, 200)
        self.assertEqual(by_cookie.body, by_email.body)
        user = by_cookie.json["user_profile"]
        self.assertEqual(user["cookie"], ANN["cookie"])
        self.assertIsInstance(user["location"], str)
        self.assertIn("Sports", user["cohorts"])
        page = s.get("/api/cohort/users?cohort=sports&limit=10&offset=0").json
        self.assertEqual(page["cohort"], "Sports")
        self.assertIn(user, page["users"])
        self.assertEqual(page["limit"], 10)
        self.assertEqual(page["offset"], 0)
        self.assertGreaterEqual(page["total"], 1)

    def test_plus_and_percent(self):
        s = self.server
        s.ingest({"email": "a+b@example.com", "phone": "+442071838750"})
        for query in ("email=a+b@example.com", "email=a%2Bb%40example.com", "phone=+442071838750",
                      "phone=%2B442071838750", "phone=%2B44%2020%207183%208750"):
            self.assertEqual(s.get("/api/user?" + query).status, 200, query)
        for query, code in (("email=%zz", "query_encoding"), ("email=a%2", "query_encoding"),
                            ("email=%00", "query_encoding"), ("email=%ff", "query_encoding"),
                            ("email=a@example.com&email=b@example.com", "parameter_doubled"),
                            ("email=a@example.com&cookie=b", "identifier_many"), ("", "identifier_missing"),
                            ("expand=all", "identifier_missing"), ("emial=a@example.com", "parameter_unknown"),
                            ("cookie=x&expand=everything", "expand_unknown"),
                            ("email=notanaddress", "identifier_invalid")):
            answer = s.get("/api/user?" + query)
            self.assertEqual((answer.status, answer.json["code"]), (400, code), query)
            self.assertEqual(answer.headers["content-type"], "application/problem+json")

    def test_unknown(self):
        s = self.server
        answer = s.get("/api/user?cookie=nobody-has-this")
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.json["status"], 404)
        self.assertEqual(s.get("/api/user?id=p999999999").status, 404)
        self.assertEqual(s.get("/nowhere").status, 404)
        self.assertEqual(s.get("//api/user").status, 404)
        self.assertEqual(s.get("/api/%75ser?cookie=x").status, 404)
        wrong = s.call("PUT", "/api/user")
        self.assertEqual(wrong.status, 405)
        self.assertEqual(wrong.headers["allow"], "GET, HEAD, PATCH, DELETE")
        near = s.get("/api/cohort/users?cohort=sprots")
        self.assertEqual(near.status, 404)
        self.assertIn("Sports", near.json["detail"])

    def test_etag(self):
        s = self.server
        s.ingest({"cookie": "etag-cookie", "first_name": "Eve"})
        first = s.get("/api/user?cookie=etag-cookie")
        etag = first.headers["etag"]
        again = s.get("/api/user?cookie=etag-cookie", If_None_Match=etag)
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(again.headers["etag"], etag)
        self.assertEqual(s.get("/api/user?cookie=etag-cookie", If_None_Match='"x", W/' + etag).status, 304)
        s.ingest({"cookie": "etag-cookie", "first_name": "Eva"})
        self.assertEqual(s.get("/api/user?cookie=etag-cookie", If_None_Match=etag).status, 200)

    def test_head(self):
        s = self.server
        s.ingest({"cookie": "head-cookie"})
        get = s.get("/api/user?cookie=head-cookie")
        head = s.call("HEAD", "/api/user?cookie=head-cookie")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["content-length"], get.headers["content-length"])
        self.assertEqual(s.call("HEAD", "/api/cohorts").status, 200)

    def test_patch(self):
        s = self.server
        s.ingest({"cookie": "patch-cookie", "location": {"city": "Paris", "country": "France"}})
        path = "/api/user?cookie=patch-cookie"
        etag = s.get(path).headers["etag"]
        patched = s.call("PATCH", path, {"location": {"city": "Lyon"}}, {"If-Match": etag})
        self.assertEqual(patched.status, 200, patched)
        self.assertIn("Lyon", json.dumps(patched.json))
        self.assertNotEqual(patched.headers["etag"], etag)
        self.assertEqual(s.get(path).headers["etag"], patched.headers["etag"])
        late = s.call("PATCH", path, {"location": {"city": "Nice"}}, {"If-Match": etag})
        self.assertEqual(late.status, 412, late)
        self.assertEqual(s.call("PATCH", path, {"location": {"city": None}}, {"If-Match": "*"}).status, 200)
        self.assertNotIn("Lyon", json.dumps(s.user("cookie=patch-cookie")))
        self.assertEqual(s.call("PATCH", path, "{not json").status, 400)
        self.assertEqual(s.call("PATCH", path, {"email": "x@example.com"}).status, 400)
        self.assertEqual(s.call("PATCH", "/api/user?cookie=nobody", {"first_name": "x"}).status, 404)

    def test_raw(self):
        s = self.server
        first = '{"cookie":"raw-cookie",  "first_name":"Ünï"}'
        s.ingest(first, "?source=crm")
        s.post("/api/ingest?source=sheet", "cookie,city\nraw-cookie,Oslo\nother-raw,Rome\n", {"Content-Type": "text/csv"})
        page = s.get("/api/user/raw?cookie=raw-cookie").json
        self.assertEqual(page["total"], 2)
        self.assertEqual([entry["raw"] for entry in page["entries"]], [first, "raw-cookie,Oslo"])
        self.assertEqual(page["entries"][0]["source"], "crm")
        self.assertEqual(page["entries"][1]["csv_header"], "cookie,city")
        self.assertIsNone(page["next_cursor"])
        one = s.get("/api/user/raw?cookie=raw-cookie&limit=1").json
        two = s.get(f"/api/user/raw?cookie=raw-cookie&limit=1&cursor={one['next_cursor']}").json
        self.assertEqual([one["entries"][0]["raw"], two["entries"][0]["raw"]], [first, "raw-cookie,Oslo"])
        log = s.get("/api/log?from=1&limit=1000").json
        self.assertTrue(any(entry.get("raw") == first for entry in log["entries"]))

    def test_formats(self):
        s = self.server
        for i, (body, kind) in enumerate((
                ('{"data":{"cookie":"f0"}}', None), ('{"data":[{"cookie":"f1"}]}', None), ('{"cookie":"f2"}', None),
                ('[{"cookie":"f3"}]', None), ('{"cookie":"f4"}\n{"cookie":"f4b"}\n', None),
                ("cookie,city\nf5,Bonn\n", None), ("cookie\tcity\nf6\tBonn\n", None),
                (gzip.compress(b'{"cookie":"f7"}'), "gzip"))):
            answer = s.post("/api/ingest", body, {"Content-Encoding": kind} if kind else {})
            self.assertEqual((answer.status, answer.json["status"]), (200, "success"), (body, answer))
            self.assertEqual(s.get(f"/api/user?cookie=f{i}").status, 200, body)
        self.assertEqual(s.post("/api/ingest", b"x", {"Content-Encoding": "br"}).status, 415)
        empty = s.post("/api/ingest")
        self.assertIn(empty.status, (200, 400, 422), empty)

    def test_partial_and_quarantine(self):
        s = self.server
        answer = s.post("/api/ingest", '{"cookie":"good-1"}\n{"city":"nobody"}\n{"cookie":"good-2"}\n')
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["status"], "partial")
        self.assertEqual(answer.json["errors_total"], 1)
        self.assertEqual(answer.json["errors"][0]["record"], 2)
        self.assertEqual(s.get("/api/user?cookie=good-2").status, 200)
        page = s.get("/api/quarantine").json
        entry = page["entries"][0]
        self.assertEqual(entry["raw"], '{"city":"nobody"}')
        self.assertEqual(entry["code"], answer.json["errors"][0]["code"])
        path = f"/api/quarantine/{entry['id']}"
        self.assertEqual(s.get(path).json, entry)
        unmended = s.post(path + "/retry")
        self.assertEqual((unmended.status, unmended.json["code"]), (422, entry["code"]))
        mended = s.post(path + "/retry", {"city": "Kyoto", "cookie": "mended-1"})
        self.assertEqual((mended.status, mended.json["status"]), (200, "success"), mended)
        self.assertIn("Kyoto", json.dumps(s.user("cookie=mended-1")))
        self.assertEqual(s.get(path).status, 404)
        self.assertEqual(s.post(path + "/retry").status, 404)
        none = s.post("/api/ingest", '{"city":"nobody"}')
        self.assertEqual((none.status, none.json["status"]), (422, "error"), none)
        newest = s.get("/api/quarantine?limit=1").json["entries"][0]["id"]
        self.assertEqual(s.call("DELETE", f"/api/quarantine/{newest}").status, 204)
        self.assertEqual(s.get(f"/api/quarantine/{newest}").status, 404)
        self.assertEqual(s.get("/api/quarantine/x").status, 404)

    def test_quarantined_csv_row(self):
        s = self.server
        s.post("/api/ingest", "cookie,city\nquar-ok,Bonn\n,Trier\n")
        entry = s.get("/api/quarantine?limit=1").json["entries"][0]
        self.assertEqual((entry["format"], entry["raw"], entry["csv_header"]), ("csv", ",Trier", "cookie,city"))
        answer = s.post(f"/api/quarantine/{entry['id']}/retry", "quar-row,Trier\n")
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("Trier", json.dumps(s.user("cookie=quar-row")))

    def test_cohorts(self):
        s = self.server
        s.ingest([{"cookie": f"coh-{i}", "interests": ["zither"], "location": {"country": "Austria"}} for i in range(5)])
        put = s.call("PUT", "/api/cohorts/Folk%20music", {"description": "Plucked", "phrases": ["zither"]})
        self.assertEqual((put.status, put.json["size"], put.json["name"]), (201, 5, "Folk music"), put)
        self.assertEqual(s.call("PUT", "/api/cohorts/folk%20music", {"phrases": ["zither", "lute"]}).status, 200)
        page = s.get("/api/cohort/users?cohort=FOLK+music&limit=2").json
        self.assertEqual((page["total"], len(page["users"])), (5, 2))
        seen = [user["cookie"] for user in page["users"]]
        while page["next_cursor"]:
            page = s.get(f"/api/cohort/users?cohort=folk%20music&limit=2&cursor={page['next_cursor']}").json
            seen += [user["cookie"] for user in page["users"]]
        self.assertEqual(seen, [f"coh-{i}" for i in range(5)])
        offset = s.get("/api/cohort/users?cohort=folk%20music&limit=2&offset=4").json
        self.assertEqual([user["cookie"] for user in offset["users"]], ["coh-4"])
        self.assertIsNone(offset["next_cursor"])
        listed = {cohort["name"].lower(): cohort for cohort in s.get("/api/cohorts").json["cohorts"]}
        self.assertEqual(listed["folk music"]["size"], 5)
        self.assertGreaterEqual(len(listed), 15)
        self.assertIn("zither", s.get("/api/cohorts/folk%20music").json["definition"]["phrases"])
        (result,) = s.get("/api/classify?phrase=zithers&explain=true").json["results"]
        self.assertIn("folk music", [name.lower() for name in result["cohorts"]])
        self.assertEqual((result["decided_by"], result["rules"][0]["pattern"]), ("rule", "zither"))
        bad = s.call("PUT", "/api/cohorts/Folk%20music", {"phrase": ["x"]})
        self.assertEqual(bad.status, 400, bad)
        self.assertEqual(s.call("DELETE", "/api/cohorts/folk%20music").status, 204)
        self.assertEqual(s.get("/api/cohorts/folk%20music").status, 404)
        self.assertEqual(s.call("DELETE", "/api/cohorts/folk%20music").status, 404)
        self.assertEqual(s.get("/api/cohorts/%zz").status, 400)
        for query in ("", "cohort=", "cohort=sports&limit=0", "cohort=sports&limit=1001", "cohort=sports&offset=-1",
                      "cohort=sports&offset=1&cursor=1"):
            self.assertEqual(s.get("/api/cohort/users?" + query).status, 400, query)

    def test_mapping(self):
        s = self.server
        mapping = {"name": "shop", "fields": {"cookie": {"from": "visitor"},
                                              "location.city": {"from": "town", "transforms": ["trim", "title"]}}}
        self.assertEqual(s.call("PUT", "/api/mappings/shop", mapping).status, 201)
        self.assertEqual(s.get("/api/mappings/shop").json, mapping)
        self.assertEqual([m["name"] for m in s.get("/api/mappings").json["mappings"]], ["shop"])
        self.assertEqual(s.get("/api/mappings/other").status, 404)
        self.assertEqual(s.call("PUT", "/api/mappings/bad", {"name": "bad", "fields": 1}).status, 400)
        answer = s.post("/api/ingest?mapping=shop", "visitor,town\nmapped-1,  bad ischl \n")
        self.assertEqual(answer.json["status"], "success", answer)
        self.assertIn("Bad Ischl", json.dumps(s.user("cookie=mapped-1")))
        self.assertEqual(s.post("/api/ingest?mapping=none", "a,b\n1,2\n").status, 400)

    def test_users_pages(self):
        s = self.server
        s.ingest([{"cookie": f"page-{i}"} for i in range(30)])
        total = s.get("/api/users?limit=1").json["total"]
        seen, cursor = [], 0
        while cursor is not None:
            page = s.get(f"/api/users?limit=7&cursor={cursor}").json
            seen += [user["cookie"] for user in page["users"]]
            cursor = page["next_cursor"]
        self.assertEqual(len(seen), total)
        whole = [user["cookie"] for user in s.get("/api/users?limit=1000").json["users"]]
        self.assertEqual(seen, whole)


class Erasure(unittest.TestCase):
    def test_nothing_is_left(self):
        with Server() as s:
            secrets = ("zq-secret-cookie", "zq.secret@example.com", "+12125550188")
            s.ingest({"cookie": secrets[0], "email": secrets[1], "phone": secrets[2]})
            s.ingest([{"cookie": "bystander", "interests": ["tennis"]}])
            s.post("/api/ingest", f"cookie,email\n{secrets[0]},{secrets[1]}\nrow-bystander,b@example.com\n")
            s.restart()
            self.assertTrue(folder_contains(s.data, *secrets))
            answer = s.call("DELETE", f"/api/user?email={secrets[1]}")
            self.assertEqual((answer.status, answer.json["status"]), (202, "erasing"), answer)
            self.assertEqual(answer.headers["location"], f"/api/erasures/{answer.json['erasure_id']}")
            for query in (f"cookie={secrets[0]}", f"email={secrets[1]}", "phone=%2B12125550188"):
                self.assertEqual(s.get("/api/user?" + query).status, 404, query)
            end = time.monotonic() + 30
            status = None
            while time.monotonic() < end and status != "done":
                status = s.get(answer.headers["location"]).json["status"]
                time.sleep(0.02)
            self.assertEqual(status, "done")
            self.assertEqual(folder_contains(s.data, *secrets), [])
            s.restart()
            self.assertEqual(folder_contains(s.data, *secrets), [])
            self.assertEqual(s.get("/api/user?cookie=bystander").status, 200)
            self.assertEqual(s.get("/api/user?email=b@example.com").status, 200)
            self.assertEqual(s.get(answer.headers["location"]).json["status"], "done")
            self.assertEqual(s.get("/api/erasures/1").status, 404)


class Idempotency(unittest.TestCase):
    def test_repeat_is_answered_with_the_first_answer(self):
        with Server() as s:
            body = "".join(json.dumps({"cookie": f"idem-{i}", "n": i}) + "\n" for i in range(1200)) + '{"x":1}\n'
            first = s.post("/api/ingest", body, {"Idempotency-Key": "k1"})
            self.assertEqual((first.status, first.json["status"]), (200, "partial"), first)
            applied = s.metric("kindred_applied_sequence")
            self.assertEqual(s.post("/api/ingest", body, {"Idempotency-Key": "k1"}).body, first.body)
            self.assertEqual(s.metric("kindred_applied_sequence"), applied)
            s.restart()
            again = s.post("/api/ingest", body, {"Idempotency-Key": "k1"})
            self.assertEqual((again.status, again.body), (first.status, first.body))
            self.assertEqual(s.metric("kindred_applied_sequence"), applied)
            other = s.post("/api/ingest", '{"cookie":"other"}', {"Idempotency-Key": "k1"})
            self.assertEqual(other.status, 409, other)
            self.assertEqual(s.get("/api/user?cookie=other").status, 404)
            self.assertEqual(s.post("/api/ingest", body, {"Idempotency-Key": "k" * 300}).status, 400)


if __name__ == "__main__":
    unittest.main()
