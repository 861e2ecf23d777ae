#!/usr/bin/env python3
"""Are the campaigns any good? Breaks a copy of the tree in one place at a time (mutations.py) and runs the one test that must notice.

  python3 tests/mutation/run.py [--only WORD] [--folder DIR] [--list]

The copy is what git knows of this tree, as it stands here; nothing is changed in it. It is built once (release), each
test must pass unbroken, then each bug is put in, its test's program is built again, run, and the bug taken out. Exit code 1 when a
bug is not noticed, when a place to break is not there exactly once, or when what is broken does not compile.
--folder keeps copy and build for the next time."""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from mutations import MUTATIONS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATIENCE_SECONDS = 300


def run(*words, **options):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


def copy_tree(to):
    """Files that are the same are left alone, so that a kept folder builds what changed and nothing else."""
    names = run("git", "-C", ROOT, "ls-files", "-z").stdout.split("\0")
    for name in filter(None, names):
        path, target = os.path.join(ROOT, name), os.path.join(to, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            content = file.read()
        if os.path.exists(target):
            with open(target, "rb") as file:
                if file.read() == content:
                    continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)


def targets_of(test):
    kind, name = test.split(".")
    if kind in ("unit", "model", "simulation", "crash"):
        return [f"test_{name}"] + (["syscall_recorder"] if kind == "crash" else [])
    return ["kindred"]


class Tree:
    def __init__(self, folder):
        self.source = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        copy_tree(self.source)
        done = run("cmake", "--preset", "release", "-B", self.build, cwd=self.source)
        if done.returncode != 0:
            sys.exit(done.stdout)

    def make(self, targets):
        return run("cmake", "--build", self.build, "--parallel", str(os.cpu_count()), "--target", *targets)

    def passes(self, test):
        done = run("ctest", "--test-dir", self.build, "-R", "^" + re.escape(test) + "$", "--timeout", str(PATIENCE_SECONDS),
                   "--no-tests=error", "--output-on-failure")
        return done.returncode == 0, done.stdout

    def change(self, name, old, new):
        """The file's text before; None when `old` does not stand there exactly once."""
        path = os.path.join(self.source, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.count(old) != 1:
            return None
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
        return text

    def put_back(self, name, text):
        with open(os.path.join(self.source, name), "w", encoding="utf-8") as file:
            file.write(text)


def try_one(tree, mutation):
    """Says how it went, and whether that is well."""
    _, name, old, new, test = mutation
    text = tree.change(name, old, new)
    if text is None:
        return False, f"the place to break is not there exactly once in {name}"
    try:
        built = tree.make(targets_of(test))
        if built.returncode != 0:
            return False, "does not compile:\n" + built.stdout[-2000:]
        passed, _ = tree.passes(test)
        return not passed, "NOT noticed by" if passed else "noticed by"
    finally:
        tree.put_back(name, text)


def check_unbroken(tree, tests):
    built = tree.make(sorted({target for test in tests for target in targets_of(test)}))
    if built.returncode != 0:
        sys.exit("the tree does not compile as it is:\n" + built.stdout[-2000:])
    for test in tests:
        passed, output = tree.passes(test)
        if not passed:
            sys.exit(f"{test} fails before anything is broken:\n{output[-4000:]}")
    print(f"{len(tests)} tests pass unbroken")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those whose description, file or test has this in it")
    parser.add_argument("--folder", help="keep copy and build here")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [one for one in MUTATIONS if any(options.only in text for text in (one[0], one[1], one[4]))]
    if options.list:
        for what, name, _, _, test in chosen:
            print(f"{test:24} {name:28} {what}")
        return 0
    folder = options.folder or tempfile.mkdtemp(prefix="kindred-mutation-")
    bad = 0
    try:
        tree = Tree(folder)
        check_unbroken(tree, sorted({one[4] for one in chosen}))
        for one in chosen:
            began = time.monotonic()
            well, how = try_one(tree, one)
            bad += not well
            print(f"{'ok  ' if well else 'BAD '} {one[0]} ({one[1]}): {how} {one[4]}, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen)} deliberate bugs, {len(chosen) - bad} noticed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
