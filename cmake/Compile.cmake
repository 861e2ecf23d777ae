# How every source file of Kindred is compiled and linked: language, warnings, hardening, sanitizers.

include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

option(KINDRED_WERROR "Treat warnings as errors (also on when the environment has CI set)" OFF)
option(KINDRED_COVERAGE "Measure which lines the tests reach" OFF)
option(KINDRED_VALGRIND "Run the unit tests under memcheck (make valgrind-test)" OFF)
set(KINDRED_SANITIZE "" CACHE STRING "Sanitizers: 'address;undefined' or 'thread'; 'fuzzer' adds libFuzzer (clang)")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# No NDEBUG in any build: assertions stay on in release.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")

# Files must not define _GNU_SOURCE themselves: it is on everywhere, so that one file cannot see another libc than the next.
add_compile_definitions(_GNU_SOURCE KINDRED_VERSION="${PROJECT_VERSION}")
add_compile_options(
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wvla -Wundef -Wcast-qual
    -fno-omit-frame-pointer -pthread)
add_link_options(-pthread)

# __FILE__ in messages reads "storage/rawlog.c", wherever the tree was built.
add_compile_options("-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")

if(KINDRED_WERROR OR (DEFINED ENV{CI} AND NOT "$ENV{CI}" STREQUAL ""))
    add_compile_options(-Werror)
endif()

# Position-independent executables. Static libraries get -fPIE, not -fPIC: with -fPIC the compiler may not
# inline one public function into another.
set(is_shared "$<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY$<SEMICOLON>MODULE_LIBRARY>")
add_compile_options("$<IF:${is_shared},-fPIC,-fPIE>")
add_link_options("$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>" -Wl,-z,relro -Wl,-z,now)

# Adds a compiler flag when this compiler knows it.
function(kindred_flag_if_known flag)
    string(MAKE_C_IDENTIFIER "KINDRED_HAS_${flag}" known)
    check_c_compiler_flag("${flag}" ${known})
    if(${known})
        add_compile_options("${flag}")
    endif()
endfunction()

kindred_flag_if_known(-fstack-protector-strong)
kindred_flag_if_known(-fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
    kindred_flag_if_known(-fcf-protection)
endif()

if(KINDRED_SANITIZE)
    set(sanitizers ${KINDRED_SANITIZE})
    if("fuzzer" IN_LIST sanitizers)
        # Modules are instrumented; only a kindred_fuzzer() links the driver with its main().
        list(TRANSFORM sanitizers REPLACE "^fuzzer$" "fuzzer-no-link")
        if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
            message(FATAL_ERROR "The fuzz preset needs clang: apt-get install clang libclang-rt-14-dev (Debian 12) or libclang-rt-19-dev (Debian 13).")
        endif()
    endif()
    list(JOIN sanitizers "," sanitizers)
    add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -O1)
    add_link_options(-fsanitize=${sanitizers})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    # Level 3 needs a libc and a compiler that know it; ask them instead of counting versions.
    set(CMAKE_REQUIRED_FLAGS "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
    check_c_source_compiles("
        #include <stdio.h>
        #if __USE_FORTIFY_LEVEL < 3
        #error no level 3 here
        #endif
        int main(void) { return 0; }" KINDRED_HAS_FORTIFY_3)
    unset(CMAKE_REQUIRED_FLAGS)
    if(KINDRED_HAS_FORTIFY_3)
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    else()
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
endif()

if(KINDRED_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
