#!/usr/bin/env bash
# llama.cpp 0.5.0 (npm's @node-llama-cpp/linux-x64 3.22.1), type Q6_K: the error relative to the weights is not the same
# for all sizes of weights. A block's scale of scales is an f16, a 4096th of the block's largest weight or less: below
# weights of about 0.25 it is subnormal and has fewer bits, so that weights of deviation 0.0001 lose 11 % where the same
# weights times 200 lose 1.8 %. Neither the quantizer nor the file says so.
#
# Here: the scales of a block are searched for with the f16 that will be stored (tests/quant/encode_row_test.cpp), and
# `bitnet convert` prints each tensor's error.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent @node-llama-cpp/linux-x64@3.22.1 >/dev/null 2>&1 || {
  echo "@node-llama-cpp/linux-x64 3.22.1 cannot be had here"
  exit 2
}
tar -xzf ./*.tgz
library=$(find package -name libggml-base.so | head -n 1)
[[ -n $library ]] || {
  echo "there is no libggml-base.so in the package"
  exit 2
}
python3 - "$library" <<'PY'
import ctypes
import math
import random
import sys

library = ctypes.CDLL(sys.argv[1])
Q6_K, BLOCK, BLOCK_BYTES, N = 14, 256, 210, 64 * 256
library.ggml_quantize_chunk.restype = ctypes.c_size_t
library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                        ctypes.c_int64, ctypes.c_void_p]
library.dequantize_row_q6_K.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
draw = random.Random(1)
normal = [draw.gauss(0, 1) for _ in range(N)]
errors = {}
for deviation in (0.02, 0.001, 0.0001):
    weights = (ctypes.c_float * N)(*(deviation * x for x in normal))
    packed = (ctypes.c_char * (N // BLOCK * BLOCK_BYTES))()
    if library.ggml_quantize_chunk(Q6_K, weights, packed, 0, N // BLOCK, BLOCK, None) != len(packed):
        sys.exit("changed: Q6_K has blocks of another size")
    back = (ctypes.c_float * N)()
    library.dequantize_row_q6_K(packed, back, N)
    error = math.fsum((a - b) ** 2 for a, b in zip(weights, back))
    errors[deviation] = 100 * math.sqrt(error / math.fsum(a * a for a in weights))
    print(f"weights of deviation {deviation}: error {errors[deviation]:.2f} %")
if not (errors[0.02] < 2.2 and errors[0.0001] > 8):
    sys.exit("changed: they were 1.8 % and 11 %")
PY
