# Gives a target the bytes of a file, as they are, from the symbol bitnet_NAME_begin to bitnet_NAME_end, aligned to 64:
# kernels read the tensors of a model in place.
#
#   bitnet_embed(TARGET NAME FILE)
function(bitnet_embed target name file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.S)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
#ifdef __APPLE__
    .section __TEXT,__const
    .p2align 6
    .globl _bitnet_@name@_begin
_bitnet_@name@_begin:
    .incbin "@file@"
    .globl _bitnet_@name@_end
_bitnet_@name@_end:
#else
    .section .rodata
    .balign 64
    .globl bitnet_@name@_begin
    .type bitnet_@name@_begin, %object
bitnet_@name@_begin:
    .incbin "@file@"
    .globl bitnet_@name@_end
    .type bitnet_@name@_end, %object
bitnet_@name@_end:
    .size bitnet_@name@_begin, . - bitnet_@name@_begin
    .section .note.GNU-stack, "", %progbits
#endif
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${source})
endfunction()
