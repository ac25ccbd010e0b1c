# Debian's cross compiler for 64-bit ARM, with Debian's arm64 libraries beside the machine's own (multiarch:
# scripts/install-deps arm64). Programs run under QEMU; QEMU_CPU in the environment says as which processor.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

if(NOT CMAKE_CXX_COMPILER)
  set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
  set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
endif()
# Of Clang, which is told; GCC's cross compiler has its target in its name.
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_ASM_COMPILER_TARGET aarch64-linux-gnu)

# Modules without an architecture, which are headers alone, lie under /usr/share.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)

find_program(BITNET_QEMU qemu-aarch64)
if(BITNET_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${BITNET_QEMU})
endif()
