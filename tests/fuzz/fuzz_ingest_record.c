/* Any bytes as a JSON record and as a correction. */
#include "ingest_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct slice bytes = slice_of(data, size_bytes);
    const struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    read_and_check(bytes, &form);

    struct arena arena;
    struct record record;
    struct record_error error = {0};
    arena_init(&arena, 64u << 20);
    err e = record_read_patch(&arena, bytes, fuzz_settings(), &record, &error);
    if (e == ERR_OK) {
        check_record(&record, true);
    } else {
        check_refusal(e, &error);
    }
    arena_deinit(&arena);
    return 0;
}
