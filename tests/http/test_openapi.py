"""Tries to break: what /openapi.json says about the server. Every route of the table is in it and the other way round,
every reference leads somewhere, and real answers have the shape it promises."""
import json
import unittest

from support import Server, kindred

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
         "null": type(None)}


def check(value, schema, components, where="answer"):
    """As much of JSON Schema as the document uses. Returns what is wrong."""
    if "$ref" in schema:
        return check(value, components[schema["$ref"].rsplit("/", 1)[1]], components, where)
    wrong = []
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = any(isinstance(value, TYPES[kind]) and not (kind != "boolean" and isinstance(value, bool)) for kind in kinds)
        if not fits:
            return [f"{where} is no {kinds}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{where} is none of {schema['enum']}: {value!r}")
    if isinstance(value, dict):
        wrong += [f"{where} has no '{name}'" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            if name in schema.get("properties", {}):
                wrong += check(member, schema["properties"][name], components, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            wrong += check(item, schema["items"], components, f"{where}[{i}]")
    return wrong


def references(value):
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "$ref":
                yield member
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(args=["--demo", "100"])
        cls.document = cls.server.get("/openapi.json").json

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_every_route_and_no_other(self):
        routes = json.loads(kindred("routes").stdout)
        table = {(route["method"], route["path"]): route for route in routes}
        described = {(method.upper(), path): operation for path, operations in self.document["paths"].items()
                     for method, operation in operations.items()}
        self.assertEqual(set(table), set(described))
        for key, operation in described.items():
            self.assertTrue(operation["summary"])
            self.assertEqual(operation["x-role"], table[key]["scope"])
            self.assertEqual("requestBody" in operation, table[key]["body_max_bytes"] > 0)
            names = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
            told = set(filter(None, table[key]["parameters"].split(",")))
            if table[key]["identifier"]:
                told |= {"cookie", "email", "phone", "user_id", "device_id", "id"}
            self.assertEqual(names, told)
            in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            self.assertEqual({"{%s}" % name for name in in_path}, {s for s in key[1].split("/") if s.startswith("{")})
            self.assertTrue(any(status.startswith("2") for status in operation["responses"]))

    def test_references(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        for reference in references(self.document):
            at = self.document
            for step in reference.removeprefix("#/").split("/"):
                self.assertIn(step, at, reference)
                at = at[step]
        used = {reference.rsplit("/", 1)[1] for reference in references(self.document)}
        self.assertEqual(used, set(self.document["components"]["schemas"]))

    def test_answers_have_the_promised_shape(self):
        s = self.server
        person = s.get("/api/users?limit=1").json["users"][0]
        who = f"cookie={person['cookie']}"
        s.post("/api/ingest", '{"x":1}')
        quarantined = s.get("/api/quarantine").json["entries"][0]["id"]
        s.call("PUT", "/api/mappings/m", {"name": "m", "fields": {"cookie": {"from": "c"}}})
        erased = s.ingest({"cookie": "erase-me"}) and s.call("DELETE", "/api/user?cookie=erase-me")
        calls = [("GET", "/api/user", f"/api/user?{who}"), ("GET", "/api/user", f"/api/user?{who}&expand=all"),
                 ("GET", "/api/user", "/api/user?cookie=nobody"), ("GET", "/api/user", "/api/user"),
                 ("PATCH", "/api/user", f"/api/user?{who}", {"first_name": "Zoe"}),
                 ("GET", "/api/erasures/{id}", erased.headers["location"]), ("GET", "/api/erasures/{id}", "/api/erasures/1"),
                 ("GET", "/api/user/raw", f"/api/user/raw?{who}"), ("GET", "/api/users", "/api/users?limit=50"),
                 ("GET", "/api/cohort/users", "/api/cohort/users?cohort=sports"),
                 ("GET", "/api/cohort/users", "/api/cohort/users?cohort=zzzzzzzz"),
                 ("GET", "/api/cohorts", "/api/cohorts"), ("GET", "/api/cohorts/{name}", "/api/cohorts/sports"),
                 ("PUT", "/api/cohorts/{name}", "/api/cohorts/new", {"phrases": ["x y z"]}),
                 ("PUT", "/api/cohorts/{name}", "/api/cohorts/new", {"phrases": ["x y"]}),
                 ("PUT", "/api/cohorts/{name}", "/api/cohorts/new", {"bad": 1}),
                 ("DELETE", "/api/cohorts/{name}", "/api/cohorts/new"),
                 ("POST", "/api/cohorts/{name}/feedback", "/api/cohorts/travel/feedback", {"positive": ["hostels"]}),
                 ("POST", "/api/cohorts/{name}/feedback", "/api/cohorts/nobody/feedback", {"positive": ["hostels"]}),
                 ("GET", "/api/classify", "/api/classify?phrase=tennis"),
                 ("GET", "/api/classify", "/api/classify?phrase=tennis&explain=true"),
                 ("POST", "/api/classify", "/api/classify", {"phrases": ["tennis", "x"]}),
                 ("POST", "/api/classify", "/api/classify", {"phrases": ["x"] * 1001}),
                 ("GET", "/api/interests", "/api/interests"),
                 ("GET", "/api/interests", "/api/interests?unclassified=true&limit=5"),
                 ("POST", "/api/ingest", "/api/ingest", {"cookie": "shape"}), ("POST", "/api/ingest", "/api/ingest", {"x": 1}),
                 ("GET", "/api/mappings", "/api/mappings"), ("GET", "/api/mappings/{name}", "/api/mappings/m"),
                 ("PUT", "/api/mappings/{name}", "/api/mappings/m", {"name": "m", "fields": {"cookie": {"from": "d"}}}),
                 ("GET", "/api/quarantine", "/api/quarantine"),
                 ("GET", "/api/quarantine/{id}", f"/api/quarantine/{quarantined}"),
                 ("POST", "/api/quarantine/{id}/retry", f"/api/quarantine/{quarantined}/retry"),
                 ("POST", "/api/quarantine/{id}/retry", f"/api/quarantine/{quarantined}/retry", {"cookie": "mended"}),
                 ("DELETE", "/api/quarantine/{id}", f"/api/quarantine/{quarantined}"),
                 ("GET", "/api/log", "/api/log?limit=20"), ("GET", "/livez", "/livez"), ("GET", "/readyz", "/readyz"),
                 ("GET", "/metrics", "/metrics"), ("GET", "/openapi.json", "/openapi.json"), ("GET", "/", "/")]
        components = self.document["components"]["schemas"]
        for method, pattern, path, *body in calls:
            with self.subTest(f"{method} {path}"):
                answer = s.call(method, path, *body)
                responses = self.document["paths"][pattern][method.lower()]["responses"]
                self.assertIn(str(answer.status), responses, answer)
                content = responses[str(answer.status)].get("content", {})
                if not content:
                    self.assertEqual(answer.body, b"")
                    continue
                kind = answer.headers["content-type"].split(";")[0]
                self.assertIn(kind, content)
                if kind.endswith("json"):
                    self.assertEqual(check(answer.json, content[kind].get("schema", {}), components), [])

    def test_metrics_are_well_formed(self):
        s = self.server
        s.get("/api/users?limit=1")
        text = s.get("/metrics").body.decode()
        seen, described = set(), set()
        for line in text.splitlines():
            if line.startswith("# "):
                described.add(line.split()[2])
                continue
            name, value = line.rsplit(" ", 1)
            float(value)
            self.assertNotIn(name, seen)
            seen.add(name)
            base = name.split("{")[0]
            known = {base, *(base.removesuffix(end) for end in ("_bucket", "_sum", "_count"))}
            self.assertTrue(known & described, name)
        for name in ("kindred_people", "kindred_commit_seconds_count", "kindred_writer_queue", "kindred_checkpoint_lag",
                     "process_resident_memory_bytes"):
            self.assertIn(name, seen)


if __name__ == "__main__":
    unittest.main()
