"""The tensor types of GGUF files that bitnet runs: encoding and decoding, in numpy, after their public descriptions.

A coded type turns integer levels (-1, 0, +1; for some +2 or only -1 and +1) and scales into bytes and back. `levels` is
an array of the tensor's shape; `scales` has one value for each block of a row, or one for the tensor where the type
has one. Nothing here is shared with the engine.
"""
import numpy as np


class Float:
    """F32, F16, BF16: values, no levels."""

    block = 1

    def __init__(self, name, id_, size):
        self.name, self.id, self.size = name, id_, size

    def n_bytes(self, shape):
        return int(np.prod(shape)) * self.size

    def encode(self, values):
        if self.name == "BF16":  # rounded to nearest even
            bits = np.ascontiguousarray(values, "<f4").view("<u4").astype(np.uint64)
            return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
        return np.ascontiguousarray(values, "<f4" if self.size == 4 else "<f2").tobytes()

    def decode(self, data, shape):
        if self.name == "BF16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape).astype(np.float64)
        return np.frombuffer(data, "<f4" if self.size == 4 else "<f2").reshape(shape).astype(np.float64)


class Q8_0:
    name, id, block = "Q8_0", 8, 32

    def n_bytes(self, shape):
        return int(np.prod(shape)) // 32 * 34

    def encode(self, values):
        x = np.asarray(values, np.float64).reshape(-1, 32)
        d = (np.abs(x).max(1) / 127).astype("<f2")
        q = np.clip(np.rint(x / np.maximum(d.astype(np.float64), 1e-30)[:, None]), -127, 127).astype(np.int8)
        return np.concatenate([d[:, None].view(np.uint8), q.view(np.uint8)], 1).tobytes()

    def decode(self, data, shape):
        b = np.frombuffer(data, np.uint8).reshape(-1, 34)
        d = b[:, :2].copy().view("<f2").astype(np.float64)
        return (b[:, 2:].view(np.int8) * d).reshape(shape)


class Q4_0:
    """Decoded only: element j of 32 in the low half of byte j, element j + 16 in its high half; value = d (q - 8)."""

    name, id, block = "Q4_0", 2, 32

    def n_bytes(self, shape):
        return int(np.prod(shape)) // 32 * 18

    def decode(self, data, shape):
        b = np.frombuffer(data, np.uint8).reshape(-1, 18)
        d = b[:, :2].copy().view("<f2").astype(np.float64)
        q = np.concatenate([b[:, 2:] & 15, b[:, 2:] >> 4], 1).astype(np.int64)
        return ((q - 8) * d).reshape(shape)


