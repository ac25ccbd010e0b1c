#!/usr/bin/env python3
"""A forward pass in double precision, straight from a GGUF file (numpy only): no cache, no batching, slow and simple.

    reference.py MODEL.gguf --ids 1,2,3 [--activations f32|row|32|128|llama.cpp] [--greedy N]

Families: bitnet-b1.58 / bitnet-25, bitnet, llama, qwen3, maple. It shares no code with the engine.

Activations before a coded matrix: `f32` leaves them as they are; `row` rounds a token's row to int8 with one scale;
a number rounds with one scale for so many columns. `llama.cpp` rounds as ggml's CPU kernels do, before every matrix:
to int8 with an f16 scale per 32 for Q2_0, Q1_0 and Q8_0, to int8 with an f32 scale per 256 for TQ1_0 and TQ2_0, to f16
for F16.
"""
import argparse
import math

import numpy as np

import gguf


def silu(x):
    return x / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def round_to_int8(x, columns):
    """Each value as a multiple of its block's largest magnitude / 127, rounded to nearest even."""
    blocks = x.reshape(*x.shape[:-1], -1, columns)
    smallest = 1e-5 if columns == x.shape[-1] else 2.0**-100
    s = 127 / np.maximum(np.abs(blocks).max(-1, keepdims=True), smallest)
    return (np.clip(np.rint(blocks * s), -128, 127) / s).reshape(x.shape)


def round_as_ggml(x, type_name):
    if type_name in ("F32", "BF16"):
        return x
    if type_name == "F16":
        return x.astype(np.float16).astype(np.float64)
    if type_name in ("TQ1_0", "TQ2_0"):  # q8_K: the element of largest magnitude becomes -127
        blocks = x.reshape(*x.shape[:-1], -1, 256)
        top = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)
        scale = np.where(top == 0, 1, -127 / np.where(top == 0, 1, top))
        return (np.minimum(np.rint(blocks * scale), 127) / scale).reshape(x.shape)
    blocks = x.reshape(*x.shape[:-1], -1, 32)
    d = np.abs(blocks).max(-1, keepdims=True) / 127
    q = np.rint(np.divide(blocks, d, out=np.zeros_like(blocks), where=d > 0))
    return (q * d.astype(np.float16).astype(np.float64)).reshape(x.shape)


