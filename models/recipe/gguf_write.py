"""A writer of GGUF version 3 files, with as much of the format as the canary needs."""
import struct

import numpy as np

F32, F16, I2_S = 0, 1, 36  # tensor types
U32, I32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # metadata value types

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


VALUE_WRITERS = {
    U32: lambda value: struct.pack("<I", value),
    I32: lambda value: struct.pack("<i", value),
    FLOAT32: lambda value: struct.pack("<f", value),
    BOOL: lambda value: struct.pack("<?", value),
    STRING: string,
}


def key_value(key, value_type, value):
    """One metadata entry."""
    return string(key) + struct.pack("<I", value_type) + VALUE_WRITERS[value_type](value)


def key_array(key, item_type, items):
    """One metadata entry that is an array."""
    write = VALUE_WRITERS[item_type]
    return string(key) + struct.pack("<IIQ", ARRAY, item_type, len(items)) + b"".join(map(write, items))


def pack_i2_s(ternary, scale):
    """I2_S as written on x86, from a flat int8 array of -1, 0, +1: groups of 128 elements in 32 bytes, element j at
    byte j % 32, bits 6 - 2 * (j / 32), code = value + 1; then the scale of the tensor and padding to 32 bytes."""
    codes = (ternary + 1).astype(np.uint8).reshape(-1, 4, 32)
    packed = (codes[:, 0] << 6) | (codes[:, 1] << 4) | (codes[:, 2] << 2) | codes[:, 3]
    return packed.tobytes() + struct.pack("<f", scale) + bytes(28)


def padding(size):
    return bytes(-size % ALIGNMENT)


def write_gguf(path, metadata, tensors):
    """metadata: entries from key_value and key_array.
    tensors: (name, type, shape with the contiguous dimension last, bytes); GGUF lists dimensions innermost first."""
    infos, offset = [], 0
    for name, tensor_type, shape, data in tensors:
        infos.append(string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape)) +
                     struct.pack("<IQ", tensor_type, offset))
        offset += len(data) + len(padding(len(data)))
    header = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(metadata)) + b"".join([*metadata, *infos])
    with open(path, "wb") as file:
        file.write(header + padding(len(header)))
        for *_, data in tensors:
            file.write(data + padding(len(data)))
