// The library around httplib, as it is: transport/httplib_listener.cpp.
    .section .rodata
    .balign 64
    .globl bitnet_http_library_begin
    .type bitnet_http_library_begin, @object
bitnet_http_library_begin:
    .incbin BITNET_HTTP_LIBRARY
    .globl bitnet_http_library_end
    .type bitnet_http_library_end, @object
bitnet_http_library_end:
    .size bitnet_http_library_begin, . - bitnet_http_library_begin
    .section .note.GNU-stack, "", @progbits
