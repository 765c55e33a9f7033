# Our own build only: fast tools when the machine has them, sanitizers, build type.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# The sloppiness is what ccache asks for before it caches a compilation that uses a precompiled header.
find_program(MILLRACE_CCACHE ccache)
mark_as_advanced(MILLRACE_CCACHE)
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${MILLRACE_CCACHE})
endif()

find_program(MILLRACE_MOLD ld.mold)
mark_as_advanced(MILLRACE_MOLD)
if(MILLRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
# A program loads only the shared libraries that it uses: start-up time and resident memory are part of what we promise.
add_link_options(-Wl,--as-needed)

if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND MILLRACE_SANITIZE MATCHES "address")
    add_compile_definitions(__SANITIZE_ADDRESS__)  # As GCC says it; code asks for that alone.
  endif()
endif()
