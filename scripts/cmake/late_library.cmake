# Defines MACRO, for those sources of a target, as the name by which the loader finds a library at run time: its
# soname or, where libraries have none, its path.
#
#   bitnet_load_late(TARGET MACRO LIBRARY SOURCE...)
function(bitnet_load_late target macro library)
  set(name ${library})
  if(library MATCHES "\\.so($|\\.)")
    execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${library} OUTPUT_VARIABLE headers ERROR_QUIET)
    if(NOT headers MATCHES "SONAME +([^ \n]+)")
      message(FATAL_ERROR "${library} has no soname that objdump (${CMAKE_OBJDUMP}) can tell")
    endif()
    set(name ${CMAKE_MATCH_1})
  elseif(library MATCHES "\\.a$")
    message(FATAL_ERROR "${library} is a static library: a shared one is needed, since it is loaded at run time")
  endif()
  set_property(GLOBAL APPEND PROPERTY BITNET_LATE_LIBRARIES ${library})
  set_property(SOURCE ${ARGN} TARGET_DIRECTORY ${target} APPEND PROPERTY COMPILE_DEFINITIONS "${macro}=\"${name}\"")
endfunction()
