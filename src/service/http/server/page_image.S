// The chat page, as it is: page.html.
    .section .rodata
    .globl bitnet_chat_page_begin
    .type bitnet_chat_page_begin, @object
bitnet_chat_page_begin:
    .incbin BITNET_CHAT_PAGE
    .globl bitnet_chat_page_end
    .type bitnet_chat_page_end, @object
bitnet_chat_page_end:
    .size bitnet_chat_page_begin, . - bitnet_chat_page_begin
    .section .note.GNU-stack, "", @progbits
