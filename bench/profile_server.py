#!/usr/bin/env python3
"""make bench-profile: where the server's CPU time goes, by module and by function, while it ingests and while it looks people up.

  profile_server.py --build DIR [--people N] [--seconds S] [--functions N]

Samples come from `perf record` on the server, as in `make bench` on one core. Functions are told apart by the library they were built
into; what is outside Kindred goes by its file's name."""
import argparse
import collections
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import peers

FREQUENCY = 1999  # samples a second; prime, so that nothing periodic is hit always or never


def modules_of_functions(build):
    """function → module, from the static libraries. A name that several have (a static function) gets all their names."""
    found = collections.defaultdict(set)
    for library in glob.glob(os.path.join(build, "*", "libkindred_*.a")):
        module = re.search(r"libkindred_(\w+)\.a$", library).group(1)
        listing = subprocess.run(["nm", "--defined-only", library], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        for line in listing.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in "tT":
                found[words[2]].add(module)
    return {name: "/".join(sorted(modules)) for name, modules in found.items()}


def module_of(function, file, functions):
    if file.startswith("["):
        return "kernel"
    name = os.path.basename(file)
    if name == "kindred":
        return functions.get(re.sub(r"\.(isra|part|constprop|cold|lto_priv)\b.*", "", function), "kindred, other")
    return re.sub(r"\.so.*|-[\d.]+\.so.*", "", name)


def profile(server, folder, work):
    """Runs work() under perf; [(function, file)] for every sample."""
    data = os.path.join(folder, "perf.data")
    perf = subprocess.Popen(["perf", "record", "-q", "-F", str(FREQUENCY), "-p", str(server.pid), "-o", data],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    work()
    perf.send_signal(signal.SIGINT)
    _, complaint = perf.communicate()
    if not os.path.exists(data) or os.path.getsize(data) == 0:
        sys.exit(f"perf may not look at the server here: {complaint.strip()[:300]}")
    script = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    samples = []
    for line in script.stdout.splitlines():
        match = re.match(r"\s*[0-9a-f]+\s+(.+?)\s+\((.+)\)\s*$", line)
        if match:
            samples.append((match.group(1), match.group(2)))
    return samples


def show(title, samples, functions, top):
    print(f"\n{title}: {len(samples):,} samples")
    modules, hot = collections.Counter(), collections.Counter()
    for function, file in samples:
        module = module_of(function, file, functions)
        modules[module] += 1
        hot[(module, function)] += 1
    for module, count in modules.most_common():
        if count * 200 >= len(samples):
            print(f"  {100 * count / len(samples):5.1f} %  {module}")
    print(f"  the {top} functions with most:")
    for (module, function), count in hot.most_common(top):
        print(f"  {100 * count / len(samples):5.1f} %  {function}  ({module})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--people", type=int, default=int(os.environ.get("PEOPLE") or 1000000), help="PEOPLE in the environment says it, too")
    parser.add_argument("--seconds", type=float, default=5, help="of lookups")
    parser.add_argument("--functions", type=int, default=15, help="how many are named")
    parser.add_argument("--folder", help="where temporary data goes; a disk, not a RAM file system")
    options = parser.parse_args()
    if not shutil.which("perf"):
        sys.exit("make bench-profile needs perf: apt-get install linux-perf")
    build = os.path.abspath(options.build)
    cores = sorted(os.sched_getaffinity(0))
    functions = modules_of_functions(build)
    with tempfile.TemporaryDirectory(prefix="kindred-profile-", dir=options.folder) as folder:
        server = peers.Kindred(folder, {cores[0]}, os.path.join(build, "kindred"))
        server.start("interval")

        def load(*words):
            command = [os.path.join(build, "bench", "load"), "--port", str(server.port), "--pid", str(server.pid), *map(str, words)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cores[-1]}))
        try:
            half = options.people // 2
            load("--work", "ingest", "--first", 0, "--count", half, "--connections", 4)
            server.settle()
            show(f"Ingest, {half:,} more people, 500 a body", profile(server, folder, lambda: load(
                "--work", "ingest", "--first", half, "--count", half, "--connections", 4)), functions, options.functions)
            server.settle()
            for depth, title in ((1, "Lookups, 64 connections"), (16, "Lookups, 64 connections, pipelined 16 deep")):
                show(title, profile(server, folder, lambda depth=depth: load(
                    "--work", "lookup", "--people", 2 * half, "--connections", 64, "--depth", depth, "--seconds", options.seconds)),
                    functions, options.functions)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
