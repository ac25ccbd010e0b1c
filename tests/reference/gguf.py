"""GGUF version 3, written piece by piece and read whole. Little endian; shapes as numpy has them, contiguous dimension last."""
import mmap
import struct

import numpy as np

import tensor_types

ALIGNMENT = 32
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def _string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _kind_of(value):
    """The metadata type a Python value is written as: u32, f32, bool, string, or an array of one of them."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return ARRAY
    for kinds, kind in (((bool, np.bool_), BOOL), ((int, np.integer), U32), ((float, np.floating), F32), (str, STRING)):
        if isinstance(value, kinds):
            return kind
    raise TypeError(f"no metadata type for {value!r}")


def _value(kind, value):
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        inner = _kind_of(value[0])
        inner = I32 if inner == U32 else inner
        return struct.pack("<IQ", inner, len(value)) + b"".join(_value(inner, v) for v in value)
    return struct.pack("<" + SCALARS[kind], value)


class Writer:
    """Metadata and tensors are named first; write() asks for the bytes of one tensor after the other."""

    def __init__(self, metadata):
        self.metadata, self.tensors = dict(metadata), []

    def add(self, name, type_, shape, make_bytes):
        """make_bytes() returns the tensor's bytes or yields them in pieces."""
        self.tensors.append((name, type_, tuple(shape), make_bytes))

    def _name_own_layouts(self):
        """The keys by which tensors in bitnet's own layouts are known."""
        for name, type_, shape, _ in self.tensors:
            if isinstance(type_, tensor_types.OwnLayout):
                self.metadata.setdefault(type_.prefix + "tensors", []).append(name)
                self.metadata.setdefault(type_.prefix + "columns", []).append(shape[-1])
                self.metadata |= {type_.prefix + key: word for key, word in type_.words.items()}

    def write(self, path):
        self._name_own_layouts()
        head = [struct.pack("<IIQQ", 0x46554747, 3, len(self.tensors), len(self.metadata))]
        for key, value in self.metadata.items():
            kind = _kind_of(value)
            head.append(_string(key) + struct.pack("<I", kind) + _value(kind, value))
        offset = 0
        for name, type_, values_shape, _ in self.tensors:
            shape = getattr(type_, "file_shape", tuple)(values_shape)
            head.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], type_.id, offset))
            offset += -(-type_.n_bytes(values_shape) // ALIGNMENT) * ALIGNMENT
        head = b"".join(head)
        with open(path, "wb") as file:
            file.write(head + bytes(-len(head) % ALIGNMENT))
            for name, type_, shape, make_bytes in self.tensors:
                pieces, n = make_bytes(), 0
                for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                    file.write(piece)
                    n += len(piece)
                assert n == type_.n_bytes(shape), (name, n, type_.n_bytes(shape))
                file.write(bytes(-n % ALIGNMENT))


class Reader:
    """metadata: key to value. tensors: name to (type, shape, offset in the file)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.at = 0
        magic, version, n_tensors, n_keys = self._take("IIQQ")
        assert magic == 0x46554747 and version in (2, 3), path
        self.metadata = {}
        for _ in range(n_keys):
            key = self._text()
            self.metadata[key] = self._value(self._take("I")[0])
        infos = []
        for _ in range(n_tensors):
            name, n_dims = self._text(), self._take("I")[0]
            dims = self._take(f"{n_dims}Q")
            infos.append((name, dims[::-1], *self._take("IQ")))
        start = -(-self.at // ALIGNMENT) * ALIGNMENT
        own = self._own_layouts()
        ends = sorted([start + offset for *_, offset in infos] + [len(self.data)])
        self.tensors = {}
        for name, shape, type_id, offset in infos:
            if name in own:
                self.tensors[name] = (own[name][0], (*shape[:-1], own[name][1]), start + offset)
                continue
            room = ends[ends.index(start + offset) + 1] - start - offset
            self.tensors[name] = (tensor_types.by_id(type_id, shape, room), shape, start + offset)

    def _own_layouts(self):
        """Name to (type, columns) of the tensors that bitnet's own keys name."""
        found = {}
        for type_ in tensor_types.TYPES.values():
            if isinstance(type_, tensor_types.OwnLayout):
                if all(self.metadata.get(type_.prefix + key) == word for key, word in type_.words.items()):
                    names = self.metadata.get(type_.prefix + "tensors", [])
                    found |= {n: (type_, c) for n, c in zip(names, self.metadata.get(type_.prefix + "columns", []))}
        return found

    def _take(self, format_):
        values = struct.unpack_from("<" + format_, self.data, self.at)
        self.at += struct.calcsize("<" + format_)
        return values

    def _text(self):
        (n,) = self._take("Q")
        self.at += n
        return self.data[self.at - n : self.at].decode("utf-8", "surrogateescape")

    def _value(self, kind):
        if kind == STRING:
            return self._text()
        if kind == ARRAY:
            inner, n = self._take("IQ")
            return [self._value(inner) for _ in range(n)]
        return self._take(SCALARS[kind])[0]

    def read(self, name):
        """The values of a whole tensor."""
        type_, shape, at = self.tensors[name]
        return type_.decode(self.data[at : at + type_.n_bytes(shape)], shape)

    def read_rows(self, name, begin, end):
        """Rows [begin, end) of a tensor; its leading dimensions count as one."""
        type_, shape, at = self.tensors[name]
        if type_.block is None:
            return self.read(name).reshape(-1, shape[-1])[begin:end]
        size = type_.n_bytes(shape[-1:])
        return type_.decode(self.data[at + begin * size : at + end * size], (end - begin, shape[-1]))