class Q6_K:
    """Decoded only. Each half of 256 elements has 64 bytes with low 4 bits, and 32 with 2 high bits of four rows of 32."""

    name, id, block = "Q6_K", 14, 256

    def n_bytes(self, shape):
        return int(np.prod(shape)) // 256 * 210

    def decode(self, data, shape):
        b = np.frombuffer(data, np.uint8).reshape(-1, 210)
        low = b[:, :128].reshape(-1, 2, 1, 2, 32) >> np.array([0, 4], np.uint8)[:, None, None] & 15
        high = b[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        q = low.reshape(-1, 2, 4, 32).astype(np.int64) + 16 * high - 32
        scales = b[:, 192:208].view(np.int8) * b[:, 208:].copy().view("<f2").astype(np.float64)
        return (q.reshape(-1, 16, 16) * scales[:, :, None]).reshape(shape)


class Affine:
    """Decoded only: codes in blocks with scales and, in most of these types, minima; value = scale * q - minimum.

    Subclasses have name, id, block, block_bytes, and unpack(b) of bytes [n_blocks, block_bytes] to codes
    [n_blocks, block] and scales and minima of equal runs of them.
    """

    def n_bytes(self, shape):
        return int(np.prod(shape)) // self.block * self.block_bytes

    def decode(self, data, shape):
        b = np.frombuffer(data, np.uint8).reshape(-1, self.block_bytes)
        q, scales, minima = self.unpack(b)
        run = self.block // scales.shape[1]
        values = q.astype(np.float64) * scales.repeat(run, 1) - minima.repeat(run, 1)
        return values.astype(np.float32).astype(np.float64).reshape(shape)


def _halves(b, *at):
    """The f16 numbers at these bytes of each block."""
    return [b[:, i : i + 2].copy().view("<f2").astype(np.float64) for i in at]


def _nibbles(b):
    """Low halves of the bytes [..., n], then their high halves."""
    return np.concatenate([b & 15, b >> 4], -1)


class Blocks32(Affine):
    """Q4_1, Q5_0, Q5_1: d, m if there is one, 32 fifth bits if there are any, and 16 bytes as Q4_0 has them."""

    block = 32

    def __init__(self, name, id_, five_bits, has_minimum):
        self.name, self.id, self.five_bits, self.has_minimum = name, id_, five_bits, has_minimum
        self.block_bytes = 18 + 4 * five_bits + 2 * has_minimum

    def unpack(self, b):
        q = _nibbles(b[:, -16:]).astype(np.int64)
        if self.five_bits:
            q += 16 * np.unpackbits(b[:, -20:-16], axis=1, bitorder="little")
        (d,) = _halves(b, 0)
        return q, d, -_halves(b, 2)[0] if self.has_minimum else d * 16


class Q2_K(Affine):
    """Bytes with a scale and a minimum of 4 bits for each 16 elements, 64 bytes of codes, d and m."""

    name, id, block, block_bytes = "Q2_K", 10, 256, 84

    def unpack(self, b):
        d, m = _halves(b, 80, 82)
        q = b[:, 16:80].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        return q.reshape(-1, 256), (b[:, :16] & 15) * d, (b[:, :16] >> 4) * m


class Q3_K(Affine):
    """32 bytes of third bits, 64 of codes, 16 scales of 6 bits in 12 bytes, d."""

    name, id, block, block_bytes = "Q3_K", 11, 256, 110

    def unpack(self, b):
        (d,) = _halves(b, 108)
        low = b[:, 32:96].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        high = b[:, :32].reshape(-1, 1, 32) >> np.arange(8, dtype=np.uint8)[:, None] & 1
        upper = b[:, 104:108].reshape(-1, 1, 4) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
        scales = (_nibbles(b[:, 96:104]) + 16 * upper.reshape(-1, 16)).astype(np.int64) - 32
        return low.reshape(-1, 256) + 4 * high.reshape(-1, 256), scales * d, 4 * scales * d


class Q45_K(Affine):
    """Q4_K and Q5_K: d and m, eight scales and eight minima of 6 bits in 12 bytes, 32 bytes of fifth bits, 128 of codes."""

    block = 256

    def __init__(self, name, id_, five_bits):
        self.name, self.id, self.five_bits, self.block_bytes = name, id_, five_bits, 144 + 32 * five_bits

    def unpack(self, b):
        d, m = _halves(b, 0, 2)
        first, last = b[:, 4:12], b[:, 12:16]  # six bits and two, of scales then minima; four bits of each
        scales = np.concatenate([first[:, :4] & 63, last & 15 | first[:, :4] >> 6 << 4], 1)
        minima = np.concatenate([first[:, 4:] & 63, last >> 4 | first[:, 4:] >> 6 << 4], 1)
        q = _nibbles(b[:, -128:].reshape(-1, 4, 32)).reshape(-1, 256).astype(np.int64)
        if self.five_bits:
            q += 16 * (b[:, 16:48].reshape(-1, 1, 32) >> np.arange(8, dtype=np.uint8)[:, None] & 1).reshape(-1, 256)
        return q, scales * d, minima * m


def _scales(d):
    return np.ascontiguousarray(d, "<f2").reshape(-1, 1).view(np.uint8)


class Blocks:
    """A type whose blocks of one row are codes and an f16 scale. Subclasses pack and unpack arrays [n_blocks, block]."""

    levels = (-1, 0, 1)  # of the codes 0, 1, ...

    def n_bytes(self, shape):
        assert shape[-1] % self.block == 0, (self.name, shape)
        return int(np.prod(shape)) // self.block * self.block_bytes

    def encode(self, levels, scales):
        codes = np.searchsorted(self.levels, np.asarray(levels).reshape(-1, self.block))
        return self.pack(codes.astype(np.uint8), _scales(scales)).tobytes()

    def decode_levels(self, data, shape):
        """Levels of the tensor's shape, and scales [..., blocks of a row]."""
        codes, d = self.unpack(np.frombuffer(data, np.uint8).reshape(-1, self.block_bytes))
        scales = d.copy().view("<f2").astype(np.float64)
        return np.array(self.levels)[codes].reshape(shape), scales.reshape(*shape[:-1], -1)

    def decode(self, data, shape):
        levels, scales = self.decode_levels(data, shape)
        return levels * scales.repeat(self.block, -1)


class Sequential2Bit(Blocks):
    """Q2_0 and PQ2_0: an f16 scale, then element j in byte j/4 at bits 2*(j%4)."""

    levels = (-1, 0, 1, 2)

    def __init__(self, name, id_, block):
        self.name, self.id, self.block, self.block_bytes = name, id_, block, 2 + block // 4

    def pack(self, codes, d):
        c = codes.reshape(len(codes), -1, 4)
        return np.concatenate([d, c[..., 0] | c[..., 1] << 2 | c[..., 2] << 4 | c[..., 3] << 6], 1)

    def unpack(self, b):
        q = b[:, 2:]
        return np.stack([q & 3, q >> 2 & 3, q >> 4 & 3, q >> 6], -1).reshape(len(b), -1), b[:, :2]


class OwnLayout:
    """QK256 and BitNet32-F16, which only bitnet's own metadata names: codes in sequence, then an f16 scale or none.

    The last block of a row may be partly filled. In the file the rows are bytes, of ggml's type I8.
    """

    id = 24

    def __init__(self, name, block, levels, scaled, keys):
        self.name, self.block, self.levels, self.scaled = name, block, levels, scaled
        self.block_bytes = block // 4 + 2 * scaled
        self.prefix, self.words = keys

    def n_blocks(self, shape):
        return -(-shape[-1] // self.block)

    def file_shape(self, shape):
        return (*shape[:-1], self.n_blocks(shape) * self.block_bytes)

    def n_bytes(self, shape):
        return int(np.prod(self.file_shape(shape)))

    def encode(self, levels, scales=None):
        n_padding = self.n_blocks(levels.shape) * self.block - levels.shape[-1]
        codes = np.searchsorted(self.levels, levels).astype(np.uint8)
        codes = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, n_padding)], constant_values=1)
        c = codes.reshape(-1, self.block // 4, 4)
        q = c[..., 0] | c[..., 1] << 2 | c[..., 2] << 4 | c[..., 3] << 6
        return (np.concatenate([q, _scales(scales)], 1) if self.scaled else q).tobytes()

    def decode(self, data, shape):
        b = np.frombuffer(data, np.uint8).reshape(-1, self.block_bytes)
        q = b[:, : self.block // 4]
        codes = np.stack([q & 3, q >> 2 & 3, q >> 4 & 3, q >> 6], -1).reshape(len(b), -1)
        values = np.array([*self.levels, np.nan])[codes]
        if self.scaled:
            values = values * b[:, self.block // 4 :].copy().view("<f2").astype(np.float64)
        return values.reshape(*shape[:-1], -1)[..., : shape[-1]]


class TQ2_0(Blocks):
    """Halves of 32 bytes hold 128 elements: element 32*l + m at byte m, bits 2*l. The scale is at the end."""

    name, id, block, block_bytes = "TQ2_0", 35, 256, 66

    def pack(self, codes, d):
        c = codes.reshape(len(codes), 2, 4, 32)
        q = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
        return np.concatenate([q.reshape(len(codes), 64), d], 1)

    def unpack(self, b):
        q = b[:, :64].reshape(-1, 2, 1, 32)
        return (q >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3).reshape(len(b), 256), b[:, 64:]


class BaseThree(Blocks):
    """TQ1_0 and PTQ1_0: runs of bytes (their number, trits in each); trit t of all bytes of a run before trit t+1."""

    def __init__(self, name, id_, block, runs):
        self.name, self.id, self.block, self.runs = name, id_, block, runs
        self.block_bytes = sum(n for n, _ in runs) + 2

    def pack(self, codes, d):
        out, at = [], 0
        for n, trits in self.runs:
            c = codes[:, at : at + n * trits].reshape(-1, trits, n).astype(np.uint32)
            value = sum(c[:, t] * 3 ** (4 - t) for t in range(trits))
            out.append(((value * 256 + 242) // 243).astype(np.uint8))  # the fraction value / 243, rounded up
            at += n * trits
        return np.concatenate([*out, d], 1)

    def unpack(self, b):
        out, at = [], 0
        for n, trits in self.runs:
            run = b[:, at : at + n].astype(np.uint32)
            out.append(np.stack([(run * 3**t % 256) * 3 >> 8 for t in range(trits)], 1).reshape(len(b), -1))
            at += n
        return np.concatenate(out, 1).astype(np.uint8), b[:, -2:]


class Q1_0(Blocks):
    """An f16 scale, then bit j%8 of byte j/8: set for +, clear for -."""

    name, id, block, block_bytes, levels = "Q1_0", 41, 128, 18, (-1, 1)

    def pack(self, codes, d):
        return np.concatenate([d, np.packbits((codes > 0).reshape(len(codes), -1, 8), -1, bitorder="little")[..., 0]], 1)

    def unpack(self, b):
        return np.unpackbits(b[:, 2:], axis=1, bitorder="little"), b[:, :2]


class I2_S:
    """One f32 scale for the tensor, after its codes; three layouts of the codes carry the same id."""

    id, block, levels = 36, None, (-1, 0, 1)

    def __init__(self, layout="x86"):
        self.layout, self.name = layout, "I2_S" if layout == "x86" else "I2_S-" + layout

    def n_bytes(self, shape):
        return int(np.prod(shape)) // 4 + 32

    def encode(self, levels, scale):
        codes = (np.asarray(levels).astype(np.int16) + 1).astype(np.uint8)
        if self.layout == "rows4":  # one column of four rows in a byte
            c = codes.reshape(-1, 4, codes.shape[-1])
        else:
            width = 32 if self.layout == "x86" else 16
            c = codes.reshape(-1, 4, width)
        q = c[:, 0] << 6 | c[:, 1] << 4 | c[:, 2] << 2 | c[:, 3]
        return q.tobytes() + np.array([scale], "<f4").tobytes() + bytes(28)

    def decode_levels(self, data, shape):
        n = int(np.prod(shape))
        width = {"x86": 32, "arm": 16, "rows4": shape[-1]}[self.layout]
        b = np.frombuffer(data, np.uint8, n // 4).reshape(-1, 1, width)
        codes = (b >> np.array([6, 4, 2, 0], np.uint8)[:, None] & 3).reshape(shape)
        return codes.astype(np.int64) - 1, float(np.frombuffer(data, "<f4", 1, n // 4)[0])

    def decode(self, data, shape):
        levels, scale = self.decode_levels(data, shape)
        return levels * scale


TYPES = {
    t.name: t
    for t in (
        Float("F32", 0, 4),
        Float("F16", 1, 2),
        Float("BF16", 30, 2),
        Q8_0(),
        Q4_0(),
        Q6_K(),
        Blocks32("Q4_1", 3, False, True),
        Blocks32("Q5_0", 6, True, False),
        Blocks32("Q5_1", 7, True, True),
        Q2_K(),
        Q3_K(),
        Q45_K("Q4_K", 12, False),
        Q45_K("Q5_K", 13, True),
        BaseThree("TQ1_0", 34, 256, ((32, 5), (16, 5), (4, 4))),
        TQ2_0(),
        I2_S(),
        I2_S("arm"),
        I2_S("rows4"),
        Q1_0(),
        Sequential2Bit("Q2_0", 42, 64),
        Sequential2Bit("Q2_0-128", 42, 128),
        Sequential2Bit("PQ2_0", 142, 128),
        BaseThree("PTQ1_0", 143, 128, ((16, 5), (8, 5), (2, 4))),
    )
}
for _codebook, _levels in (("ternary", (-1, 0, 1)), ("four_level", (-2, -1, 1, 2)), ("thirds", (-1, -1 / 3, 1 / 3, 1))):
    for _scaled, _word in ((False, "none"), (True, "block")):
        _name = f"QK256-{_codebook}" + "-scaled" * _scaled
        _keys = ("bitnet.qk256.", {"codebook": _codebook, "scales": _word})
        TYPES[_name] = OwnLayout(_name, 256, _levels, _scaled, _keys)
TYPES["BitNet32"] = OwnLayout("BitNet32", 32, (-1, 0, 1), True, ("bitnet.bitnet32.", {}))


def by_id(id_, shape, room):
    """The type of a tensor; where several share the id, the first that fills the room up to the next tensor."""
    found = [t for t in TYPES.values() if t.id == id_]
    fitting = [t for t in found if t.block is None or shape[-1] % t.block == 0 and -(-t.n_bytes(shape) // 32) * 32 == room]
    if not found:
        raise ValueError(f"tensor type {id_} is not known")
    return (fitting or found)[0]
