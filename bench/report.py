"""From measured rounds to rows with ratios, the table, the page and the plots."""
import os
import platform
import re
import statistics

import svg

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


class Row:
    """One line of the table. values: one per round. A goal counts as met when the median reaches it, and where there is a ratio of
    CPU times, that one too: on a machine that others use as well, only the second can be trusted."""

    def __init__(self, what, values, goal=None, unit="×", at_most=False, cpu=None, note=""):
        self.what, self.values, self.goal, self.unit, self.at_most = what, values, goal, unit, at_most
        self.cpu, self.note = cpu or [], note

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    def reaches(self, value):
        return value <= self.goal if self.at_most else value >= self.goal

    @property
    def met(self):
        if self.goal is None or self.median is None:
            return ""
        by_rate = self.reaches(self.median)
        by_cpu = self.reaches(statistics.median(self.cpu)) if self.cpu else by_rate
        if by_rate != by_cpu:
            return "by rate only" if by_rate else "by CPU time only"
        return "yes" if by_rate else "**no**"

    def cells(self):
        goal = "" if self.goal is None else f"{'≤' if self.at_most else '≥'} {self.goal:g} {self.unit}"
        if not self.values:
            return [self.what, goal, "not measured", "", "", "", self.note]
        spread = f"{number(min(self.values))}–{number(max(self.values))}" if len(self.values) > 1 else ""
        cpu = f"{number(statistics.median(self.cpu))} ×" if self.cpu else ""
        return [self.what, goal, f"{number(self.median)} {self.unit}", spread, cpu, self.met, self.note]


HEADINGS = ["the same work", "goal", "measured", "spread", "by CPU time", "met", "what each side did"]


def number(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def median(rounds, field):
    return statistics.median(one[field] for one in rounds)


def ratios(ours, theirs, field, inverse=False):
    """Round by round; inverse for what is better when smaller."""
    pairs = [(a[field], b[field]) for a, b in zip(ours, theirs)]
    return [(b / a if inverse else a / b) for a, b in pairs if a > 0 and b > 0]


def compare(what, group, ours, theirs, goal=None, note=""):
    """A row from a group of interleaved rounds: throughput, and CPU time per unit beside it."""
    if ours not in group or theirs not in group:
        return Row(what, [], goal, note=f"{theirs if ours in group else ours} is not here")
    return Row(what, ratios(group[ours], group[theirs], "units_per_second"), goal,
               cpu=ratios(group[ours], group[theirs], "server_cpu_us_per_unit", inverse=True), note=note)


def markdown_table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows])


def terminal_table(rows):
    """Without the notes; columns as wide as they need to be."""
    table = [HEADINGS[:-1]] + [[cell.replace("**", "") for cell in row.cells()[:-1]] for row in rows]
    widths = [min(78, max(len(line[k]) for line in table)) for k in range(len(table[0]))]
    return "\n".join("  ".join(cell[:width].ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def absolute_table(groups):
    """Medians of what was measured, side by side: the numbers under the ratios."""
    rows = []
    for name, group in groups.items():
        for side, rounds in group.items():
            def median(field):
                return number(statistics.median(one[field] for one in rounds))
            rows.append([name, side, median("units_per_second"), median("server_cpu_us_per_unit"),
                         median("own_cpu_us_per_unit"), median("p50_us"), median("p99_us"), median("p999_us"),
                         str(sum(one["errors"] + one["unanswered"] for one in rounds))])
    return markdown_table(["work", "side", "per second", "server CPU µs each", "generator CPU µs each", "p50 µs", "p99 µs",
                           "p99.9 µs", "failed"], rows)


def machine():
    model = ""
    with open("/proc/cpuinfo") as info:
        found = re.search(r"model name\s*:\s*(.*)", info.read())
        model = found.group(1) if found else platform.machine()
    with open("/proc/meminfo") as info:
        memory = int(re.search(r"MemTotal:\s*(\d+)", info.read()).group(1)) / 1024 / 1024
    return f"{len(os.sched_getaffinity(0))} × {model}, {memory:.0f} GiB, Linux {platform.release()}"


def available_memory():
    with open("/proc/meminfo") as info:
        return int(re.search(r"MemAvailable:\s*(\d+)", info.read()).group(1)) * 1024


def busy_seconds():
    """CPU seconds that all processes together have used on this machine."""
    with open("/proc/stat") as stat:
        words = [int(word) for word in stat.readline().split()[1:]]
    idle = words[3] + words[4]
    return (sum(words[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def median_curve(rounds):
    """Of each share the median over the rounds."""
    return [(share, statistics.median(one["curve"][k][1] for one in rounds) / 1000)
            for k, (share, _) in enumerate(rounds[0]["curve"])]


def write_plots(folder, groups, growth):
    """Returns [(title, file)] of what there was to draw."""
    os.makedirs(folder, exist_ok=True)
    written = []

    def write(title, name, text):
        written.append((title, name))
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)

    shown = [(name, [(side, statistics.median(one["units_per_second"] for one in rounds)) for side, rounds in group.items()])
             for name, group in groups.items() if "Kindred" in group and len(group) > 1 and "open loop" not in name]
    write("Throughput", "throughput.svg", svg.bars("Throughput, one core for the server", shown, "/s"))
    for name, group in groups.items():
        if "open loop" in name:
            series = [(side, [(1 / (1 - min(share, 0.99999)), us) for share, us in median_curve(rounds) if share < 1])
                      for side, rounds in group.items()]
            beside = "beside" in name
            write("Latency beside other work" if beside else "Latency", "meanwhile.svg" if beside else "latency.svg", svg.lines(
                f"Latency, {name}", series, "percentile", "µs", True, True,
                [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10000, "99.99")]))
    if growth:
        write("Growth", "growth.svg", svg.lines("CPU time per ingested record as people grow", growth, "people there afterwards",
                                                "µs per record", log_x=True))
    return written


def write_page(path, text):
    """Replaces what is between the markers; the rest of the page is written by hand."""
    page = f"# Performance\n\n{BEGIN}\n{END}\n"
    if os.path.exists(path):
        with open(path) as file:
            page = file.read()
    head, rest = page.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(path, "w") as file:
        file.write(f"{head}{BEGIN}\n{text.strip()}\n{END}{tail}")
