# Run by CPack on the files of Debian packages before they are packed: what Debian wants otherwise than
# `cmake --install` leaves it.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(usr ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)

  # The licence stands in the folder named like the package, as `copyright`.
  file(REMOVE ${usr}/share/doc/bitnet/LICENSE)
  set(doc ${usr}/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(MAKE_DIRECTORY ${doc})
  configure_file(${CPACK_RESOURCE_FILE_LICENSE} ${doc}/copyright COPYONLY)

  file(GLOB pages ${usr}/share/man/man*/*.[1-9])
  if(pages)
    execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
