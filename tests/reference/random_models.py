"""Random models of odd shapes, written as GGUF: every family, every rope key, every tensor type, a few hundred kilobytes.

Scales keep activations of order one; every block, row or tensor has a scale of its own.
"""
import dataclasses

import numpy as np

import gguf
import tensor_types

FAMILIES_WITH_SUB_NORMS = ("bitnet-b1.58", "bitnet-25", "bitnet")
FAMILIES_WITH_HEAD_NORMS = ("qwen3", "maple")


@dataclasses.dataclass
class Shape:
    family: str
    seed: int
    type: str = "I2_S"  # of the matrices of the layers
    embedding: str = "F16"
    head: str = ""  # of output.weight; none: tied
    ffn_type: str = ""  # of the matrices of the feed-forward network; none: as the others
    layers: int = 2
    hidden: int = 256
    heads: int = 8
    kv_heads: int = 2
    head_dim: int = 0  # none: hidden / heads
    ffn: int = 384
    vocab: int = 517
    theta: float = 10000.0
    context: int = 256
    keys: dict = dataclasses.field(default_factory=dict)  # further metadata, without the family
    rope_factors: bool = False  # rope_freqs.weight, as Llama 3.1 has it
    experts: int = 0
    row_scales: bool = False  # one scale for all blocks of a row
    scale_tensors: bool = False  # blk.N.*.scale, which multiply the product
    norm_spread: float = 0.6

    @property
    def dim(self):
        return self.head_dim or self.hidden // self.heads


class Builder:
    def __init__(self, shape):
        self.shape, self.random = shape, np.random.default_rng(shape.seed)
        self.writer = gguf.Writer(self._metadata())

    def _metadata(self):
        s = self.shape
        f = s.family + "."
        tokens = [f"t{i}" for i in range(s.vocab)]
        meta = {
            "general.architecture": s.family,
            "general.name": "random " + s.family,
            f + "vocab_size": s.vocab,
            f + "context_length": s.context,
            f + "embedding_length": s.hidden,
            f + "block_count": s.layers,
            f + "feed_forward_length": s.ffn,
            f + "attention.head_count": s.heads,
            f + "attention.head_count_kv": s.kv_heads,
            f + "attention.layer_norm_rms_epsilon": 1e-5,
            f + "rope.freq_base": s.theta,
        }
        if s.head_dim:
            meta |= {f + "attention.key_length": s.dim, f + "attention.value_length": s.dim}
        if s.family not in FAMILIES_WITH_HEAD_NORMS:
            meta[f + "rope.dimension_count"] = s.dim
        meta |= {f + key: value for key, value in s.keys.items()}
        return meta | {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "llama-bpe",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [1] * s.vocab,
            "tokenizer.ggml.merges": ["t 0"],
            "tokenizer.ggml.bos_token_id": 0,
            "tokenizer.ggml.eos_token_id": 1,
        }

    def vector(self, name, n):
        spread = self.shape.norm_spread
        self.values(name, "F32", self.random.uniform(1 - spread, 1 + spread, n))

    def values(self, name, type_name, values):
        type_ = tensor_types.TYPES[type_name]
        data = type_.encode(values.astype(np.float32))
        self.writer.add(name + ".weight", type_, values.shape, lambda: data)

    def matrix(self, name, type_name, shape, size=1.0):
        """Weights whose product with a vector of order one is of order `size`."""
        type_ = tensor_types.TYPES[type_name]
        r, n_in = self.random, shape[-1]
        if not hasattr(type_, "levels"):
            return self.values(name, type_name, r.standard_normal(shape) * size / np.sqrt(n_in))
        p = np.ones(len(type_.levels))
        if 0 in type_.levels:
            zeros = r.uniform(0.3, 0.55)
            p = np.where(np.array(type_.levels) == 2, 0.02, (1 - zeros) / 2)
            p[1] = zeros
        p /= p.sum()
        levels = r.choice(np.array(type_.levels), shape, p=p)
        unit = size / np.sqrt(n_in * (p * np.square(type_.levels)).sum())
        if type_.block is None:
            scales = np.float32(unit * r.uniform(0.6, 1.4))
        else:
            n_blocks = -(-n_in // type_.block)
            scales = r.uniform(0.6, 1.4, (*shape[:-1], 1 if self.shape.row_scales else n_blocks)) * unit
            scales = scales.repeat(n_blocks if self.shape.row_scales else 1, -1)
        data = type_.encode(levels, scales)
        self.writer.add(name + ".weight", type_, shape, lambda: data)
        if self.shape.scale_tensors and name.startswith("blk."):
            scale = np.float32(r.uniform(0.7, 1.3) * (1 if getattr(type_, "scaled", True) else unit))
            self.writer.add(name + ".scale", tensor_types.TYPES["F32"], (1,), scale.tobytes)

    def build(self):
        s = self.shape
        self.matrix("token_embd", s.embedding, (s.vocab, s.hidden), 0.25 * np.sqrt(s.hidden))
        self.vector("output_norm", s.hidden)
        if s.head:
            self.matrix("output", s.head, (s.vocab, s.hidden), 2.0)
        if s.rope_factors:
            factors = np.where(np.arange(s.dim // 2) < s.dim // 6, 1.0, np.linspace(1, 8, s.dim // 2))
            for name in ("rope_factors_long", "rope_factors_short") if s.family == "minicpm" else ("rope_freqs",):
                self.values(name, "F32", factors)
        for layer in range(s.layers):
            self._layer(f"blk.{layer}.")
        return self.writer

    def _layer(self, p):
        s, q, kv = self.shape, self.shape.heads * self.shape.dim, self.shape.kv_heads * self.shape.dim
        self.vector(p + "attn_norm", s.hidden)
        self.matrix(p + "attn_q", s.type, (q, s.hidden))
        self.matrix(p + "attn_k", s.type, (kv, s.hidden))
        self.matrix(p + "attn_v", s.type, (kv, s.hidden))
        if s.family in FAMILIES_WITH_HEAD_NORMS:
            self.vector(p + "attn_q_norm", s.dim)
            self.vector(p + "attn_k_norm", s.dim)
        if s.family in FAMILIES_WITH_SUB_NORMS:
            self.vector(p + "attn_sub_norm", q)
        self.matrix(p + "attn_output", s.type, (s.hidden, q))
        self.vector(p + "ffn_norm", s.hidden)
        if s.experts:
            self.matrix(p + "ffn_gate_inp", "F32", (s.experts, s.hidden), 2.0)
            self.matrix(p + "ffn_gate_exps", s.type, (s.experts, s.ffn, s.hidden), 3.0)
            self.matrix(p + "ffn_up_exps", s.type, (s.experts, s.ffn, s.hidden), 3.0)
            self.matrix(p + "ffn_down_exps", s.type, (s.experts, s.hidden, s.ffn), 0.3)
            return
        ffn_type = s.ffn_type or s.type
        self.matrix(p + "ffn_gate", ffn_type, (s.ffn, s.hidden))
        self.matrix(p + "ffn_up", ffn_type, (s.ffn, s.hidden))
        if s.family in FAMILIES_WITH_SUB_NORMS:
            self.vector(p + "ffn_sub_norm", s.ffn)
        self.matrix(p + "ffn_down", ffn_type, (s.hidden, s.ffn))


def write(path, shape):
    Builder(shape).build().write(path)
