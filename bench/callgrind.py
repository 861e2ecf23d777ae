#!/usr/bin/env python3
"""Counts the instructions of the hot paths and compares them with a budget. Counts repeat (within about 0.2 %), times do not.

  callgrind.py --program MICRO --topics FILE --budget budget.json [--update]

Runs `micro --once` under valgrind's callgrind, collecting inside the functions region_* only. More than 10 % over the budget fails.
A budget belongs to a compiler and a kind of processor; where there is none, the counts are only printed. Exit codes: 0 within, 1 over
budget, 77 skipped."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ALLOWED = 1.10
PEOPLE = 2000
SKIPPED = 77


def count(program, topics):
    """{path: instructions per operation}"""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind.out")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
             "--toggle-collect=region_*", program, "--topics", topics, "--people", str(PEOPLE), "--once"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, TMPDIR=folder))
        if run.returncode != 0:
            sys.exit(f"callgrind: the workload failed:\n{run.stdout}{run.stderr}")
        operations = {name: int(number) for name, number in (line.split() for line in run.stdout.splitlines())}
        listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", out],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    inclusive = {}
    for line in listing.splitlines():
        found = re.match(r"\s*([\d,]+) .*[:/]region_(\w+)", line)
        if found:
            # A line per source file that was inlined; the whole function is the largest.
            amount = int(found.group(1).replace(",", ""))
            inclusive[found.group(2)] = max(amount, inclusive.get(found.group(2), 0))
    missing = set(operations) - set(inclusive)
    if missing:
        sys.exit(f"callgrind: no counts for {', '.join(sorted(missing))}")
    return {name: inclusive[name] / operations[name] for name in operations}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--topics", required=True)
    parser.add_argument("--budget", required=True)
    parser.add_argument("--toolchain", required=True, help="compiler and machine, the key in the budget: GNU-12-x86_64")
    parser.add_argument("--update", action="store_true", help="write what was counted as the new budget")
    options = parser.parse_args()
    if not shutil.which("valgrind") or not shutil.which("callgrind_annotate"):
        print("skipped: valgrind is not installed (apt-get install valgrind)")
        sys.exit(SKIPPED)
    counts = count(options.program, options.topics)
    with open(options.budget) as file:
        budgets = json.load(file)
    if options.update:
        budgets[options.toolchain] = {name: round(amount) for name, amount in counts.items()}
        with open(options.budget, "w") as file:
            json.dump(budgets, file, indent=4)
            file.write("\n")
    budget = budgets.get(options.toolchain, {})
    over = []
    print(f"{'instructions per operation':30} {'counted':>14} {'budget':>14}   ({options.toolchain})")
    for name, amount in counts.items():
        allowed = budget.get(name)
        print(f"{name:30} {amount:14,.0f} {'-' if allowed is None else format(allowed, ',d'):>14}"
              + ("" if allowed is None else f"   {100 * amount / allowed - 100:+.1f} %"))
        if allowed is not None and amount > allowed * ALLOWED:
            over.append(name)
    if not budget:
        print(f"No budget for {options.toolchain}: only counted. `bench/callgrind.py --update` makes one.")
    if over:
        print(f"OVER BUDGET by more than {100 * ALLOWED - 100:.0f} %: {', '.join(over)}. If it is worth it, run the target "
              "bench-budget and say why in the commit.")
        sys.exit(1)


if __name__ == "__main__":
    main()
