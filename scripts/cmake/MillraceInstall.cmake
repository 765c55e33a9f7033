# cmake --install: libraries, headers and the CMake package that find_package(millrace CONFIG) reads.
include(CMakePackageConfigHelpers)
set(MILLRACE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/millrace)

get_property(millrace_libraries GLOBAL PROPERTY MILLRACE_LIBRARIES)
install(TARGETS ${millrace_libraries} EXPORT millrace-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
get_property(millrace_programs GLOBAL PROPERTY MILLRACE_PROGRAMS)
if(millrace_programs)
  install(TARGETS ${millrace_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT millrace-targets NAMESPACE millrace:: DESTINATION ${MILLRACE_CMAKE_DIR})

# Public headers are <millrace/...>. The templates in them include internal headers, which stand apart under impl/.
install(DIRECTORY client/millrace/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/millrace
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY common executor driver client
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/millrace/impl
        FILES_MATCHING PATTERN "*.h"
        PATTERN client/millrace EXCLUDE PATTERN client/examples EXCLUDE PATTERN client/submit EXCLUDE
        PATTERN common/http EXCLUDE PATTERN driver/daemon EXCLUDE PATTERN executor/daemon EXCLUDE)

configure_package_config_file(scripts/cmake/millrace-config.cmake.in
  ${PROJECT_BINARY_DIR}/millrace-config.cmake INSTALL_DESTINATION ${MILLRACE_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/millrace-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/millrace-config.cmake
              ${PROJECT_BINARY_DIR}/millrace-config-version.cmake
              scripts/cmake/millrace-dependencies.cmake
        DESTINATION ${MILLRACE_CMAKE_DIR})
