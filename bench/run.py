#!/usr/bin/env python3
"""make bench: the same people and the same work on Kindred and on what people use today, round by round.

The server under test has one core, the load generator another, on every side. Rounds go A B C, C B A, …; ratios are taken
within a round. What takes how long is printed on the way. See README.md."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import against
import alone
import peers
import report
from harness import Harness, Progress, STARTED, minutes, say

PACKAGES = {"nginx": ("nginx-light", peers.Nginx), "Redis": ("redis-server", peers.Redis),
            "PostgreSQL": ("postgresql", peers.Postgres)}


def install_peers():
    """From Debian, as root; otherwise says what is missing. A peer that stays away is named in the table."""
    missing = [package for package, peer in PACKAGES.values() if not peer.find()]
    if not missing:
        return
    if os.geteuid() != 0:
        say(f"not installed, so left out: {', '.join(missing)}. To include them: sudo apt-get install {' '.join(missing)}")
        return
    say(f"installing what is compared with: apt-get install {' '.join(missing)}")
    # Installing must not start daemons: policy-rc.d tells Debian's scripts so.
    policy = "/usr/sbin/policy-rc.d"
    made = not os.path.exists(policy)
    if made:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        for command in (["apt-get", "update", "-qq"],
                        ["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + missing):
            if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
                say(f"`{' '.join(command)}` failed; going on with what is there")
    finally:
        if made:
            os.unlink(policy)


def phases(h):
    """In this order: what needs the peers first, so that they can end and leave their memory to the rest. Seconds are estimates for
    a machine like the one in docs/performance.md; Progress corrects them as it goes."""
    options, million, r = h.options, h.options.people / 1e6, h.rounds
    sides = 2 + sum(1 for _, peer in PACKAGES.values() if peer.find() and not options.alone)
    timed = options.seconds + 0.4
    part = min(0.1, million / 5)
    known = [
        ("ingest", "everybody is loaded everywhere", 6 + 50 * million, lambda: against.ingest(h), True),
        ("lookup", "lookups", 2 * r * sides * timed, lambda: against.lookups(h), True),
        ("latency", "latency at a constant rate", max(3, r - 2) * sides * timed, lambda: against.latency(h), False),
        ("page", "cohort pages", 6 * million + 2.5 * r * 2 * timed, lambda: against.pages(h), False),
        ("durable", "writes that wait for the disk", 3 + r * (60 * part + (1.5 if options.quick else 5)), lambda: against.durable(h), True),
        (None, "the peers end", 1, lambda: h.release(h.redis, h.postgres, h.nginx, h.floor), True),
        ("start", "starting and stopping", 2 + 8 * million, lambda: alone.starting(h), True),
        ("meanwhile", "lookups beside other work", 6 + r * (9 + 12 * min(0.5, million)), lambda: alone.meanwhile(h), False),
        ("workers", "two workers against one", 3 + 8 * r, lambda: alone.workers(h), False),
        ("huge", "huge pages on and off", (3 if million > 2 else r) * 2 * (timed + 1 + 2 * million), lambda: alone.huge_pages(h), False),
        ("micro", "hot paths alone", 8 + 20 * min(1, million), lambda: alone.hot_paths(h), not options.quick),
    ]
    wanted = options.only.split(",") if options.only else None
    # Everything else needs people.
    chosen = [(what, seconds, work) for word, what, seconds, work, quick in known
              if word in (None, "ingest") or (word in wanted if wanted else quick or not options.quick)]
    return [("servers start", 8, h.start)] + chosen


def page_text(bench, plots, folder):
    missing = [name for name, (_, peer) in PACKAGES.items() if not peer.find()]
    parts = [
        f"Measured {time.strftime('%Y-%m-%d')} with `make bench PEOPLE={bench.options.people} ROUNDS={bench.rounds}`: "
        f"medians of the ratios within each round, lowest and highest beside them. Machine: {report.machine()}."
        + (f" Not installed, so left out: {', '.join(missing)}." if missing else ""),
        report.markdown_table(report.HEADINGS, [row.cells() for row in bench.rows]),
        "\n".join("- " + fact for fact in bench.facts),
        "\n\n".join(f"![{title}]({folder}/{file})" for title, file in plots),
        "### The numbers under the ratios\n\nOf this machine on that day; they are here to be divided by each other.\n\n"
        + report.absolute_table(bench.groups),
    ]
    if bench.micro:
        parts.append("### Hot paths alone\n\n```\n" + bench.micro.rstrip() + "\n```")
    return "\n\n".join(parts)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--topics", help="topics for the hot paths alone (bench/topics.json); without them these are left out")
    parser.add_argument("--people", type=int, default=0, help="1,000 to 10,000,000; PEOPLE in the environment says it, too (1,000,000)")
    parser.add_argument("--rounds", type=int, default=0, help="of each comparison; ROUNDS in the environment says it, too (5)")
    parser.add_argument("--seconds", type=float, default=0, help="of each timed measurement (2)")
    parser.add_argument("--quick", action="store_true", help="100,000 people, 3 rounds of 1 second, the first rows")
    parser.add_argument("--install", action="store_true", help="peers that are missing, from Debian, when root")
    parser.add_argument("--alone", action="store_true", help="without peers")
    parser.add_argument("--only", help="after loading only these, commas between: lookup, latency, page, durable, start, meanwhile, "
                        "workers, huge, micro")
    parser.add_argument("--folder", help="where temporary data goes; a disk, not a RAM file system")
    parser.add_argument("--keep", action="store_true", help="leave the temporary data there")
    parser.add_argument("--page", help="the page whose part between the markers is written anew; over a "
                        "million people: the page beside it whose name ends in -large")
    parser.add_argument("--plots", help="the folder that plots are written to")
    options = parser.parse_args()
    options.people = options.people or int(os.environ.get("PEOPLE") or (100000 if options.quick else 1000000))
    options.rounds = options.rounds or int(os.environ.get("ROUNDS") or (3 if options.quick else 5))
    options.seconds = options.seconds or (1 if options.quick else 2)
    options.build = os.path.abspath(options.build)
    if not 1000 <= options.people <= 10000000:
        parser.error("PEOPLE is 1000 to 10000000")
    if options.people > 1000000:  # the large run has a page and plots of its own beside the usual one's
        options.page = options.page and options.page.replace(".md", "-large.md")
        options.plots = options.plots and os.path.join(options.plots, "large")
    return options


def check_room(options, folder):
    """Everybody in three systems, their logs, and what is prepared to be sent. Better said now than after half an hour."""
    disk, memory = options.people * 4500 + 2e9, options.people * 1500 + 3e9
    free_disk, free_memory = shutil.disk_usage(folder).free, report.available_memory()
    if free_disk < disk or free_memory < memory:
        say(f"this needs about {disk / 1e9:.0f} GB of disk and {memory / 1e9:.0f} GB of memory; free are {free_disk / 1e9:.0f} and "
            f"{free_memory / 1e9:.0f}: it may fail. PEOPLE=… takes fewer people, --folder another disk")


def write_results(options, bench):
    with open(os.path.join(options.build, "bench", "results.json"), "w") as file:
        json.dump({"machine": report.machine(), "people": options.people, "groups": bench.groups, "growth": bench.growth,
                   "facts": bench.facts, "rows": [row.cells() for row in bench.rows]}, file, indent=1)
    plots = report.write_plots(options.plots, bench.groups, bench.growth) if options.plots else []
    if options.page:
        folder = os.path.relpath(options.plots or "plots", os.path.dirname(options.page) or ".")
        report.write_page(options.page, page_text(bench, plots, folder))
        print(f"written: {os.path.relpath(options.page)}")


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.install:
        install_peers()
    bench = Harness(options)
    say(f"{options.people:,} people, {options.rounds} rounds, in {bench.folder}")
    check_room(options, bench.folder)
    try:
        Progress(phases(bench)).run()
    finally:
        bench.stop()
    bench.facts.append(bench.other_load())
    print("\n" + report.terminal_table(bench.rows) + "\n")
    for fact in bench.facts:
        print("- " + fact.replace("**", ""))
    if bench.micro:
        print("\n" + bench.micro)
    write_results(options, bench)
    say(f"done in {minutes(time.monotonic() - STARTED)}")


if __name__ == "__main__":
    main()
