"""Tries to break: the examples of docs/api.md. Each ```sh block runs on one fresh server, in order; the ```json block behind it
says what the last command must print: members given must be there with these values, "…" stands for anything, arrays are
compared element by element (["…"]: not empty)."""
import json
import os
import re
import subprocess
import unittest

from support import Server

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")


def blocks(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = [(m.group(1), m.group(2), text.count("\n", 0, m.start()) + 1)
             for m in re.finditer(r"^```(sh|json)\n(.*?)^```$", text, re.S | re.M)]
    for i, (kind, body, line) in enumerate(found):
        if kind == "sh":
            expected = found[i + 1][1] if i + 1 < len(found) and found[i + 1][0] == "json" else None
            yield body, expected, line


def differs(expected, actual, where="answer"):
    if expected == "…":
        return None
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return f"{where} is no object: {actual!r}"
        for name, value in expected.items():
            if name not in actual:
                return f"{where} has no '{name}'"
            wrong = differs(value, actual[name], f"{where}.{name}")
            if wrong:
                return wrong
        return None
    if isinstance(expected, list):
        if expected == ["…"]:
            return None if isinstance(actual, list) and actual else f"{where} is empty"
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{where} has not {len(expected)} elements: {actual!r}"
        wrong = (differs(e, a, f"{where}[{i}]") for i, (e, a) in enumerate(zip(expected, actual)))
        return next(filter(None, wrong), None)
    return None if expected == actual else f"{where} is {actual!r}, not {expected!r}"


class Docs(unittest.TestCase):
    def test_examples(self):
        with Server() as server:
            count = 0
            for script, expected, line in blocks(os.path.join(DOCS, "api.md")):
                script = script.replace("127.0.0.1:8080", f"{server.host}:{server.port}")
                script = re.sub(r"^curl ", "curl -sS ", script, flags=re.M)
                done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False, timeout=30)
                with self.subTest(f"docs/api.md:{line}"):
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    if expected is not None:
                        # Answers of several commands stand one behind the other: the last one counts.
                        decoder, text, at, last = json.JSONDecoder(), done.stdout, 0, None
                        while at < len(text):
                            last, at = decoder.raw_decode(text, at)
                        self.assertIsNone(differs(json.loads(expected), last), last)
                count += 1
            self.assertGreater(count, 15)


if __name__ == "__main__":
    unittest.main()
