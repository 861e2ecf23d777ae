#!/usr/bin/env python3
"""Rules of the house that a program can check.

Tries to catch: a folder including what it may not see, calls that are banned, files and functions grown too long, folders
without a README, machine paths, leftovers."""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("KINDRED_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Who may include whom; third-party headers are fenced by the build itself.
MAY_INCLUDE = {
    "base": [],
    "ingest": ["base"],
    "storage": ["base", "ingest"],
    "classifier": ["base"],
    "index": ["base", "ingest", "storage", "classifier"],
    "engine": ["base", "ingest", "storage", "classifier", "index"],
    "demo": ["base"],
    "server": ["base", "ingest", "storage", "classifier", "index", "engine", "demo"],
}

# Functions with a better house-mate: bounded, checked, or locale-free.
BANNED = {
    "strcpy": "memcpy or snprintf", "strcat": "buffer_append", "sprintf": "snprintf", "gets": "never",
    "strtok": "slice_cut", "atoi": "slice_to_u64", "atol": "slice_to_u64", "alloca": "an arena",
    "rand": "base/clock.h", "srand": "base/clock.h", "localtime": "gmtime_r", "setlocale": "never",
    "vsprintf": "vsnprintf", "system": "never",
}
# Below server/ nobody asks the system for time.
NO_CLOCK_IN = ["ingest", "storage", "classifier", "index", "engine"]
CLOCK_CALLS = ["time", "gettimeofday", "clock_gettime", "getrandom"]

FILE_LINES_MAX = 1000
HEADER_LINES_MAX = 330
FUNCTION_LINES_MAX = 80

problems = []


def problem(path, line, text):
    problems.append(f"{os.path.relpath(path, ROOT)}:{line}: {text}")


def strip_comments_and_strings(text):
    """Same line structure, without what a compiler would not see as code."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_includes(path, folder, text):
    allowed = MAY_INCLUDE[folder] + [folder]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([a-z_]+)/', line)
        if match and match.group(1) in MAY_INCLUDE and match.group(1) not in allowed:
            problem(path, number, f"{folder}/ may not include {match.group(1)}/")


def check_calls(path, folder, code):
    for number, line in enumerate(code.splitlines(), 1):
        for match in re.finditer(r"(?<![\w.>])([a-z_]+)\s*\(", line):
            name = match.group(1)
            if name in BANNED:
                problem(path, number, f"{name}() is banned; use {BANNED[name]}")
            if folder in NO_CLOCK_IN and name in CLOCK_CALLS:
                problem(path, number, f"{name}() below server/: take the clock or the randomness as a parameter")


def check_lengths(path, text):
    lines = text.splitlines()
    limit = HEADER_LINES_MAX if path.endswith(".h") else FILE_LINES_MAX
    if "/tables" not in path and len(lines) > limit:
        problem(path, len(lines), f"{len(lines)} lines; split it before {limit}")
    start = None
    for number, line in enumerate(lines, 1):
        if re.match(r"^[A-Za-z_].*\)\s*\{?\s*$", line) and ";" not in line:
            start = number
        elif line.startswith("}") and start is not None:
            if number - start > FUNCTION_LINES_MAX:
                problem(path, start, f"a function of {number - start} lines; mostly under 40, never over {FUNCTION_LINES_MAX}")
            start = None


def tracked_files():
    try:
        out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             capture_output=True, check=True).stdout
        return [name for name in out.decode().split("\0") if name and os.path.isfile(os.path.join(ROOT, name))]
    except (OSError, subprocess.CalledProcessError):
        found = []
        for base, dirs, files in os.walk(ROOT):
            dirs[:] = [d for d in dirs if not d.startswith((".", "build"))]
            found += [os.path.relpath(os.path.join(base, f), ROOT) for f in files]
        return found


def main():
    files = tracked_files()
    checked = 0
    folders = set()
    for name in files:
        folder = name.split("/")[0]
        path = os.path.join(ROOT, name)
        if name.endswith((".c", ".h")):
            folders.add(folder)
            with open(path, encoding="utf-8") as source:
                text = source.read()
            checked += 1
            check_lengths(path, text)
            if folder in MAY_INCLUDE:
                check_includes(path, folder, text)
                check_calls(path, folder, strip_comments_and_strings(text))
            for number, line in enumerate(text.splitlines(), 1):
                if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                    problem(path, number, "a leftover: finish it, or open an issue")
    for folder in sorted(folders):
        if not os.path.isfile(os.path.join(ROOT, folder, "README.md")):
            problem(os.path.join(ROOT, folder), 0, "the folder has no README.md")
    if checked == 0:
        problems.append("no source file was found: the check itself is broken")
    for line in problems:
        print(line)
    print(f"{checked} files checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
