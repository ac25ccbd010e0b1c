#!/usr/bin/env bash
# llama.cpp 0.5.0 (npm's @node-llama-cpp/linux-x64 3.22.1): what llama_model_quantize, and so llama-quantize, makes of a
# ternary model that it is told to write as TQ2_0.
#  - The embedding becomes Q4_K and a head of its own Q6_K: a file "of TQ2_0" has three block types, and a reader of
#    ternary types and floats alone cannot run it.
#  - Where rows are no multiple of 256 long, as in bitnet_b1_58-3B (3200), the layers become Q4_0 instead, and Q4_0 does
#    not hold ternary values: in each block of 32 the sign that comes first is kept, the other becomes 7/8 of what it
#    was. A ternary embedding or head that is written as Q4_0 (published files of Ternary-Bonsai have such) fares the
#    same.
#
# Here: Q4_K and all its kind are read (tests/quant/block_types_test.cpp); `bitnet inspect` names such Q4_0 tensors, and
# `bitnet convert` gives them their values back (tests/convert/gguf_source_test.cpp).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @node-llama-cpp/linux-x64@3.22.1 >/dev/null 2>&1 || {
  echo "@node-llama-cpp/linux-x64 3.22.1 cannot be had here"
  exit 2
}
tar -xzf ./*.tgz
python3 - package/bins/linux-x64 <<'PY'
import ctypes
import glob
import os
import random
import struct
import sys

TQ2_0, FTYPE_TQ2_0, Q4_0, Q4_K, Q6_K = 35, 37, 2, 12, 14
NAMES = {0: "F32", 1: "F16", Q4_0: "Q4_0", Q4_K: "Q4_K", Q6_K: "Q6_K", TQ2_0: "TQ2_0", 6: "Q5_0", 8: "Q8_0"}
VOCAB, SCALE = 32, 0.5
random.seed(1)


class Params(ctypes.Structure):
    _fields_ = [("n_threads", ctypes.c_int32), ("ftype", ctypes.c_int32), ("rest", ctypes.c_uint8 * 248)]


def library(pattern):
    return ctypes.CDLL(glob.glob(os.path.join(sys.argv[1], pattern))[0], mode=ctypes.RTLD_GLOBAL)


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def ternary(n):
    """F16 of -SCALE, 0 and SCALE."""
    return b"".join(random.choice((b"\0\x38", b"\0\0", b"\0\xb8")) for _ in range(n))


def write_model(path, width):
    keys = {"general.architecture": text("llama"), "tokenizer.ggml.model": text("gpt2"), "tokenizer.ggml.pre": text("gpt-2")}
    keys = {key: struct.pack("<I", 8) + value for key, value in keys.items()}
    shape = {"context_length": 64, "embedding_length": width, "block_count": 1, "feed_forward_length": width,
             "attention.head_count": 1, "attention.head_count_kv": 1, "vocab_size": VOCAB}
    keys |= {"llama." + key: struct.pack("<II", 4, value) for key, value in shape.items()}
    keys["llama.attention.layer_norm_rms_epsilon"] = struct.pack("<If", 6, 1e-5)
    keys["tokenizer.ggml.tokens"] = struct.pack("<IIQ", 9, 8, VOCAB) + b"".join(text(f"t{i}") for i in range(VOCAB))
    keys["tokenizer.ggml.token_type"] = struct.pack("<IIQ", 9, 5, VOCAB) + struct.pack("<i", 1) * VOCAB
    keys["tokenizer.ggml.merges"] = struct.pack("<IIQ", 9, 8, 1) + text("t 0")
    ones = struct.pack("<f", 1) * width
    tensors = {"token_embd": ((width, VOCAB), 1), "output": ((width, VOCAB), 1), "output_norm": ((width,), 0),
               "blk.0.attn_norm": ((width,), 0), "blk.0.ffn_norm": ((width,), 0)}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        tensors["blk.0." + name] = ((width, width), 1)
    infos, data = b"", b""
    for name, (dims, type_) in tensors.items():
        data += bytes(-len(data) % 32)
        infos += text(name + ".weight") + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, type_, len(data))
        data += ternary(dims[0] * dims[1]) if type_ else ones
    head = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(keys))
    head += b"".join(text(key) + value for key, value in keys.items()) + infos
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % 32) + data + bytes(-len(data) % 32))


def read_types(path):
    """Type and first block of data of every tensor."""
    with open(path, "rb") as file:
        b = file.read()
    at = 24

    def string(at):
        (n,) = struct.unpack_from("<Q", b, at)
        return b[at + 8 : at + 8 + n].decode(), at + 8 + n

    def skip(kind, at):
        sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
        if kind == 8:
            return string(at)[1]
        if kind != 9:
            return at + sizes[kind]
        inner, n = struct.unpack_from("<IQ", b, at)
        at += 12
        for _ in range(n):
            at = skip(inner, at)
        return at

    n_tensors, n_keys = struct.unpack_from("<QQ", b, 8)
    for _ in range(n_keys):
        at = string(at)[1]
        at = skip(struct.unpack_from("<I", b, at)[0], at + 4)
    found = []
    for _ in range(n_tensors):
        name, at = string(at)
        (n_dims,) = struct.unpack_from("<I", b, at)
        type_, offset = struct.unpack_from("<IQ", b, at + 4 + 8 * n_dims)
        at += 16 + 8 * n_dims
        found.append((name, type_, offset))
    begin = -(-at // 32) * 32
    return {name: (type_, b[begin + offset :]) for name, type_, offset in found}


library("libggml-base.so")
library("libggml.*so")
llama = library("libllama.*so")
log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
llama.llama_log_set(log, None)
llama.llama_model_quantize_default_params.restype = Params
params = llama.llama_model_quantize_default_params()
params.ftype = FTYPE_TQ2_0
types = {}
for width in (256, 160):
    write_model("in.gguf", width)
    if llama.llama_model_quantize(b"in.gguf", b"out.gguf", ctypes.byref(params)) != 0:
        sys.exit("changed: it refuses the model")
    types[width] = read_types("out.gguf")
    shown = {name: NAMES.get(type_, type_) for name, (type_, _) in types[width].items() if "norm" not in name}
    print(f"rows of {width}, told TQ2_0: " + ", ".join(f"{name.removesuffix('.weight')} {t}" for name, t in shown.items()))
wide, narrow = types[256], types[160]
if [wide[n + ".weight"][0] for n in ("token_embd", "output", "blk.0.attn_q")] != [Q4_K, Q6_K, TQ2_0]:
    sys.exit("changed: they were Q4_K, Q6_K and TQ2_0")
type_, data = narrow["blk.0.attn_q.weight"]
if type_ != Q4_0:
    sys.exit("changed: it was Q4_0")
(scale,) = struct.unpack_from("<e", data, 0)
values = sorted({scale * (code - 8) for byte in data[2:18] for code in (byte & 15, byte >> 4)})
print(f"of -{SCALE}, 0 and {SCALE} the first block of blk.0.attn_q has made {values}")
if sorted(abs(v) for v in values) != [0, SCALE * 7 / 8, SCALE]:
    sys.exit("changed: one of the signs was 7/8 of what it was")
PY
