"""What the tests of the commands share: running kindred, files in a temporary folder, bodies in every wrapping."""
import gzip
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.request

KINDRED = os.environ.get("KINDRED_BIN") or str(pathlib.Path(__file__).parents[2] / "build/kindred")
SOURCE = pathlib.Path(os.environ.get("KINDRED_SOURCE_DIR") or pathlib.Path(__file__).parents[2])
SHARED_DATA = pathlib.Path(os.environ.get("KINDRED_SHARED_DATA") or SOURCE.parent / "shared/data")

# Only against hanging for ever: a sanitizer on a busy machine may take minutes, and ctest has a limit of its own.
PATIENCE_SECONDS = 600

OK, FAILED, USAGE, STORAGE, LOCKED, REJECTED = 0, 1, 2, 3, 4, 5


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kindred-cli-"))
        self.data = self.folder / "data"

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_kindred(self, *words, expect=OK, input=None, timeout=PATIENCE_SECONDS):
        done = subprocess.run([KINDRED, *map(str, words)], input=input, capture_output=True, timeout=timeout)
        done.out = done.stdout.decode("utf-8", "replace")
        done.err = done.stderr.decode("utf-8", "replace")
        self.assertEqual(done.returncode, expect,
                         f"kindred {' '.join(map(str, words))}\n{done.out[-2000:]}\n{done.err[-2000:]}")
        return done

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def import_file(self, path, *more, expect=OK, data=None, input=None):
        done = self.run_kindred("import", path, "--data", data or self.data, *more, expect=expect, input=input)
        done.counts = summary(done.out)
        return done

    def export(self, what="profiles", data=None, *more):
        words = what.split()
        return self.run_kindred("export", *words, "--data", data or self.data, *more).stdout

    def people(self, data=None):
        return [json.loads(line) for line in self.export(data=data).splitlines()]


def summary(text):
    """{'accepted': 990, …} from what import prints."""
    counts = {}
    for line in text.splitlines():
        words = line.strip().replace("people now", "people").replace("taken before", "repeated").split()
        if len(words) >= 2 and line.startswith("  ") and words[1].replace(",", "").isdigit():
            counts[words[0]] = int(words[1].replace(",", ""))
    return counts


def who(person):
    """A profile without what depends on when and how it came in."""
    return (sorted((i["type"], i["value"]) for i in person["identifiers"]), person["attributes"],
            sorted(person["interests"]), person["cohorts"])


def without_times(export):
    """An export without the times at which records were received."""
    lines = []
    for line in export.splitlines():
        person = json.loads(line)
        del person["created_at"], person["updated_at"]
        lines.append(person)
    return lines


def zstd_stored(data):
    """A zstd frame of raw blocks (RFC 8878, 3.1.1): Python has no compressor for it."""
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
    pieces = [data[i:i + 100000] for i in range(0, len(data), 100000)] or [b""]
    for i, piece in enumerate(pieces):
        header = len(piece) << 3 | (i == len(pieces) - 1)
        out += struct.pack("<I", header)[:3] + piece
    return out


def gzipped(data):
    """Two members, as `cat a.gz b.gz` makes them."""
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


class Server:
    """A `kindred serve` of its own for one test."""

    def __init__(self, data):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = data
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen([KINDRED, "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}",
                                         "--workers", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(self.process.stderr.read().decode())
                time.sleep(0.05)
        raise AssertionError("the server did not become ready")

    def wait_classified(self):
        """Until no interest waits for the model any more."""
        for _ in range(1200):
            with urllib.request.urlopen(self.url + "/metrics", timeout=5) as answer:
                if b"\nkindred_phrases_pending 0\n" in answer.read():
                    return
            time.sleep(0.05)
        raise AssertionError("interests are still waiting for the model")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process.stderr.close()
        return code


def main():
    unittest.main(verbosity=1)
