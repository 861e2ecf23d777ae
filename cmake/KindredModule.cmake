# The words a folder's CMakeLists.txt is written in.
#
#   kindred_module(storage
#       SOURCES rawlog.c checkpoint.c          # relative to the folder
#       DEPS base ingest                       # visible to whoever uses storage: its public headers may include theirs
#       PRIVATE_DEPS kindred_dep::lmdb)        # seen by storage/*.c only
#
#     makes the static library kindred_storage (alias kindred::storage). Public headers are in storage/include/storage/
#     and are included as "storage/rawlog.h"; private headers lie next to the sources. A folder that is not in DEPS,
#     direct or through another's DEPS, cannot be included. The same holds for third-party headers (kindred_fence).
#
#   kindred_executable(kindred SOURCES main.c DEPS server [IN_FOLDER])
#
#     makes an executable with jemalloc, at build/kindred; with IN_FOLDER at build/<folder>/kindred.
#
#   kindred_test(rawlog SOURCES rawlog_test.c DEPS storage
#       [PRIVATE_OF storage]                   # may include that folder's private headers
#       [LABELS unit] [ARGS …] [TIMEOUT 60])
#
#     makes the executable test_rawlog and the ctest test unit.rawlog (<first label>.<name>). tests/ is on its include
#     path. Sources are looked up in the calling folder.
#
#   kindred_ctest(http.ingest COMMAND python3 … LABELS http [TIMEOUT 60] [ENV A=1 B=2] [SERIAL])
#
#     registers any command as a test: a script, or a test executable again with other arguments. COMMAND may name a
#     target (its path is filled in). SERIAL: runs while no other test does.
#
#   kindred_fuzzer(http_parse SOURCES http_parse_fuzz.c DEPS server CORPUS corpus/http_parse)
#
#     the source has LLVMFuzzerTestOneInput(). With the fuzz preset this is a libFuzzer program (`make fuzz` runs it);
#     otherwise it is linked with tests/fuzz/replay_main.c, and the test fuzz.http_parse replays the corpus.
#
# In DEPS a bare word is a Kindred folder; m, dl and rt are the libc's; anything else is written with its "::".
# A test labelled "torture" runs with `make torture` only. Every test finds KINDRED_BIN (the kindred executable),
# KINDRED_SOURCE_DIR and KINDRED_BUILD_DIR in its environment.

# Turns DEPS words into link items: base → kindred::base.
function(kindred_resolve out owner)
    set(items "")
    foreach(word IN LISTS ARGN)
        if(TARGET kindred_${word})
            list(APPEND items kindred::${word})
        elseif(word MATCHES "::" OR word MATCHES "^(m|dl|rt)$")
            list(APPEND items ${word})
        else()
            message(FATAL_ERROR "${owner}: no folder '${word}' comes before it (the order is in the top CMakeLists.txt); "
                                "a third-party library is written kindred_dep::${word}")
        endif()
    endforeach()
    set(${out} ${items} PARENT_SCOPE)
endfunction()

# The third-party libraries whose headers are visible through these link items.
function(kindred_visible out)
    set(visible "")
    foreach(item IN LISTS ARGN)
        if(item MATCHES "^kindred_dep::(.+)$")
            list(APPEND visible ${CMAKE_MATCH_1})
        elseif(item MATCHES "^kindred::(.+)$")
            get_target_property(theirs kindred_${CMAKE_MATCH_1} KINDRED_VISIBLE)
            if(theirs)
                list(APPEND visible ${theirs})
            endif()
        endif()
    endforeach()
    list(REMOVE_DUPLICATES visible)
    set(${out} ${visible} PARENT_SCOPE)
endfunction()

