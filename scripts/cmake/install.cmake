# What `cmake --install` puts where. Its components are the Debian packages, too (package.cmake):
#
#   cli  the executable, its manual page and completions, the JSON schemas
#   lib  the shared library, which programs built with it run with; empty where the library is static
#   dev  what programs are built with
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The public headers, and a library as bitnet::bitnet with what lets CMake and pkg-config find it.
#
#   bitnet_install_library(TARGET LIB_COMPONENT DEV_COMPONENT [EXCLUDE_FROM_ALL])
function(bitnet_install_library target lib dev)
  set(all ${ARGN})
  set(made ${PROJECT_BINARY_DIR}/install/${target})
  set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bitnet)

  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/bitnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
          COMPONENT ${dev} ${all} FILES_MATCHING PATTERN "*.h")
  install(TARGETS ${target} EXPORT ${target}_export
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${dev} ${all}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${lib} NAMELINK_COMPONENT ${dev} ${all}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT ${target}_export NAMESPACE bitnet:: FILE ${target}Targets.cmake DESTINATION ${config_dir}
          COMPONENT ${dev} ${all})

  # Whoever links a static library links what it needs; a shared one brings that itself.
  get_target_property(type ${target} TYPE)
  set(find_dependencies)
  set(pc_requires)
  set(pc_libs)
  if(type STREQUAL "STATIC_LIBRARY")
    string(REPLACE ";" ", " pc_requires "${BITNET_REQUIRES}")
    set(pc_libs " -pthread")
    list(JOIN BITNET_REQUIRES " " modules)
    configure_file(${PROJECT_SOURCE_DIR}/scripts/cmake/find_dependencies.cmake.in ${made}/find_dependencies @ONLY)
    file(READ ${made}/find_dependencies find_dependencies)
  endif()
  configure_package_config_file(${PROJECT_SOURCE_DIR}/scripts/cmake/bitnetConfig.cmake.in ${made}/bitnetConfig.cmake
                                INSTALL_DESTINATION ${config_dir} NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file(${made}/bitnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)  # as BITNET_SOVERSION
  install(FILES ${made}/bitnetConfig.cmake ${made}/bitnetConfigVersion.cmake DESTINATION ${config_dir}
          COMPONENT ${dev} ${all})

  set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  foreach(dir LIBDIR INCLUDEDIR)
    string(TOLOWER ${dir} name)
    set(pc_${name} ${CMAKE_INSTALL_${dir}})
    if(NOT IS_ABSOLUTE "${pc_${name}}")
      set(pc_${name} "\${prefix}/${pc_${name}}")
    endif()
  endforeach()
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  if(NOT IS_ABSOLUTE "${pc_dir}")  # then what is installed can be moved
    file(RELATIVE_PATH up /${pc_dir} /)
    string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${up}")
  endif()
  configure_file(${PROJECT_SOURCE_DIR}/scripts/cmake/bitnet.pc.in ${made}/bitnet.pc @ONLY)
  install(FILES ${made}/bitnet.pc DESTINATION ${pc_dir} COMPONENT ${dev} ${all})
endfunction()

# The executable, and what it says of itself.
function(bitnet_install_cli)
  install(TARGETS bitnet-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
  file(GLOB schemas ${PROJECT_SOURCE_DIR}/tests/data/schemas/*.json)
  install(FILES ${schemas} DESTINATION ${CMAKE_INSTALL_DATADIR}/bitnet/schemas COMPONENT cli)
  install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT cli)
  if(CMAKE_CROSSCOMPILING)
    return()  # it cannot be asked for its manual page
  endif()
  set(made ${PROJECT_BINARY_DIR}/src/cli/made)
  set(data ${CMAKE_INSTALL_DATADIR})
  install(FILES ${made}/man DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME bitnet.1 COMPONENT cli)
  install(FILES ${made}/bash DESTINATION ${data}/bash-completion/completions RENAME bitnet COMPONENT cli)
  install(FILES ${made}/fish DESTINATION ${data}/fish/vendor_completions.d RENAME bitnet.fish COMPONENT cli)
  # Debian's zsh looks elsewhere below /usr. The prefix is known for sure only now that it is installed.
  install(CODE "
    set(zsh \"${data}/zsh/site-functions\")
    if(CMAKE_INSTALL_PREFIX MATCHES \"/usr/?$\" AND EXISTS /etc/debian_version)
      set(zsh \"${data}/zsh/vendor-completions\")
    endif()
    if(NOT IS_ABSOLUTE \"\${zsh}\")
      set(zsh \"\${CMAKE_INSTALL_PREFIX}/\${zsh}\")
    endif()
    file(INSTALL \"${made}/zsh\" DESTINATION \"\${zsh}\" TYPE FILE RENAME _bitnet)" COMPONENT cli)
endfunction()

bitnet_install_library(bitnet lib dev)
if(TARGET bitnet_other)  # of the other kind, for the tests
  bitnet_install_library(bitnet_other other other EXCLUDE_FROM_ALL)
endif()
if(BITNET_CLI)
  bitnet_install_cli()
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT cli)
else()
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
endif()
