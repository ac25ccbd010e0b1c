#!/usr/bin/env python3
"""Writes village.json anew: the perplexity of village.txt under the canary, in double precision (numpy).

    reference.py [--check]      --check compares with the file that is there instead, to ten digits

Slow and simple on purpose: each window is one full pass, without a cache, and nothing is shared with the engine:
neither code nor tokenizer, which is the one that the canary was trained with.
"""
import argparse
import json
import math
import pathlib
import struct
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "models" / "recipe"))
import bpe  # noqa: E402

CASES = [(128, 0), (200, 100), (96, 40), (64, 0)]  # window, stride
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
F32, F16, I2_S = 0, 1, 36


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self):
        n = self.take("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            kind, n = self.take("I"), self.take("Q")
            return [self.value(kind) for _ in range(n)]
        return self.take(SCALARS[kind])


def read_model(path):
    """The metadata, and the tensors: arrays, or (array of -1, 0, 1; scale)."""
    reader = Reader(path.read_bytes())
    assert reader.take("I") == 0x46554747 and reader.take("I") == 3
    n_tensors, n_keys = reader.take("Q"), reader.take("Q")
    keys, entries, tensors = {}, [], {}
    for _ in range(n_keys):
        name = reader.text()
        keys[name] = reader.value(reader.take("I"))
    for _ in range(n_tensors):
        name = reader.text()
        dims = [reader.take("Q") for _ in range(reader.take("I"))]
        entries.append((name, dims[::-1], reader.take("I"), reader.take("Q")))
    alignment = keys.get("general.alignment", 32)
    begin = -(-reader.at // alignment) * alignment
    for name, shape, kind, offset in entries:
        at, n = begin + offset, math.prod(shape)
        if kind == I2_S:  # in groups of 128 elements: element j in byte j % 32, bits 6 - 2 * (j // 32)
            groups = np.frombuffer(reader.data, np.uint8, n // 4, at).reshape(-1, 32)
            codes = np.stack([groups >> 6, groups >> 4 & 3, groups >> 2 & 3, groups & 3], 1)
            scale, = struct.unpack_from("<f", reader.data, at + n // 4)
            tensors[name] = (codes.reshape(shape).astype(np.float64) - 1, scale)
        else:
            numbers = np.frombuffer(reader.data, {F32: "<f4", F16: "<f2"}[kind], n, at)
            tensors[name] = numbers.reshape(shape).astype(np.float64)
    return keys, tensors


class Canary:
    def __init__(self, path):
        self.keys, self.tensors = read_model(path)
        arch = self.keys["general.architecture"]
        assert arch == "bitnet-b1.58"
        self.layers, self.hidden, self.heads, self.kv_heads, self.eps, self.theta = (
            self.keys[f"{arch}.{name}"] for name in
            ("block_count", "embedding_length", "attention.head_count", "attention.head_count_kv",
             "attention.layer_norm_rms_epsilon", "rope.freq_base"))

    def product(self, x, name, rounds):
        weights, scale = self.tensors[name]
        if not rounds:
            return x @ weights.T * scale
        s = 127 / np.maximum(np.abs(x).max(-1, keepdims=True), 1e-5)
        return np.clip(np.rint(x * s), -128, 127) @ weights.T * (scale / s)

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.tensors[name]

    def rope(self, x):
        half = x.shape[-1] // 2
        angles = np.arange(len(x))[:, None, None] * self.theta ** (-np.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate((a * np.cos(angles) - b * np.sin(angles),
                               b * np.cos(angles) + a * np.sin(angles)), -1)

    def logits(self, ids, rounds):
        n, d = len(ids), self.hidden // self.heads
        future = np.triu(np.full((n, n), -np.inf), 1)
        x = self.tensors["token_embd.weight"][ids]
        for layer in range(self.layers):
            def part(y, name):
                return self.product(y, f"blk.{layer}.{name}.weight", rounds)

            def norm(y, name):
                return self.norm(y, f"blk.{layer}.{name}.weight")

            h = norm(x, "attn_norm")
            q = self.rope(part(h, "attn_q").reshape(n, -1, d))
            k = self.rope(part(h, "attn_k").reshape(n, -1, d)).repeat(self.heads // self.kv_heads, 1)
            v = part(h, "attn_v").reshape(n, -1, d).repeat(self.heads // self.kv_heads, 1)
            scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(d) + future
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            a = np.einsum("hqk,khd->qhd", weights, v).reshape(n, -1)
            x = x + part(norm(a, "attn_sub_norm"), "attn_output")
            h = norm(x, "ffn_norm")
            f = np.maximum(part(h, "ffn_gate"), 0) ** 2 * part(h, "ffn_up")
            x = x + part(norm(f, "ffn_sub_norm"), "ffn_down")
        return self.norm(x, "output_norm.weight") @ self.tensors["token_embd.weight"].T


def measure(model, ids, window, stride, rounds):
    step, first = (stride, window - stride) if stride else (window, window // 2 + 1)
    begins = range(0, len(ids) - window + 1, step)
    nll = []
    for begin in begins:
        run = [ids[0]] + ids[begin + 1:begin + window]  # BOS in place of the first
        logits = model.logits(run[:-1], rounds)
        top = logits.max(-1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
        nll += [-log_p[at - 1, run[at]] for at in range(first, window)]
    mean, error = np.mean(nll), np.std(nll, ddof=1) / math.sqrt(len(nll))
    return {"window": window, "stride": stride, "activations": "int8" if rounds else "f32", "text_tokens": len(ids),
            "windows": len(begins), "scored_tokens": len(nll), "mean_nll": round(float(mean), 10),
            "mean_nll_error": round(float(error), 10), "perplexity": round(math.exp(mean), 10),
            "perplexity_error": round(math.exp(mean) * float(error), 10)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    model = Canary(ROOT / "models" / "canary.gguf")
    tokens, types = (model.keys[f"tokenizer.ggml.{name}"] for name in ("tokens", "token_type"))
    merges = [tuple(merge.split(" ")) for merge in model.keys["tokenizer.ggml.merges"]]
    control = [token for token, kind in zip(tokens, types) if kind == bpe.CONTROL]
    tokenizer = bpe.Tokenizer(merges, control, len(tokens))
    assert tokenizer.tokens == tokens
    text = (HERE / "village.txt").read_text().removesuffix("\n")
    ids = tokenizer.encode_document(["<|begin_of_text|>", text])
    results = [measure(model, ids, window, stride, rounds) for window, stride in CASES for rounds in (True, False)]
    file = HERE / "village.json"
    if not check:
        file.write_text(json.dumps(results, indent=1) + "\n")
        return
    for got, written in zip(results, json.loads(file.read_text()), strict=True):
        assert got.keys() == written.keys()
        for name, value in got.items():
            same = value == written[name] or math.isclose(value, written[name], rel_tol=1e-9)
            assert same, f"{name} is {value}, not {written[name]}"
    print(f"village.json holds what was computed: {len(results)} cases")


if __name__ == "__main__":
    main()