# Distributions put lmdb.h, uv.h and the like into /usr/include, where every compiler finds them. The fence is a folder
# per library with headers of the same names that only say #error; a target gets the fences of all libraries it has not
# listed, in front of /usr/include. So "only storage/ sees lmdb.h" is checked by each compilation.
function(kindred_make_fences)
    get_property(names GLOBAL PROPERTY KINDRED_DEP_NAMES)
    foreach(name IN LISTS names)
        get_target_property(headers kindred_dep_${name} KINDRED_HEADERS)
        get_target_property(dirs kindred_dep_${name} KINDRED_INCLUDE_DIRS)
        if(NOT dirs)
            set(dirs /usr/include)
        endif()
        # Multi-arch: a part of a library's headers (openssl/configuration.h) may lie one folder further; the
        # headers people include do not.
        set(found "")
        foreach(header IN LISTS headers)
            if(header MATCHES "\\*")
                file(GLOB more RELATIVE "${dirs}" "${dirs}/${header}")
                list(APPEND found ${more})
            else()
                list(APPEND found ${header})
            endif()
        endforeach()
        foreach(header IN LISTS found)
            file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/fence/${name}/${header}" @ONLY CONTENT
"#error \"<${header}> is for targets that list kindred_dep::${name} in DEPS or PRIVATE_DEPS\"\n")
        endforeach()
    endforeach()
endfunction()

function(kindred_fence target)
    set(allowed ${ARGN})
    # Both OpenSSL libraries share one header folder.
    if("ssl" IN_LIST allowed OR "crypto" IN_LIST allowed)
        list(APPEND allowed ssl crypto)
    endif()
    get_property(names GLOBAL PROPERTY KINDRED_DEP_NAMES)
    foreach(name IN LISTS names)
        if(NOT name IN_LIST allowed)
            target_include_directories(${target} PRIVATE "${CMAKE_BINARY_DIR}/fence/${name}")
        endif()
    endforeach()
endfunction()

function(kindred_check_args function name)
    if(ARG_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "${function}(${name}): cannot read '${ARG_UNPARSED_ARGUMENTS}'")
    endif()
    if(NOT ARG_SOURCES)
        message(FATAL_ERROR "${function}(${name}): SOURCES is missing")
    endif()
endfunction()

function(kindred_module name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS")
    kindred_check_args(kindred_module ${name})
    kindred_resolve(public ${name} ${ARG_DEPS})
    kindred_resolve(private ${name} ${ARG_PRIVATE_DEPS})

    add_library(kindred_${name} STATIC ${ARG_SOURCES})
    add_library(kindred::${name} ALIAS kindred_${name})
    target_include_directories(kindred_${name}
        PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}/include"
        PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(kindred_${name} PUBLIC ${public} PRIVATE ${private})

    kindred_visible(visible ${public})
    set_property(TARGET kindred_${name} PROPERTY KINDRED_VISIBLE "${visible}")
    kindred_visible(visible ${public} ${private})
    kindred_fence(kindred_${name} ${visible})
endfunction()

# A folder whose interface is written before its code: others can compile against it, and see what it sees.
function(kindred_headers_only name)
    message(STATUS "${name}/ has headers but no CMakeLists.txt yet")
    add_library(kindred_${name} INTERFACE)
    add_library(kindred::${name} ALIAS kindred_${name})
    target_include_directories(kindred_${name} INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/${name}/include")
    if(TARGET kindred_base)
        target_link_libraries(kindred_${name} INTERFACE kindred::base)
    endif()
endfunction()

# An executable of ours: what executables, tests and fuzzers have in common.
function(kindred_program target name)
    cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "SOURCES;DEPS")
    kindred_resolve(items ${name} ${ARG_DEPS})
    add_executable(${target} ${ARG_SOURCES})
    target_link_libraries(${target} PRIVATE ${items})
    kindred_visible(visible ${items})
    kindred_fence(${target} ${visible})
endfunction()

function(kindred_executable name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "IN_FOLDER" "" "SOURCES;DEPS")
    kindred_check_args(kindred_executable ${name})
    kindred_program(${name} ${name} SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS} kindred_dep::jemalloc)
    target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    if(NOT ARG_IN_FOLDER)
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
    endif()
endfunction()

