# Third-party libraries, from the distribution, as targets kindred_dep::<name>.
#
# Everything that is missing or too old is named in one line at the end. Keep the minimum versions equal to
# those in scripts/setup.

find_package(PkgConfig QUIET)

set(kindred_missing "")

# kindred_dep(<name> <pkg-config module> <minimum version> HEADERS <headers, globs allowed>)
# HEADERS are what a module may only include when it lists this library (see kindred_fence in KindredModule.cmake).
function(kindred_dep name module version)
    cmake_parse_arguments(PARSE_ARGV 3 ARG "" "" "HEADERS")
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(KINDRED_${name} QUIET IMPORTED_TARGET GLOBAL "${module}>=${version}")
    endif()
    if(NOT KINDRED_${name}_FOUND)
        set(kindred_missing ${kindred_missing} "${module} >= ${version}" PARENT_SCOPE)
        return()
    endif()
    add_library(kindred_dep_${name} INTERFACE)
    target_link_libraries(kindred_dep_${name} INTERFACE PkgConfig::KINDRED_${name})
    add_library(kindred_dep::${name} ALIAS kindred_dep_${name})
    set_property(TARGET kindred_dep_${name} PROPERTY KINDRED_HEADERS "${ARG_HEADERS}")
    set_property(TARGET kindred_dep_${name} PROPERTY KINDRED_INCLUDE_DIRS "${KINDRED_${name}_INCLUDEDIR}")
    set_property(TARGET kindred_dep_${name} PROPERTY KINDRED_LINK_LIBRARIES "${KINDRED_${name}_LINK_LIBRARIES}")
    set_property(GLOBAL APPEND PROPERTY KINDRED_DEP_NAMES ${name})
endfunction()

kindred_dep(uv       libuv       1.44   HEADERS uv.h)
kindred_dep(llhttp   libllhttp   9      HEADERS llhttp.h)
kindred_dep(jemalloc jemalloc    5.2    HEADERS jemalloc/jemalloc.h)
kindred_dep(lmdb     lmdb        0.9.24 HEADERS lmdb.h)
kindred_dep(roaring  roaring     4      HEADERS roaring/*.h)
kindred_dep(yyjson   yyjson      0.10   HEADERS yyjson.h)
# Debian's libutf8proc.pc says 2.6 for 2.8: ask for what it says.
kindred_dep(utf8proc libutf8proc 2.6    HEADERS utf8proc.h)
kindred_dep(xxhash   libxxhash   0.8    HEADERS xxhash.h xxh3.h)
kindred_dep(zlib     zlib        1.2.11 HEADERS zlib.h)
kindred_dep(zstd     libzstd     1.5    HEADERS zstd.h)
kindred_dep(crypto   libcrypto   3.0    HEADERS openssl/*.h)
kindred_dep(ssl      libssl      3.0    HEADERS openssl/*.h)
kindred_dep(curl     libcurl     7.88   HEADERS curl/*.h)

if(NOT PKG_CONFIG_FOUND)
    message(FATAL_ERROR "pkg-config is missing. Run `make setup`.")
elseif(kindred_missing)
    list(JOIN kindred_missing ", " kindred_missing)
    message(FATAL_ERROR "Missing or too old: ${kindred_missing}. Run `make setup`.")
endif()

# jemalloc replaces malloc, and so do the sanitizers: with them, kindred_dep::jemalloc links nothing. Without them it is
# linked even if no object calls malloc itself (gcc drops such a library by default): other libraries do.
if(KINDRED_SANITIZE)
    set(link "")
    target_compile_definitions(kindred_dep_jemalloc INTERFACE KINDRED_JEMALLOC=0)
else()
    get_target_property(link kindred_dep_jemalloc KINDRED_LINK_LIBRARIES)
    set(link "-Wl,--push-state,--no-as-needed" ${link} "-Wl,--pop-state")
    target_compile_definitions(kindred_dep_jemalloc INTERFACE KINDRED_JEMALLOC=1)
endif()
set_property(TARGET kindred_dep_jemalloc PROPERTY INTERFACE_LINK_LIBRARIES "${link}")
