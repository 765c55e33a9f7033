# The packages that the core links. One list for two readers: our own build, and the installed package,
# whose users link our static libraries and so need the same packages.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl)
find_dependency(Protobuf)
find_dependency(gflags)
find_dependency(glog)
find_dependency(gRPC)
find_dependency(OpenSSL)
find_dependency(tinyxml2)

# LZ4, xxHash and zstd: no CMake package of one name exists for them, so each is found by header and library.
foreach(_millrace_lib IN ITEMS lz4:lz4.h xxhash:xxhash.h zstd:zstd.h)
  string(REPLACE ":" ";" _millrace_lib ${_millrace_lib})
  list(GET _millrace_lib 0 _millrace_name)
  list(GET _millrace_lib 1 _millrace_header)
  if(NOT TARGET millrace::dep_${_millrace_name})
    find_path(MILLRACE_${_millrace_name}_INCLUDE_DIR ${_millrace_header})
    find_library(MILLRACE_${_millrace_name}_LIBRARY ${_millrace_name})
    mark_as_advanced(MILLRACE_${_millrace_name}_INCLUDE_DIR MILLRACE_${_millrace_name}_LIBRARY)
    if(NOT MILLRACE_${_millrace_name}_INCLUDE_DIR OR NOT MILLRACE_${_millrace_name}_LIBRARY)
      message(FATAL_ERROR "Millrace needs ${_millrace_header} and lib${_millrace_name}: "
                          "install lib${_millrace_name}-dev (scripts/install-deps does)")
    endif()
    add_library(millrace::dep_${_millrace_name} UNKNOWN IMPORTED)
    set_target_properties(millrace::dep_${_millrace_name} PROPERTIES
      IMPORTED_LOCATION ${MILLRACE_${_millrace_name}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${MILLRACE_${_millrace_name}_INCLUDE_DIR})
  endif()
endforeach()
