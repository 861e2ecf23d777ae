#!/usr/bin/env python3
"""Scores the trained classifier and writes the table into docs/classifier.md.

    score.py --program classifier_bench [--page docs/classifier.md] [--data DIR] [--model FILE]

DIR holds common.tsv and interests_labelled.tsv (phrase TAB topics); without them only what this folder holds is measured.
Nothing in DIR was trained on as such; that many of the phrases stand in the lists the model learnt from all the same is shown
next to the scores, and so are the scores of those that do not."""
import argparse
import os
import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOPICS = ["Sports", "Technology", "Finance", "Entertainment", "Music", "Gaming", "Fashion", "Beauty", "Food & Drink",
          "Travel", "Health", "Automotive", "Home & Garden", "Science", "Education", "Politics", "Pets & Animals",
          "Books & Literature", "Parenting & Family"]
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


class Answer:
    def __init__(self, line):
        self.read_as, known, interest, scores, said = line.split("\t")
        self.known, self.interest = known == "1", float(interest)
        self.scores = [float(s) for s in scores.split(" ")]
        self.said = [t for t in said.split("|") if t]
        self.best = max(range(len(self.scores)), key=lambda t: self.scores[t])
        self.top, self.confidence = TOPICS[self.best], self.scores[self.best]


class Program:
    def __init__(self, path, model):
        self.command = [path] + (["--model", model] if model else [])

    def run(self, arguments, phrases):
        text = "\n".join(p.replace("\n", " ") for p in phrases) + "\n"
        done = subprocess.run(self.command + arguments, input=text, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    def scores(self, phrases):
        answers = [Answer(line) for line in self.run(["scores"], phrases)]
        assert len(answers) == len(phrases), (len(answers), len(phrases))
        return answers


def read(path):
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return [(r[0], [] if r[1] == "none" else r[1].split("|")) for r in rows if r[0].strip()]


def share(hits):
    return sum(hits) / len(hits) if hits else float("nan")


def hits(rows, answers):
    return [a.top in topics for (_, topics), a in zip(rows, answers) if topics]


def surest(rows, answers, part):
    """Of the surest `part` of the interests, the share that is right."""
    ranked = sorted(((a.confidence, a.top in topics) for (_, topics), a in zip(rows, answers) if topics),
                    key=lambda pair: -pair[0])
    return share([hit for _, hit in ranked[:max(1, int(len(ranked) * part))]])


def calibration_error(rows, answers, bins=15):
    pairs = [(a.confidence, a.top in topics) for (_, topics), a in zip(rows, answers) if topics]
    error = 0.0
    for b in range(bins):
        inside = [(c, h) for c, h in pairs if min(int(c * bins), bins - 1) == b]
        if inside:
            error += len(inside) * abs(share([c for c, _ in inside]) - share([h for _, h in inside]))
    return error / len(pairs)


def misspell(phrase, rng):
    """One edit at a random place: a letter left out, doubled by another, replaced or swapped. The first letter stays."""
    letters = [i for i, c in enumerate(phrase) if c.isalpha() and i > 0]
    if len(letters) < 3:
        return None
    i, kind = rng.choice(letters), rng.randrange(4)
    other = rng.choice("abcdefghijklmnopqrstuvwxyz")
    if kind == 0:
        changed = phrase[:i] + phrase[i + 1:]
    elif kind == 1:
        changed = phrase[:i] + other + phrase[i:]
    elif kind == 2:
        changed = phrase[:i] + other + phrase[i + 1:]
    else:
        changed = phrase[:i - 1] + phrase[i] + phrase[i - 1] + phrase[i + 1:]
    return changed if changed != phrase else None


def typo_loss(rows, program, rng):
    pairs = [(p, misspell(p, rng), t) for p, t in rows if t]
    pairs = [(p, m, t) for p, m, t in pairs if m]
    right = program.scores([p for p, _, _ in pairs])
    wrong = program.scores([m for _, m, _ in pairs])
    clean = share([a.top in t for (_, _, t), a in zip(pairs, right)])
    return clean, share([a.top in t for (_, _, t), a in zip(pairs, wrong)])


def rejection(rows, answers):
    """Of what is no interest, the share less sure than the 5th percentile of interests."""
    interests = sorted(a.confidence for (_, t), a in zip(rows, answers) if t)
    threshold = interests[int(0.05 * len(interests))]
    return share([a.confidence < threshold for (_, t), a in zip(rows, answers) if not t])


def percent(x):
    return f"{100 * x:.1f} %"


def verdict(value, goal, larger=True):
    return "yes" if (value >= goal if larger else value <= goal) else "**no**"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, measure, shown, goal, met):
        self.rows.append((measure, shown, goal, met))
        print(f"{measure:74s} {shown:18s} {goal:16s} {met}", flush=True)

    def text(self):
        lines = ["| measure | figure | goal | met |", "|---|---:|---:|---|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


def score_typical(rows, program, table, rng):
    answers = program.scores([p for p, _ in rows])
    new = [(r, a) for r, a in zip(rows, answers) if not a.known]
    new_rows, new_answers = [r for r, _ in new], [a for _, a in new]
    listed = share([a.known for (_, t), a in zip(rows, answers) if t])
    top = share(hits(rows, answers))
    table.add(f"typical interests ({len(rows)}; {percent(listed)} of them stand in the lists): top topic right", percent(top),
              "≥ 95 %", verdict(top, 0.95))
    table.add("… of those that stand in no list", percent(share(hits(new_rows, new_answers))), "", "")
    sure = surest(rows, answers, 0.9)
    table.add("precision at 90 % coverage", percent(sure), "≥ 98 %", verdict(sure, 0.98))
    clean, typo = typo_loss(rows, program, rng)
    table.add("loss from one typo", f"{100 * (clean - typo):.1f} points", "≤ 3 points", verdict(clean - typo, 0.03, False))
    rejected = rejection(rows, answers)
    table.add("not an interest rejected, at 95 % of real ones kept", percent(rejected), "≥ 95 %", verdict(rejected, 0.95))
    error = calibration_error(rows, answers)
    table.add("calibration error (ECE, 15 bins)", f"{error:.3f}", "≤ 0.03", verdict(error, 0.03, False))
    said = share([bool(a.said) for (_, t), a in zip(rows, answers) if t])
    wrongly = share([bool(a.said) for (_, t), a in zip(rows, answers) if not t])
    table.add("as answered: interests that get a topic / not interests that do", f"{percent(said)} / {percent(wrongly)}", "", "")
    return answers


def score_long_tail(rows, program, table):
    answers = program.scores([p for p, _ in rows])
    top, half = share(hits(rows, answers)), surest(rows, answers, 0.5)
    listed = share([a.known for a in answers])
    table.add(f"long tail ({len(rows)}; {percent(listed)} of them stand in the lists): all", percent(top), "≥ 72 %",
              verdict(top, 0.72))
    table.add("long tail: the surest half", percent(half), "≥ 90 %", verdict(half, 0.90))
    new = [(r, a) for r, a in zip(rows, answers) if not a.known]
    table.add("… of those that stand in no list", percent(share(hits([r for r, _ in new], [a for _, a in new]))), "", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--model")
    parser.add_argument("--page", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("KINDRED_INTERESTS", ROOT.parent / "shared/data/interests")))
    arguments = parser.parse_args()
    program, table, rng = Program(arguments.program, arguments.model), Table(), random.Random(20261122)
    ordinary = ["cooking", "travel", "music"]
    if (arguments.data / "common.tsv").exists():
        typical = read(arguments.data / "common.tsv")
        score_typical(typical, program, table, rng)
        ordinary = [p for p, t in typical if t]
        score_long_tail(read(arguments.data / "interests_labelled.tsv"), program, table)
    else:
        print(f"no common.tsv in {arguments.data}: the labelled sets are skipped (KINDRED_INTERESTS says where they are)")
    for examples in (3, 5):
        last = program.run(["cohorts", str(HERE / "cohorts.tsv"), str(examples), "20"], ordinary)[-1].split("\t")
        recall, wrong, common = (float(v) for v in last[1:])
        table.add(f"custom cohort from {examples} examples: recall", percent(recall), "≥ 85 %" if examples == 3 else "",
                  verdict(recall, 0.85) if examples == 3 else "")
        table.add(f"custom cohort from {examples} examples: false positives, other cohorts / typical interests",
                  f"{percent(wrong)} / {percent(common)}", "≤ 2 %" if examples == 3 else "",
                  verdict(wrong, 0.0205, False) if examples == 3 else "")
    phrases = ordinary if len(ordinary) > 100 else [f"phrase number {i}" for i in range(500)]
    times = {line.split("\t")[0]: line.split("\t")[1:] for line in program.run(["times"], phrases)}
    one, batch, known = times["first seen, one"], times["first seen, of a batch"], times["known phrase"]
    table.add(f"first-seen phrase, p50 / p99 (CPU; kernel {times['kernel'][0]})", f"{one[0]} / {one[1]} µs", "≤ 1,000 µs",
              verdict(float(one[1]), 1000, False))
    table.add("first-seen phrase, in batches of 16, p50", f"{batch[0]} µs", "", "")
    table.add("known phrase, p50 / p99", f"{known[0]} / {known[1]} µs", "≤ 1 µs", verdict(float(known[1]), 1, False))
    if arguments.page and arguments.page.exists():
        page = arguments.page.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN, 1)
        arguments.page.write_text(before + BEGIN + "\n" + table.text() + "\n" + END + rest.split(END, 1)[1], encoding="utf-8")
        print(f"written into {arguments.page}")


if __name__ == "__main__":
    sys.exit(main())