function(kindred_ctest name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "SERIAL" "TIMEOUT" "COMMAND;LABELS;ENV")
    if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_COMMAND)
        message(FATAL_ERROR "kindred_ctest(${name}): COMMAND is missing, or cannot read '${ARG_UNPARSED_ARGUMENTS}'")
    endif()
    list(GET ARG_COMMAND 0 program)
    # CTest runs a test of configuration "torture" only when asked for with -C torture.
    set(only "")
    if("torture" IN_LIST ARG_LABELS)
        set(only CONFIGURATIONS torture)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    # Sanitizers make a program several times slower, and so does counting every branch.
    if(KINDRED_SANITIZE OR KINDRED_COVERAGE)
        math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 4")
    endif()
    # Under memcheck: test programs of ours, with tests/valgrind.supp when there is one.
    set(under "")
    if(KINDRED_VALGRIND AND TARGET "${program}")
        set(under valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
                  --fair-sched=try --suppressions=${CMAKE_SOURCE_DIR}/tests/valgrind.supp)
        math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 20")
        list(POP_FRONT ARG_COMMAND)
        list(PREPEND ARG_COMMAND $<TARGET_FILE:${program}>)
    endif()
    add_test(NAME ${name} COMMAND ${under} ${ARG_COMMAND} ${only})

    set(env "KINDRED_BIN=${CMAKE_BINARY_DIR}/kindred" "KINDRED_SOURCE_DIR=${CMAKE_SOURCE_DIR}"
            "KINDRED_BUILD_DIR=${CMAKE_BINARY_DIR}" ${ARG_ENV})
    if(KINDRED_SANITIZE)
        set(suppressions "")
        if(EXISTS "${CMAKE_SOURCE_DIR}/tests/tsan.supp")
            set(suppressions ":suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
        endif()
        list(APPEND env "ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1"
                        "UBSAN_OPTIONS=print_stacktrace=1"
                        "TSAN_OPTIONS=second_deadlock_stack=1${suppressions}")
    endif()
    set_tests_properties(${name} PROPERTIES
        LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${env}" RUN_SERIAL ${ARG_SERIAL})
endfunction()

function(kindred_test name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "SERIAL" "TIMEOUT" "SOURCES;DEPS;PRIVATE_OF;LABELS;ARGS")
    kindred_check_args(kindred_test ${name})
    if(NOT ARG_LABELS)
        set(ARG_LABELS unit)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 60)
    endif()
    kindred_program(test_${name} ${name} SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS})
    target_include_directories(test_${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
    foreach(folder IN LISTS ARG_PRIVATE_OF)
        target_include_directories(test_${name} PRIVATE "${CMAKE_SOURCE_DIR}/${folder}")
    endforeach()
    set(serial "")
    if(ARG_SERIAL)
        set(serial SERIAL)
    endif()
    list(GET ARG_LABELS 0 kind)
    kindred_ctest(${kind}.${name} COMMAND test_${name} ${ARG_ARGS} LABELS ${ARG_LABELS} TIMEOUT ${ARG_TIMEOUT} ${serial})
endfunction()

function(kindred_fuzzer name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "CORPUS" "SOURCES;DEPS;PRIVATE_OF")
    kindred_check_args(kindred_fuzzer ${name})
    if(NOT ARG_CORPUS)
        message(FATAL_ERROR "kindred_fuzzer(${name}): CORPUS is missing")
    endif()
    cmake_path(ABSOLUTE_PATH ARG_CORPUS NORMALIZE OUTPUT_VARIABLE corpus)
    if("fuzzer" IN_LIST KINDRED_SANITIZE)
        kindred_program(fuzz_${name} ${name} SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzzers")
        set_property(GLOBAL APPEND PROPERTY KINDRED_FUZZERS "fuzz_${name} ${corpus}")
    else()
        kindred_program(fuzz_${name} ${name} SOURCES ${ARG_SOURCES} "${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c"
                        DEPS ${ARG_DEPS})
        kindred_ctest(fuzz.${name} COMMAND fuzz_${name} "${corpus}" LABELS fuzz TIMEOUT 120)
    endif()
    # libFuzzer's entry point has no header that declares it.
    target_compile_options(fuzz_${name} PRIVATE -Wno-missing-prototypes)
    target_include_directories(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
    foreach(folder IN LISTS ARG_PRIVATE_OF)
        target_include_directories(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}/${folder}")
    endforeach()
endfunction()

# Called once, after the last folder: leaves the list that `make fuzz` walks.
function(kindred_finish)
    get_property(fuzzers GLOBAL PROPERTY KINDRED_FUZZERS)
    list(JOIN fuzzers "\n" lines)
    file(WRITE "${CMAKE_BINARY_DIR}/fuzzers.txt" "${lines}\n")
endfunction()

kindred_make_fences()
