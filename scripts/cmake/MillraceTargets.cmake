# Functions that the folders' CMakeLists.txt share.

# millrace_sources(<variable> [<excluded folder>...])
# All .cc files below the current folder but those with a main() (main.cc, *_main.cc) and those of the excluded folders.
# An empty list becomes one empty file, so that a target exists before its first source does.
function(millrace_sources variable)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "(/|_)main\\.cc$")
  foreach(folder IN LISTS ARGN)
    list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/${folder}/")
  endforeach()
  if(NOT sources)
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cc)
    file(TOUCH ${sources})
  endif()
  set(${variable} ${sources} PARENT_SCOPE)
endfunction()

# What every target of ours is compiled with.
function(millrace_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    # GCC 12 reports overlapping copies inside std::string where there are none (GCC bug 105329).
    # In optimised builds it takes Abseil's inlined vectors for uninitialised when they are moved.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-maybe-uninitialized>
    $<$<BOOL:${MILLRACE_WERROR}>:-Werror>)
  if(MILLRACE_SANITIZE)
    # Sanitizers add paths on which GCC sees variables that are not set; the plain builds keep the warning.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endif()
endfunction()

# millrace_add_layer(<folder> SOURCES ... LINK ...)
# The static library millrace_<folder> of a top folder. Its includes start at the repository root.
function(millrace_add_layer layer)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  add_library(millrace_${layer} STATIC ${arg_SOURCES})
  millrace_compile_options(millrace_${layer})
  # A user may link it into a shared library.
  set_target_properties(millrace_${layer} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(millrace_${layer} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/millrace/impl>)
  target_link_libraries(millrace_${layer} PUBLIC ${arg_LINK})
  set_property(GLOBAL APPEND PROPERTY MILLRACE_LIBRARIES millrace_${layer})
endfunction()

# millrace_add_program(<name> <source> LINK ...)
# A program that is installed: build/<preset>/bin/<name>.
function(millrace_add_program name source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINK")
  add_executable(${name} ${source})
  millrace_compile_options(${name})
  target_compile_definitions(${name} PRIVATE MILLRACE_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  set_property(GLOBAL APPEND PROPERTY MILLRACE_PROGRAMS ${name})
endfunction()
