"""Tries to break: what phrases are taken for, from outside. Shape, order and limits of GET and POST /api/classify; that rules
win over examples and examples over the model; that a new phrase's cohort is there when the 2xx is, whoever asks; that a flood
of new phrases stalls nobody and its cohorts come by themselves; cohorts from examples and feedback; restarts; no model."""
import json
import os
import tempfile
import threading
import time
import unittest

from support import BINARY, PATIENCE_SECONDS, Server, kindred

SPORTS = ["tom brady", "premier league", "nba", "world series baseball", "tennis", "marathon running", "ice hockey",
          "boxing", "super bowl", "golf", "cricket", "la liga", "wimbledon", "lebron james", "skiing"]


def topics(result):
    return [topic["topic"] for topic in result["topics"]]


def wait_until_classified(server, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while server.metric("kindred_phrases_pending") > 0:
        assert time.monotonic() < end, "still pending"
        time.sleep(0.02)


def metric(server, line):
    for found in server.get("/metrics").body.decode().splitlines():
        if found.startswith(line + " "):
            return float(found.rsplit(" ", 1)[1])
    raise KeyError(line)


# A tree without the model's file builds a binary without one.
HAS_MODEL = kindred("classify", "tom brady").returncode == 0
needs_model = unittest.skipUnless(HAS_MODEL, "this binary has no model")


@needs_model
class Shape(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(args=["--workers", "2"])

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def classify(self, *phrases, query=""):
        answer = self.server.post("/api/classify" + query, {"phrases": list(phrases)})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([result["phrase"] for result in answer.json["results"]], list(phrases))
        return answer.json["results"]

    def test_the_mission_s_phrases(self):
        for phrase, topic in (("tom brady", "Sports"), ("Nike shoes", "Fashion"), ("crcket", "Sports")):
            answer = self.server.get("/api/classify?phrase=" + phrase.replace(" ", "+")).json
            self.assertTrue(answer["model"])
            (result,) = answer["results"]
            self.assertEqual(result["phrase"], phrase)
            self.assertEqual(topics(result)[0], topic, result)
            self.assertTrue(0 < result["topics"][0]["confidence"] <= 1)
            self.assertEqual(set(result), {"phrase", "topics", "cohorts", "decided_by"})
            # The shipped cohort is the topic: not said twice.
            self.assertEqual((result["cohorts"], result["decided_by"]), ([], "model"))
            self.server.ingest({"cookie": "mission", "interests": [phrase]})
            self.assertIn(topic, self.server.user("cookie=mission")["cohorts"])
        shipped = {cohort["name"] for cohort in self.server.get("/api/cohorts").json["cohorts"]}
        scores = self.server.get("/api/classify?phrase=a&explain=true").json["results"][0]["scores"]
        self.assertLessEqual({score["topic"] for score in scores}, shipped)

    def test_many_keep_their_order_and_are_what_one_is(self):
        phrases = [f"{word} {i}" for i in range(12) for word in ("tennis", "xq zvw", "pasta", "Ünï çödé", "#NikeShoes")]
        many = self.classify(*phrases)
        for phrase, result in list(zip(phrases, many))[::7]:
            one = self.classify(phrase)[0]
            self.assertEqual(one, result)
        self.assertEqual(self.classify("a", "a", "a")[0], self.classify("a", "b", "a")[2])
        for result in many:
            confidences = [topic["confidence"] for topic in result["topics"]]
            self.assertEqual(confidences, sorted(confidences, reverse=True))
        self.assertEqual(self.classify(), [])

    def test_limits(self):
        s = self.server
        self.assertEqual(len(self.classify(*[f"phrase {i}" for i in range(1000)])), 1000)
        for body, status, code in (({"phrases": ["a"] * 1001}, 413, "phrases_too_many"), ({}, 400, "phrases_missing"),
                                   ({"phrases": "a"}, 400, "phrases_missing"), ([], 400, "phrases_missing"),
                                   ({"phrases": ["a"], "x": 1}, 400, "phrases_missing"),
                                   ({"phrases": ["a", 1]}, 400, "phrase_invalid"),
                                   ({"phrases": ["a", ""]}, 400, "phrase_invalid"),
                                   ({"phrases": ["a" * 1025]}, 400, "phrase_invalid"),
                                   ("{", 400, "json_syntax"), (None, 400, "json_syntax")):
            answer = s.post("/api/classify", body)
            self.assertEqual((answer.status, answer.json["code"]), (status, code), (body, answer))
        self.assertEqual(len(self.classify("é" * 512)), 1)
        self.assertEqual(s.post("/api/classify?explain=true", {"phrases": ["a"] * 101}).status, 413)
        self.assertEqual(s.post("/api/classify", "[" + " " * (5 << 20)).status, 413)
        for query in ("", "phrase=", "phrase=" + "a" * 1025, "phrase=a&explain=1", "phrases=a"):
            self.assertEqual(s.get("/api/classify?" + query).status, 400, query)
        self.assertEqual(s.call("HEAD", "/api/classify?phrase=a").status, 200)

    def test_explain(self):
        result = self.server.get("/api/classify?phrase=tom+brady&explain=true").json["results"][0]
        self.assertEqual(set(result), {"phrase", "topics", "cohorts", "decided_by", "read_as", "corrected", "known",
                                       "interest", "scores", "nearest", "rules", "matches"})
        scores = [score["confidence"] for score in result["scores"]]
        self.assertEqual((len(scores), scores), (19, sorted(scores, reverse=True)))
        self.assertEqual(result["scores"][0]["topic"], "Sports")
        self.assertEqual(result["read_as"], "tom brady")
        self.assertTrue(result["nearest"])
        self.assertGreater(result["interest"], 0.5)
        plain = self.classify("tom brady")[0]
        self.assertEqual({name: result[name] for name in plain}, plain)

    def test_others_are_answered_meanwhile(self):
        with Server(args=["--workers", "1"]) as s:
            done = []
            def ask():
                body = {"phrases": [f"a phrase of some length {i} {i * 7}" for i in range(1000)]}
                done.append(s.post("/api/classify", body).status)
            thread = threading.Thread(target=ask)
            thread.start()
            count = 0
            while thread.is_alive():
                self.assertEqual(s.get("/livez").status, 200)
                count += not done
            thread.join()
            self.assertEqual(done, [200])
            self.assertGreater(count, 3)

    def test_a_client_that_leaves(self):
        body = json.dumps({"phrases": [f"leaving {i}" for i in range(1000)]}).encode()
        head = b"POST /api/classify?explain=false HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        for pause in (0, 0.02, 0.2):
            with self.server.connect() as sock:
                sock.sendall(head + body)
                time.sleep(pause)
        for _ in range(3):
            with self.server.connect() as sock:
                sock.sendall(b"GET /api/interests HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(self.server.get("/livez").status, 200)


@needs_model
class Deciding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(args=["--workers", "2"])

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def one(self, phrase, query=""):
        answer = self.server.post("/api/classify" + query, {"phrases": [phrase]})
        self.assertEqual(answer.status, 200, answer)
        return answer.json["results"][0]

    def put(self, name, definition):
        answer = self.server.call("PUT", "/api/cohorts/" + name, definition)
        self.assertIn(answer.status, (200, 201), answer)
        return answer.json

    def test_rules_win(self):
        self.put("Sports", {"topic": "Sports", "phrases": ["quantum crochet"], "not_phrases": ["tom brady"],
                            "not_examples": ["nba"]})
        put_in = self.one("Quantum Crochet", "?explain=true")
        self.assertEqual(put_in["topics"][0], {"topic": "Sports", "confidence": 1})
        self.assertIn("Sports", put_in["cohorts"])
        self.assertEqual(put_in["decided_by"], "rule")
        self.assertIn({"cohort": "Sports", "method": "exact", "pattern": "quantum crochet", "confidence": 1}, put_in["rules"])
        taken_out = self.one("tom brady")
        self.assertNotIn("Sports", topics(taken_out))
        self.assertEqual(taken_out["decided_by"], "rule")
        by_example = self.one("nba")
        self.assertNotIn("Sports", topics(by_example))
        self.assertEqual(by_example["decided_by"], "example")
        s = self.server
        s.ingest([{"cookie": "rule-in", "interests": ["quantum crochet"]}, {"cookie": "rule-out", "interests": ["tom brady"]}])
        self.assertIn("Sports", s.user("cookie=rule-in")["cohorts"])
        self.assertNotIn("Sports", s.user("cookie=rule-out")["cohorts"])

    def test_topic_cohorts_and_others(self):
        self.put("Athletes", {"topic": "Sports"})
        self.put("Aaa", {"phrases": ["wimbledon"]})
        result = self.one("wimbledon", "?explain=true")
        self.assertEqual(topics(result)[0], "Sports")
        self.assertIn("Aaa", result["cohorts"])
        self.assertIn("Athletes", result["cohorts"])
        self.assertEqual(result["cohorts"], sorted(result["cohorts"]))
        self.assertEqual(result["decided_by"], "rule")
        match = next(match for match in result["matches"] if match["cohort"] == "Athletes")
        self.assertEqual((match["decided_by"], match["method"], match["topic"]), ("model", "topic", "Sports"))
        self.put("Sure", {"topic": "Sports", "min_confidence": 1})
        self.assertNotIn("Sure", self.one("padel rackets near me")["cohorts"])
        answer = self.server.call("PUT", "/api/cohorts/Wrong", {"topic": "Sprots"})
        self.assertEqual((answer.status, answer.json["code"]), (400, "topic_unknown"), answer)

    def test_examples_and_feedback(self):
        s = self.server
        drinks = ["espresso", "latte art", "cold brew coffee", "cappuccino", "coffee beans", "flat white"]
        others = ["tractor repair", "opera", "league of legends", "mortgage rates"]
        s.ingest([{"cookie": f"drink-{i}", "interests": [drink]} for i, drink in enumerate(drinks + others)])
        wait_until_classified(s)
        made = self.put("Coffee", {"examples": drinks[:3]})
        self.assertGreaterEqual(made["size"], 4)
        for i, phrase in enumerate(drinks + others):
            held = "Coffee" in s.user(f"cookie=drink-{i}")["cohorts"]
            self.assertEqual(held, "Coffee" in self.one(phrase)["cohorts"], phrase)
            self.assertTrue(held or phrase not in drinks[:3], phrase)
            self.assertFalse(held and phrase in others, phrase)
        match = next(match for match in self.one("latte art", "?explain=true")["matches"] if match["cohort"] == "Coffee")
        self.assertEqual((match["decided_by"], match["method"], match["example"]), ("example", "example", "latte art"))
        answer = s.post("/api/cohorts/coffee/feedback", {"positive": ["opera"], "negative": ["latte art", "no such thing"]})
        self.assertEqual(answer.status, 200, answer)
        definition = answer.json["definition"]
        self.assertEqual(definition["examples"], ["espresso", "cold brew coffee", "opera"])
        self.assertEqual(definition["not_examples"], ["latte art", "no such thing"])
        self.assertEqual(s.get("/api/cohorts/Coffee").json, answer.json)
        self.assertIn("Coffee", s.user("cookie=drink-7")["cohorts"])
        self.assertNotIn("Coffee", s.user("cookie=drink-1")["cohorts"])
        again = s.post("/api/cohorts/coffee/feedback", {"positive": ["opera"], "negative": ["latte art", "no such thing"]})
        self.assertEqual(again.json["definition"], definition)
        s.ingest({"cookie": "drink-new", "interests": ["iced latte coffee"]})
        self.assertEqual("Coffee" in s.user("cookie=drink-new")["cohorts"],
                         "Coffee" in self.one("iced latte coffee")["cohorts"])

    def test_feedback_errors(self):
        s = self.server
        unknown = s.post("/api/cohorts/nobody/feedback", {"positive": ["a"]})
        self.assertEqual(unknown.status, 404, unknown)
        self.put("Fed", {"phrases": ["a phrase"]})
        for body in (None, "{", {}, {"positive": []}, {"positive": [1]}, {"positive": "a"}, {"good": ["a"]}, []):
            self.assertEqual(s.post("/api/cohorts/fed/feedback", body).status, 400, body)
        many = {"positive": [f"p {i}" for i in range(1001)]}
        self.assertIn(s.post("/api/cohorts/fed/feedback", many).status, (400, 413))
        self.assertEqual(s.get("/api/cohorts/fed/feedback").status, 405)
        self.assertEqual(s.get("/api/cohorts/fed").json["definition"], {"phrases": ["a phrase"]})

    def test_many_examples(self):
        made = self.put("Wide", {"examples": [f"example number {i}" for i in range(1000)]})
        self.assertEqual(len(made["definition"]["examples"]), 1000)
        self.assertEqual(self.server.call("DELETE", "/api/cohorts/Wide").status, 204)
        too_many = self.server.call("PUT", "/api/cohorts/Wider", {"examples": [f"e {i}" for i in range(1001)]})
        self.assertIn(too_many.status, (400, 413), too_many)


@needs_model
class ReadYourWrites(unittest.TestCase):
    def test_a_new_phrase_on_any_worker(self):
        with Server(args=["--workers", "3"]) as s:
            s.call("PUT", "/api/cohorts/Athletes", {"topic": "Sports"})
            phrases = [f"{phrase} {word}" for word in ("news", "tickets", "highlights", "fans") for phrase in SPORTS]
            results = s.post("/api/classify", {"phrases": phrases}).json["results"]
            expected = {result["phrase"]: "Sports" in topics(result) for result in results}
            self.assertGreater(sum(expected.values()), 10)
            for i, phrase in enumerate(phrases):
                s.ingest({"cookie": f"ryw-{i}", "interests": [phrase]})
                found = s.user(f"cookie=ryw-{i}")["cohorts"]
                self.assertEqual("Athletes" in found, expected[phrase], phrase)
            # Forgotten with the last who had it, and new again.
            for _ in range(3):
                s.call("PATCH", "/api/user?cookie=ryw-0", {"interests": []})
                patched = s.call("PATCH", "/api/user?cookie=ryw-0", {"interests": [phrases[0]]})
                self.assertEqual("Athletes" in patched.json["user_profile"]["cohorts"], expected[phrases[0]])
            s.post("/api/ingest", {"interests": ["curling stones"]})
            quarantined = s.get("/api/quarantine?limit=1").json["entries"][0]["id"]
            s.post(f"/api/quarantine/{quarantined}/retry", {"cookie": "ryw-q", "interests": ["curling sport stones"]})
            asked = s.get("/api/classify?phrase=curling+sport+stones").json["results"][0]
            self.assertEqual("Athletes" in s.user("cookie=ryw-q")["cohorts"], "Sports" in topics(asked))
            self.assertEqual(metric(s, 'kindred_phrases_classified_total{path="backlog"}'), 0)

    def test_a_flood(self):
        with Server(args=["--workers", "2"]) as s:
            s.call("PUT", "/api/cohorts/Athletes", {"topic": "Sports"})
            before = time.monotonic()
            s.ingest("".join(json.dumps({"cookie": f"flood-{i}", "interests": [f"{SPORTS[i % 15]} {i}", f"zq {i * 13}"]}) + "\n"
                             for i in range(10000)))
            took = time.monotonic() - before
            pending = s.metric("kindred_phrases_pending")
            self.assertGreater(pending, 1000)
            self.assertLess(took, 10)
            before = time.monotonic()
            s.ingest({"cookie": "in-between", "interests": ["tennis"]})
            self.assertIn("Athletes", s.user("cookie=in-between")["cohorts"])
            self.assertLess(time.monotonic() - before, 2)
            wait_until_classified(s)
            sample = [f"{SPORTS[i % 15]} {i}" for i in range(0, 10000, 331)]
            results = s.post("/api/classify", {"phrases": sample}).json["results"]
            for i, result in zip(range(0, 10000, 331), results):
                self.assertEqual("Athletes" in s.user(f"cookie=flood-{i}")["cohorts"], "Sports" in topics(result), result)
            self.assertGreater(sum("Sports" in topics(result) for result in results), 5)
            classified = metric(s, 'kindred_phrases_classified_total{path="backlog"}')
            self.assertGreater(classified, 1000)
            size = s.get("/api/cohorts/Athletes").json["size"]
            # A restart asks nothing again.
            s.restart()
            self.assertEqual(s.metric("kindred_phrases_pending"), 0)
            self.assertEqual(s.get("/api/cohorts/Athletes").json["size"], size)
            time.sleep(0.3)
            self.assertEqual(metric(s, 'kindred_phrases_classified_total{path="backlog"}'), 0)

    def test_killed_in_a_flood(self):
        with Server(args=["--workers", "2"]) as s:
            s.call("PUT", "/api/cohorts/Athletes", {"topic": "Sports"})
            s.ingest([{"cookie": f"kill-{i}", "interests": [f"{SPORTS[i % 15]} {i}"]} for i in range(3000)])
            s.stop(9)
            s.start()
            wait_until_classified(s)
            sample = [f"{SPORTS[i % 15]} {i}" for i in range(0, 3000, 173)]
            for i, result in zip(range(0, 3000, 173), s.post("/api/classify", {"phrases": sample}).json["results"]):
                self.assertEqual("Athletes" in s.user(f"cookie=kill-{i}")["cohorts"], "Sports" in topics(result), result)


@needs_model
class Interests(unittest.TestCase):
    def test_most_held(self):
        with Server(args=["--workers", "1"]) as s:
            people = [{"cookie": f"i-{i}", "interests": ["tom brady"] * (i < 9) + ["zzqx vvw"] * (i < 6) + [f"qqq {i}"]}
                      for i in range(10)]
            s.ingest(people)
            wait_until_classified(s)
            answer = s.get("/api/interests?limit=2").json
            self.assertEqual([(one["phrase"], one["holders"]) for one in answer["interests"]],
                             [("tom brady", 9), ("zzqx vvw", 6)])
            self.assertEqual(answer["interests"][0]["topics"][0]["topic"], "Sports")
            self.assertEqual((answer["limit"], answer["pending"], answer["total_phrases"]), (2, 0, 12))
            self.assertEqual(len(s.get("/api/interests").json["interests"]), 12)
            unclassified = s.get("/api/interests?unclassified=true").json
            names = [one["phrase"] for one in unclassified["interests"]]
            self.assertNotIn("tom brady", names)
            asked = s.post("/api/classify", {"phrases": ["zzqx vvw"]}).json["results"][0]
            self.assertEqual("zzqx vvw" in names, not asked["topics"] and not asked["cohorts"])
            self.assertEqual(set(unclassified["interests"][0]), {"phrase", "holders"})
            s.call("PUT", "/api/cohorts/Named", {"phrases": ["zzqx *"]})
            self.assertNotIn("zzqx vvw", [one["phrase"] for one in
                                          s.get("/api/interests?unclassified=true").json["interests"]])
            for query in ("limit=0", "limit=1001", "unclassified=yes", "offset=1", "limit=x"):
                self.assertEqual(s.get("/api/interests?" + query).status, 400, query)

    def test_many_in_slices(self):
        with Server(args=["--workers", "1", "--model", "none"]) as s:
            s.ingest("".join(json.dumps({"cookie": f"m-{i}", "interests": [f"interest {i}", f"every {i % 7}"]}) + "\n"
                             for i in range(30000)))
            answer = s.get("/api/interests?limit=1000").json
            self.assertEqual(answer["total_phrases"], 30007)
            self.assertEqual([one["phrase"] for one in answer["interests"][:7]], [f"every {i}" for i in
                                                                                  (0, 1, 2, 3, 4, 5, 6)])
            holders = [one["holders"] for one in answer["interests"]]
            self.assertEqual((len(holders), holders), (1000, sorted(holders, reverse=True)))


@needs_model
class Models(unittest.TestCase):
    def test_none(self):
        with Server(args=["--model", "none", "--workers", "1"]) as s:
            self.assertTrue(any("model      none" in line for line in s.output), s.output)
            s.call("PUT", "/api/cohorts/Pins", {"phrases": ["enamel pins"], "examples": ["badges"]})
            s.ingest([{"cookie": "n-1", "interests": ["enamel pins"]}, {"cookie": "n-2", "interests": ["badges"]},
                      {"cookie": "n-3", "interests": ["something else entirely"]}])
            answer = s.post("/api/classify?explain=true", {"phrases": ["enamel pins", "badges", "tom brady quux"]}).json
            self.assertIsNone(answer["model"])
            first, second, third = answer["results"]
            self.assertEqual((first["topics"], first["cohorts"], first["decided_by"]), ([], ["Pins"], "rule"))
            self.assertEqual((second["cohorts"], second["decided_by"]), (["Pins"], "example"))
            self.assertEqual((third["topics"], third["decided_by"]), ([], "none"))
            self.assertEqual(first["rules"][0]["pattern"], "enamel pins")
            self.assertNotIn("scores", first)
            self.assertEqual(s.user("cookie=n-1")["cohorts"], ["Pins"])
            topic = s.call("PUT", "/api/cohorts/T", {"topic": "Sports"})
            self.assertEqual((topic.status, topic.json["code"]), (400, "topic_unknown"))
            self.assertEqual(s.metric("kindred_phrases_pending"), 0)
            # What came meanwhile is classified as soon as there is a model.
            s.args = ["--workers", "1"]
            s.restart()
            s.call("PUT", "/api/cohorts/Athletes", {"topic": "Sports"})
            s.ingest({"cookie": "n-4", "interests": ["tom brady"]})
            wait_until_classified(s)
            self.assertIn("Athletes", s.user("cookie=n-4")["cohorts"])

    def test_bad_files(self):
        with tempfile.TemporaryDirectory(prefix="kindred-test-") as folder:
            path = os.path.join(folder, "model")
            with open(path, "wb") as file:
                file.write(b"KNDRMDL1 and then nothing of use" * 10)
            for model, words in ((path, "not a usable model"), (os.path.join(folder, "absent"), "Cannot read")):
                done = kindred("serve", "--data", os.path.join(folder, "data"), "--listen", "127.0.0.1:0", "--model", model)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(words, done.stderr)
                self.assertFalse(os.path.exists(os.path.join(folder, "data", "LOCK")))

    def test_metrics(self):
        with Server(args=["--workers", "1"]) as s:
            s.ingest({"cookie": "m", "interests": ["tom brady", "nike shoes"]})
            s.ingest({"cookie": "m2", "interests": ["tom brady", "nike shoes"]})
            self.assertEqual(metric(s, 'kindred_phrases_classified_total{path="worker"}'), 2)
            self.assertEqual(metric(s, 'kindred_classify_seconds_count{path="worker"}'), 1)
            self.assertEqual(s.metric("kindred_verdict_cache_hits_total"), 2)
            self.assertEqual(s.metric("kindred_verdict_cache_misses_total"), 0)
            self.assertEqual(s.metric("kindred_model_info"), 1)


if __name__ == "__main__":
    assert os.path.exists(BINARY)
    unittest.main()
