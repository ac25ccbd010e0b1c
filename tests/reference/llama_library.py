"""llama.cpp's prebuilt libraries through ctypes: logits of token ids. Declares only what is called.

The parameter structures are opaque: the library fills them with its defaults, and the few fields that are set here
stand at the offsets of the pinned version; Library checks what it can see of them.
"""
import ctypes
import glob
import os
import struct

import numpy as np

N_CTX, N_BATCH, N_UBATCH, N_OUTPUTS, N_THREADS, N_THREADS_BATCH, FLASH, TYPE_K, TYPE_V = 0, 4, 8, 20, 28, 32, 52, 104, 108
DEFAULTS = {N_CTX: 512, N_BATCH: 2048, N_UBATCH: 512, N_THREADS: 4, N_THREADS_BATCH: 4, FLASH: -1, TYPE_K: 1, TYPE_V: 1}
F32 = 0


class LlamaError(Exception):
    """The library refused a file or a batch; its own words."""


class _Params(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 192)]  # more than either structure has; passed in memory


class _Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class Library:
    def __init__(self, folder):
        def open_(pattern):
            found = glob.glob(os.path.join(glob.escape(folder), pattern))
            if not found:
                raise LlamaError(f"{folder} has no {pattern}: name a folder that holds llama.cpp's libraries")
            try:
                return ctypes.CDLL(found[0], mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise LlamaError(f"{found[0]} cannot be loaded: {error}") from error

        self.base = open_("libggml-base.so")
        self.base.ggml_row_size.restype = ctypes.c_size_t
        ggml = open_("libggml.*so")
        self.c = c = open_("libllama.*so")
        for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_model_get_vocab"):
            getattr(c, name).restype = ctypes.c_void_p
        c.llama_model_default_params.restype = c.llama_context_default_params.restype = _Params
        c.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
        c.llama_version.restype = ctypes.c_char_p
        self.messages = []
        self._log = _Log(lambda level, text, _: self.messages.append(text.decode("utf-8", "replace")))
        c.llama_log_set(self._log, None)
        c.llama_backend_init()
        ggml.ggml_backend_load_all_from_path(os.fsencode(folder))
        defaults = self.c.llama_context_default_params()
        for at, value in DEFAULTS.items():
            if struct.unpack_from("<i", defaults.bytes, at)[0] != value:
                raise LlamaError(f"llama_context_params of {self.version} are laid out in another way")

    @property
    def version(self):
        return self.c.llama_version().decode()

    def encode(self, type_id, values):
        """The bytes that it makes of float32 values [rows, columns], in a type of its own."""
        values = np.ascontiguousarray(values, np.float32)
        rows, cols = (ctypes.c_int64(n) for n in values.shape)
        n_bytes = self.base.ggml_row_size(ctypes.c_int(type_id), cols) * values.shape[0]
        out = (ctypes.c_uint8 * n_bytes)()
        at = values.ctypes.data_as(ctypes.c_void_p)
        self.base.ggml_quantize_chunk(ctypes.c_int(type_id), at, out, ctypes.c_int64(0), rows, cols, None)
        return bytes(out)

    def words(self):
        """Why it refused, from its log."""
        errors = [m.strip() for m in self.messages if "error" in m or "gguf_init" in m]
        return (errors or ["no reason given"])[0]


class Model:
    """A model and a context. exact: the cache in F32 and attention step by step; else as the library has it by default."""

    def __init__(self, library, path, n_ctx=512, n_threads=1, exact=True):
        self.library, self.c = library, library.c
        self.context = self.model = None
        library.messages.clear()
        self.model = self.c.llama_model_load_from_file(os.fsencode(path), self.c.llama_model_default_params())
        if not self.model:
            raise LlamaError(library.words())
        self.model = ctypes.c_void_p(self.model)
        params = self.c.llama_context_default_params()
        fields = {N_CTX: n_ctx, N_BATCH: n_ctx, N_OUTPUTS: n_ctx, N_THREADS: n_threads, N_THREADS_BATCH: n_threads}
        if exact:
            fields |= {TYPE_K: F32, TYPE_V: F32, FLASH: 0}
        for at, value in fields.items():
            struct.pack_into("<i", params.bytes, at, value)
        context = self.c.llama_init_from_model(self.model, params)
        if not context:
            raise LlamaError(library.words())
        self.context = ctypes.c_void_p(context)
        self.n_vocab = self.c.llama_vocab_n_tokens(ctypes.c_void_p(self.c.llama_model_get_vocab(self.model)))
        self.position = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.llama_free(self.context)
        self.c.llama_model_free(self.model)

    def run(self, ids):
        """Logits [positions, vocabulary] of the ids that follow what has been run."""
        n = len(ids)
        ints = ctypes.c_int32 * n
        sequence = ctypes.cast((ctypes.c_int32 * 1)(0), ctypes.POINTER(ctypes.c_int32))
        batch = _Batch(
            n_tokens=n,
            token=ints(*ids),
            pos=ints(*range(self.position, self.position + n)),
            n_seq_id=ints(*[1] * n),
            seq_id=(ctypes.POINTER(ctypes.c_int32) * n)(*[sequence] * n),
            logits=(ctypes.c_int8 * n)(*[1] * n),
        )
        if self.c.llama_decode(self.context, batch) != 0:
            raise LlamaError(self.library.words())
        self.position += n
        rows = [self.c.llama_get_logits_ith(self.context, ctypes.c_int32(i)) for i in range(n)]
        return np.stack([np.ctypeslib.as_array(row, (self.n_vocab,)).astype(np.float64) for row in rows])
