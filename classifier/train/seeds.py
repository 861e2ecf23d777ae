"""How far topic names and a dozen seeds each get, without any list: the floor that training has to beat.

    python seeds.py CACHE LABELLED.tsv      (phrase TAB topics joined by |, with a header line)

Encoder and word vectors as in train.py, whitened over the words of the seeds' own world (the unlabelled lists), one centroid per
topic, the nearest one answers."""
import pathlib
import sys

import numpy as np

from fold import fold
from phrases import HERE, TOPICS, read_lists
from train import Featurizer


def main(cache, labelled):
    f = Featurizer(pathlib.Path(cache), {})
    rows = [line.split("\t") for line in pathlib.Path(labelled).read_text(encoding="utf-8").splitlines()[1:]]
    rows = [(fold(r[0]), r[1].split("|")) for r in rows if r[1] != "none"]
    unlabelled = sorted(read_lists())
    sample = np.random.default_rng(1).choice(len(unlabelled), 6000, replace=False)
    world = f([unlabelled[i] for i in sample])[:, :612]
    mean = world.mean(0)
    values, vectors = np.linalg.eigh(np.cov((world - mean).T))
    matrix = vectors / np.sqrt(values + values.max())

    def place(folded):
        e = (f(folded)[:, :612] - mean) @ matrix
        return e / np.linalg.norm(e, axis=1, keepdims=True)

    seeds = dict(line.split("\t") for line in (HERE / "seeds.tsv").read_text(encoding="utf-8").splitlines())
    centres = np.stack([place([fold(s) for s in [t] + seeds[t].split("|")]).mean(0) for t in TOPICS])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    best = (place([r[0] for r in rows]) @ centres.T).argmax(1)
    print(f"from topic names and seeds alone: {np.mean([TOPICS[b] in r[1] for b, r in zip(best, rows)]):.4f} of {len(rows)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
