"""Tries to break: no flipped byte of the log, and none of a person's in the profiles, passes verify; the message says where and what
to do; doing that helps."""
import json
import os
import random
import shutil

import cli
from cli import CommandTest, FAILED, STORAGE, USAGE

SEED = int(os.environ.get("KINDRED_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


class Verify(CommandTest):
    def setUp(self):
        super().setUp()
        path = self.folder / "people.ndjson"
        self.run_kindred("generate", "--people", 400, "--seed", 3, "--output", path)
        self.import_file(path)

    def copy(self):
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.data, copy)
        return copy

    def test_sound_folder(self):
        done = self.run_kindred("verify", "--data", self.data)
        people = len(self.people())
        entries = len(self.export("raw").splitlines())
        self.assertIn(f"{entries} entries", done.out)
        self.assertIn(f"{people} people", done.out)
        self.assertEqual(done.out.count(" ok: "), 3)
        self.run_kindred("verify", "--data", self.data, "--quick")

    def test_flipped_byte_in_the_log(self):
        generator = random.Random(SEED)
        size = next((self.data / "log").glob("*.seg")).stat().st_size
        entries = [json.loads(line) for line in self.export("raw").splitlines()]
        for _ in range(25):
            copy = self.copy()
            segment = next((copy / "log").glob("*.seg"))
            with self.subTest(seed=SEED):
                at = generator.randrange(size)
                flip(segment, at)
                done = self.run_kindred("verify", "--data", copy, expect=STORAGE)
                self.assertIn("DAMAGED", done.out)
                self.assertIn(segment.name, done.err, f"byte {at} of {size}, {len(entries)} entries")
                self.assertIn("backup", done.err)

    def test_flipped_byte_of_a_profile(self):
        email = next(p["email"] for p in self.people() if p["email"])
        copy = self.copy()
        database = copy / "profiles" / "data.mdb"
        content = database.read_bytes()
        at = content.find(email.encode())
        self.assertGreater(at, 0)
        while at >= 0:
            flip(database, at)
            at = content.find(email.encode(), at + 1)
        done = self.run_kindred("verify", "--data", copy, expect=STORAGE)
        self.assertIn("remove the *.mdb files", done.err.replace("\n", " "))
        for path in copy.rglob("*.mdb"):
            path.unlink()
        self.run_kindred("verify", "--data", copy)
        self.assertEqual(self.export(data=copy), self.export())

    def test_mistakes(self):
        self.run_kindred("verify", expect=USAGE)
        self.assertIn("--quick", self.run_kindred("verify", "--data", self.data, "--quik", expect=USAGE).err)
        done = self.run_kindred("verify", "--data", self.folder, expect=FAILED)
        self.assertIn("not a Kindred data folder", done.err)
        self.assertFalse((self.folder / "LOCK").exists())


if __name__ == "__main__":
    cli.main()
