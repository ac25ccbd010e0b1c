#!/usr/bin/env python3
"""Writes the random models of tests/data/models that stand below, and their golden values in tests/data/golden.

    make_golden.py [NAME...]      these alone

The layers' outputs and logits of NAME.f32 round activations to int8 as the engine does unless told otherwise; those of
NAME.unquantized.f32 do not.
"""
import json
import pathlib
import sys

import numpy as np

import random_models
from random_models import Shape
from reference import Model

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
YARN = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 64,
}
YARN_KEYS = YARN | {
    "rope.scaling.attn_factor": 1.25,
    "rope.scaling.yarn_ext_factor": 0.75,
    "rope.scaling.yarn_attn_factor": 1.5,
    "rope.scaling.yarn_beta_fast": 16.0,
    "rope.scaling.yarn_beta_slow": 2.0,
}
EXPERTS = {
    "expert_count": 6,
    "expert_used_count": 3,
    "expert_feed_forward_length": 64,
    "attention.sliding_window": 5,
    "attention.sliding_window_pattern": [True, True, False],
    "rope.dimension_count": 16,
    "swiglu_clamp_exp": 3.0,
}
LINEAR = {"rope.scaling.type": "linear", "rope.scaling.factor": 3.0}
SMALL = {"hidden": 128, "vocab": 333}
# Each with the form of activations that its NAME.f32 has.
CASES = {
    "random-qwen3-q2_0": (
        Shape("qwen3", 11, "Q2_0", "Q2_0", "Q2_0", hidden=192, heads=6, head_dim=64, vocab=777, theta=1e6, keys=YARN_KEYS),
        "32",
    ),
    "random-qwen3-q2_0-128": (Shape("qwen3", 12, "Q2_0-128", "Q2_0-128", **SMALL, heads=4, head_dim=64, theta=1e6), "32"),
    "random-qwen3-pq2_0": (
        Shape("qwen3", 13, "PQ2_0", "PQ2_0", "Q2_0-128", **SMALL, ffn=640, heads=3, kv_heads=1, head_dim=128, keys=YARN),
        "32",
    ),
    "random-qwen3-ptq1_0": (Shape("qwen3", 14, "PTQ1_0", "PTQ1_0", **SMALL, heads=6, kv_heads=3, head_dim=128), "32"),
    "random-qwen3-q1_0": (Shape("qwen3", 15, "Q1_0", "Q1_0", heads=6, head_dim=64), "32"),
    "random-llama3-tq1_0": (
        Shape("llama", 16, "TQ1_0", "Q8_0", "Q8_0", kv_heads=4, ffn=768, vocab=217, rope_factors=True),
        "32",
    ),
    "random-llama-tq2_0": (Shape("llama", 17, "TQ2_0", "F16", "TQ2_0", ffn=256, vocab=217, row_scales=True, keys=YARN), "32"),
    "random-llama-linear": (Shape("llama", 18, "I2_S", "F16", "F16", **SMALL, keys=LINEAR), "row"),
    "random-bitnet-tq2_0-scales": (
        Shape("bitnet", 19, "TQ2_0", "F16", kv_heads=8, ffn=256, vocab=217, scale_tensors=True),
        "row",
    ),
    "random-bitnet-b1.58-silu": (
        Shape("bitnet-b1.58", 20, "I2_S", "F16", **SMALL, kv_heads=8, keys={"hidden_activation": "silu"}),
        "row",
    ),
    "random-bitnet-relu2": (Shape("bitnet", 21, "I2_S", "F16", **SMALL, keys={"hidden_activation": "relu2"}), "row"),
    "random-maple-q2_0": (
        Shape(
            "maple", 22, "Q2_0", "F16", "Q2_0", **SMALL, layers=3, heads=6, head_dim=32, ffn=64, experts=6,
            row_scales=True, keys=EXPERTS,
        ),
        "32",
    ),
    "random-llama-qk256": (
        Shape("llama", 23, "QK256-four_level-scaled", ffn_type="BitNet32", head="F16", **SMALL, heads=4, ffn=288),
        "32",
    ),
    "random-qwen3-qk256-thirds": (
        Shape("qwen3", 24, "QK256-thirds", embedding="Q8_0", hidden=288, ffn=160, vocab=217, heads=4, head_dim=32, scale_tensors=True),
        "32",
    ),
}  # fmt: skip
N_IDS, N_GREEDY = 12, 8


def make(name, shape, activations):
    path = DATA / "models" / (name + ".gguf")
    random_models.write(path, shape)
    ids = np.random.default_rng(shape.seed).integers(0, shape.vocab, N_IDS).tolist()
    model = Model(path, activations)
    index, offset = [], 0
    with open(DATA / "golden" / (name + ".f32"), "wb") as file:
        for key, x in model.forward(ids).items():
            file.write(x.astype("<f4").tobytes())
            index.append({"name": key, "shape": list(x.shape), "offset": offset})
            offset += x.size * 4
    tokens, margins = model.greedy(ids, N_GREEDY)
    exact = Model(path).forward(ids)["logits"]
    exact.astype("<f4").tofile(DATA / "golden" / (name + ".unquantized.f32"))
    golden = {
        "model": path.name,
        "prompt": None,
        "activations": activations,
        "ids": ids,
        "greedy": tokens,
        "greedy_margin": [round(m, 4) for m in margins],
        "tensors": index,
    }
    (DATA / "golden" / (name + ".json")).write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{name}: {path.stat().st_size} bytes, logits {exact.std():.2f}, smallest margin {min(margins):.4f}")


def main():
    for name, (shape, activations) in CASES.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            make(name, shape, activations)


if __name__ == "__main__":
    main()
