# What every target of the project shares. Included once, by the top CMakeLists.txt.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(QUORATE_CCACHE ccache)
if(QUORATE_CCACHE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_C_COMPILER_LAUNCHER ${QUORATE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${QUORATE_CCACHE})
endif()

# Warnings, sanitizers and code generation, private to our targets: an embedder's flags stay his.
function(quorate_target_defaults target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
    -Wconversion -Wno-sign-conversion
    # gcc 12 sees overlapping copies in std::string where there are none (GCC bug 105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    -fno-omit-frame-pointer $<$<BOOL:${QUORATE_WERROR}>:-Werror>)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(QUORATE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${QUORATE_SANITIZE}
                           -fno-sanitize-recover=all)
    target_compile_definitions(${target} PRIVATE QUORATE_SANITIZED)
    target_link_options(${target} PUBLIC -fsanitize=${QUORATE_SANITIZE})
  endif()
endfunction()

# Several sources at once, where QUORATE_TOGETHER asks for it: most of their time goes into the
# headers of gtest, fmt and CLI11, which are then read once. Names in their unnamed namespaces must
# differ. The library is never built so.
function(quorate_may_be_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${QUORATE_TOGETHER})
endfunction()

# One folder of the engine: an object library whose link line repeats the picture in
# engine/README.md. Its objects end in the one library that embedders link.
function(quorate_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(quorate_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(quorate_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/engine>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/engine/api>)
  target_link_libraries(quorate_${name} PUBLIC ${ARG_LINKS})
  quorate_target_defaults(quorate_${name})
endfunction()

# Lets a test or a micro benchmark include the engine's own headers.
function(quorate_internal_headers target)
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/engine)
  target_include_directories(${target} SYSTEM PRIVATE ${PROJECT_BINARY_DIR}/wire/generated)
  add_dependencies(${target} quorate_schema)
endfunction()