class Matrix:
    """A weight of [out, in], or of [experts, out, in], with a `.scale` tensor where there is one; decoded when used."""

    MOST_VALUES = 1 << 24  # decoded at a time

    def __init__(self, file, name, activations):
        self.file, self.name, self.activations = file, name + ".weight", activations
        self.type, self.shape, _ = file.tensors[self.name]
        self.scale = file.read(name + ".scale")[0] if name + ".scale" in file.tensors else 1.0

    def _round(self, x):
        if self.activations == "llama.cpp":
            return round_as_ggml(x, self.type.name)
        if self.activations == "f32" or not hasattr(self.type, "levels"):
            return x
        return round_to_int8(x, x.shape[-1] if self.activations == "row" else int(self.activations))

    def __call__(self, x, expert=0):
        x, n_out = self._round(x), self.shape[-2]
        step = max(1, self.MOST_VALUES // self.shape[-1]) if self.type.block else n_out
        parts = []
        for begin in range(expert * n_out, (expert + 1) * n_out, step):
            end = min(begin + step, (expert + 1) * n_out)
            parts.append(x @ self.file.read_rows(self.name, begin, end).T)
        return np.concatenate(parts, -1) * self.scale


class Rope:
    """Rotation angles and the factor on the rotated vector, by the file's rope keys."""

    def __init__(self, get, head_dim, frequency_factors, interleaved, context_length):
        self.interleaved = interleaved
        self.n = n = get("rope.dimension_count", head_dim)
        base = get("rope.freq_base", 10000.0)
        extrapolated = base ** (-np.arange(0, n, 2) / n)
        if frequency_factors is not None:
            extrapolated = extrapolated / frequency_factors
        kind = get("rope.scaling.type", "linear")
        factor = get("rope.scaling.factor", 0.0) or get("rope.scale_linear", 0.0) or 1.0
        self.magnitude = get("rope.scaling.attn_factor", 1.0)
        self.frequencies = extrapolated
        if kind == "linear":
            self.frequencies = extrapolated / factor
        elif kind == "yarn":
            mix = self._ramp(get, n, base, context_length) * get("rope.scaling.yarn_ext_factor", 1.0)
            self.frequencies = extrapolated / factor * (1 - mix) + extrapolated * mix
            self.magnitude *= self._yarn_magnitude(get, factor)
        else:
            assert kind in ("none", "longrope"), kind  # whose factors are the tensor

    @staticmethod
    def _ramp(get, n, base, context_length):
        """1 where a pair turns often within the original context and keeps its frequency, 0 where it is stretched."""
        context = get("rope.scaling.original_context_length", context_length)

        def pair(turns):
            return n * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(base))

        low = max(0, math.floor(pair(get("rope.scaling.yarn_beta_fast", 32.0))))
        high = min(n - 1, math.ceil(pair(get("rope.scaling.yarn_beta_slow", 1.0))))
        return 1 - np.clip((np.arange(n // 2) - low) / max(0.001, high - low), 0, 1)

    @staticmethod
    def _yarn_magnitude(get, factor):
        if get("rope.scaling.yarn_ext_factor", 1.0) == 0:
            return get("rope.scaling.yarn_attn_factor", 1.0)
        return 1 + 0.1 * math.log(factor) if factor > 1 else 1.0

    def __call__(self, x):
        """x: [positions, heads, head_dim]."""
        angle = np.arange(len(x))[:, None, None] * self.frequencies
        c, s = np.cos(angle) * self.magnitude, np.sin(angle) * self.magnitude
        r = x[..., : self.n]
        a, b = (r[..., 0::2], r[..., 1::2]) if self.interleaved else np.split(r, 2, -1)
        turned = (a * c - b * s, a * s + b * c)
        turned = np.stack(turned, -1).reshape(r.shape) if self.interleaved else np.concatenate(turned, -1)
        return np.concatenate([turned, x[..., self.n :]], -1)


class Model:
    def __init__(self, path, activations="f32"):
        self.file = gguf.Reader(path)
        meta = self.file.metadata
        self.family = meta["general.architecture"]

        def get(key, default=None):
            return meta.get(f"{self.family}.{key}", default)

        self.activations = activations
        self.n_layers, hidden = get("block_count"), get("embedding_length")
        self.n_heads = get("attention.head_count")
        self.n_kv_heads = get("attention.head_count_kv", self.n_heads)
        self.head_dim = get("attention.key_length", hidden // self.n_heads)
        self.epsilon = get("attention.layer_norm_rms_epsilon")
        self.embedding_scale = get("embedding_scale", 1.0)
        self.residual_scale = get("residual_scale", 1.0)
        self.logit_scale = get("logit_scale", 1.0)
        self.relu2 = get("hidden_activation", "relu2" if self.family in ("bitnet-b1.58", "bitnet-25") else "silu") == "relu2"
        self.window = get("attention.sliding_window")
        self.sliding = get("attention.sliding_window_pattern", [False] * self.n_layers)
        self.n_experts_used = get("expert_used_count", 0)
        clamp = get("swiglu_clamp_exp", 7.0)
        self.clamp = clamp if isinstance(clamp, list) else [clamp] * self.n_layers
        factors = self.vector("rope_factors_short" if self.family == "minicpm" else "rope_freqs")
        self.rope = Rope(get, self.head_dim, factors, self.family in ("llama", "minicpm"), get("context_length"))
        self.head = self.matrix("output" if "output.weight" in self.file.tensors else "token_embd")

    def vector(self, name):
        name += ".weight"
        return self.file.read(name) if name in self.file.tensors else None

    def matrix(self, name):
        return Matrix(self.file, name, self.activations)

    def norm(self, x, name):
        weight = self.vector(name)
        return x if weight is None else x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * weight

    def attention(self, p, x, layer):
        n, d = len(x), self.head_dim
        q = self.norm(self.matrix(p + "attn_q")(x).reshape(n, self.n_heads, d), p + "attn_q_norm")
        k = self.norm(self.matrix(p + "attn_k")(x).reshape(n, self.n_kv_heads, d), p + "attn_k_norm")
        v = self.matrix(p + "attn_v")(x).reshape(n, self.n_kv_heads, d)
        if self.family != "maple" or self.sliding[layer]:
            q, k = self.rope(q), self.rope(k)
        query, key = np.arange(n)[:, None], np.arange(n)[None]
        hidden = key > query
        if self.sliding[layer]:
            hidden |= query - key >= self.window
        group = self.n_heads // self.n_kv_heads
        scores = np.einsum("qhd,khd->hqk", q, k.repeat(group, 1)) / math.sqrt(d)
        weights = softmax(np.where(hidden, -np.inf, scores))
        mixed = np.einsum("hqk,khd->qhd", weights, v.repeat(group, 1)).reshape(n, -1)
        return self.matrix(p + "attn_output")(self.norm(mixed, p + "attn_sub_norm"))

    def feed_forward(self, p, x):
        gate, up = self.matrix(p + "ffn_gate")(x), self.matrix(p + "ffn_up")(x)
        f = (np.maximum(gate, 0) ** 2 if self.relu2 else silu(gate)) * up
        return self.matrix(p + "ffn_down")(self.norm(f, p + "ffn_sub_norm"))

    def experts(self, p, x, layer):
        gate, up, down = (self.matrix(f"{p}ffn_{n}_exps") for n in ("gate", "up", "down"))
        weights = softmax(self.matrix(p + "ffn_gate_inp")(x))
        out, limit = np.zeros_like(x), self.clamp[layer]
        for i, row in enumerate(weights):
            chosen = np.argsort(-row, kind="stable")[: self.n_experts_used]
            for e in chosen:
                g, u = gate(x[i : i + 1], e), up(x[i : i + 1], e)
                if limit > 0:
                    g, u = np.minimum(g, limit), np.clip(u, -limit, limit)
                out[i] += down(silu(g) * u, e)[0] * row[e] / row[chosen].sum()
        return out

    def forward(self, ids):
        """Name to values of every position, as tests/data/golden/README.md names them."""
        out = {}
        x = np.concatenate([self.file.read_rows("token_embd.weight", i, i + 1) for i in ids]) * self.embedding_scale
        for layer in range(self.n_layers):
            p = f"blk.{layer}."
            x = x + self.residual_scale * self.attention(p, self.norm(x, p + "attn_norm"), layer)
            out[p + "attn_out"] = x
            h = self.norm(x, p + "ffn_norm")
            x = x + self.residual_scale * (self.experts(p, h, layer) if self.n_experts_used else self.feed_forward(p, h))
            out[p + "l_out"] = x
        out["result_norm"] = self.norm(x, "output_norm")
        out["logits"] = self.head(out["result_norm"]) / self.logit_scale
        return out

    def greedy(self, ids, n):
        """The next n tokens, and how far each one's logit was above the second best."""
        ids, margins = list(ids), []
        for _ in range(n):
            logits = self.forward(ids)["logits"][-1]
            second, best = np.sort(logits)[-2:]
            margins.append(float(best - second))
            ids.append(int(logits.argmax()))
        return ids[-n:] if n else [], margins


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--ids", required=True)
    parser.add_argument("--activations", default="f32")
    parser.add_argument("--greedy", type=int, default=0)
    options = parser.parse_args()
    ids = [int(i) for i in options.ids.split(",")]
    model = Model(options.model, options.activations)
    logits = model.forward(ids)["logits"][-1]
    print("best of the last position:", [(int(i), round(float(logits[i]), 5)) for i in np.argsort(-logits)[:5]])
    if options.greedy:
        print("continuation:", *model.greedy(ids, options.greedy)[0])


if __name__ == "__main__":
    main()
