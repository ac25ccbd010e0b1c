// The default model's file, as it is. 64-byte alignment: kernels read the tensors in place.
    .section .rodata
    .balign 64
    .globl bitnet_builtin_model_begin
    .type bitnet_builtin_model_begin, @object
bitnet_builtin_model_begin:
    .incbin BITNET_BUILTIN_MODEL
    .globl bitnet_builtin_model_end
    .type bitnet_builtin_model_end, @object
bitnet_builtin_model_end:
    .size bitnet_builtin_model_begin, . - bitnet_builtin_model_begin
    .section .note.GNU-stack, "", @progbits
