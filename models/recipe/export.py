"""Writes a trained canary model as a GGUF file: architecture bitnet-b1.58, ternary tensors as I2_S."""
import argparse
import json

import numpy as np
import torch

from bpe import Tokenizer
from gguf_write import BOOL, F16, F32, FLOAT32, I2_S, I32, STRING, U32, key_array, key_value, pack_i2_s, write_gguf

ARCHITECTURE = "bitnet-b1.58"
FILE_TYPE_I2_S = 40

CHAT_TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}")

NORMS = ("attn_norm", "attn_sub_norm", "ffn_norm", "ffn_sub_norm")
# The model's own name of each ternary matrix, and GGUF's.
MATRICES = dict(q="attn_q", k="attn_k", v="attn_v", o="attn_output", gate="ffn_gate", up="ffn_up", down="ffn_down")


def make_metadata(config, tokenizer, bos, eos):
    arch = ARCHITECTURE
    return [
        key_value("general.architecture", STRING, arch),
        key_value("general.name", STRING, "canary"),
        key_value("general.file_type", U32, FILE_TYPE_I2_S),
        key_value("general.quantization_version", U32, 2),
        key_value(arch + ".vocab_size", U32, config["vocab"]),
        key_value(arch + ".context_length", U32, config["context"]),
        key_value(arch + ".embedding_length", U32, config["hidden"]),
        key_value(arch + ".block_count", U32, config["layers"]),
        key_value(arch + ".feed_forward_length", U32, config["ffn"]),
        key_value(arch + ".rope.dimension_count", U32, config["hidden"] // config["heads"]),
        key_value(arch + ".attention.head_count", U32, config["heads"]),
        key_value(arch + ".attention.head_count_kv", U32, config["kv_heads"]),
        key_value(arch + ".attention.layer_norm_rms_epsilon", FLOAT32, config["rms_epsilon"]),
        key_value(arch + ".rope.freq_base", FLOAT32, config["rope_theta"]),
        key_value("tokenizer.ggml.model", STRING, "gpt2"),
        key_value("tokenizer.ggml.pre", STRING, "llama-bpe"),
        key_array("tokenizer.ggml.tokens", STRING, tokenizer.tokens),
        key_array("tokenizer.ggml.token_type", I32, tokenizer.types),
        key_array("tokenizer.ggml.merges", STRING, [f"{left} {right}" for left, right in tokenizer.merges]),
        key_value("tokenizer.ggml.bos_token_id", U32, tokenizer.id_of[bos]),
        key_value("tokenizer.ggml.eos_token_id", U32, tokenizer.id_of[eos]),
        key_value("tokenizer.ggml.padding_token_id", U32, tokenizer.id_of[eos]),
        key_value("tokenizer.ggml.add_bos_token", BOOL, True),
        key_value("tokenizer.chat_template", STRING, CHAT_TEMPLATE),
    ]


def float_tensor(name, values):
    return name, F32, values.shape, values.astype("<f4").tobytes()


def ternary_tensor(name, weight):
    """As TernaryLinear.ternary in train.py has it."""
    scale = max(float(np.abs(weight).mean()), 1e-5)
    ternary = np.clip(np.round(weight / scale), -1, 1).astype(np.int8)
    return name, I2_S, weight.shape, pack_i2_s(ternary.ravel(), scale)


def make_tensors(weights, layer_count):
    embedding = weights["embd"]
    tensors = [("token_embd.weight", F16, embedding.shape, embedding.astype("<f2").tobytes()),
               float_tensor("output_norm.weight", weights["output_norm"])]
    for i in range(layer_count):
        for norm in NORMS:
            tensors.append(float_tensor(f"blk.{i}.{norm}.weight", weights[f"layers.{i}.{norm}"]))
        for ours, name in MATRICES.items():
            tensors.append(ternary_tensor(f"blk.{i}.{name}.weight", weights[f"layers.{i}.{ours}.weight"]))
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stem", help="what train.py was given as --out")
    parser.add_argument("gguf", help="the file to write")
    args = parser.parse_args()
    weights = {name: value.float().numpy() for name, value in torch.load(args.stem + ".pt").items()}
    with open(args.stem + ".json", encoding="utf-8") as file:
        saved = json.load(file)
    config, control_tokens = saved["config"], saved["control_tokens"]
    tokenizer = Tokenizer([tuple(merge) for merge in saved["merges"]], control_tokens, config["vocab"])
    bos, eos, _ = control_tokens
    write_gguf(args.gguf, make_metadata(config, tokenizer, bos, eos), make_tensors(weights, config["layers"]))


if __name__ == "__main__":
    main()
