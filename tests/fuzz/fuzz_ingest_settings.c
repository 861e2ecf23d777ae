/* Any bytes as settings; what is accepted is asked about itself. */
#include "ingest_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct settings *settings;
    struct error error = {0};
    err e = settings_parse(slice_of(data, size_bytes), &settings, &error);
    if (e != ERR_OK) {
        CHECK(error.code[0] != '\0' && error.message[0] != '\0' && settings == NULL);
        return 0;
    }
    uint32_t seen = 0;
    CHECK(settings->identifier_type_count >= IDENTIFIER_BUILTIN_COUNT &&
          settings->identifier_type_count <= IDENTIFIER_TYPE_MAX);
    for (size_t i = 0; i < settings->identifier_type_count; i++) {
        uint8_t type = 255;
        CHECK(settings_identifier_type(settings, slice_from_cstr(settings->identifiers[i].name),
                                       &type) &&
              type == i);
        CHECK(settings->identifiers[i].limit_count >= 1);
        seen |= UINT32_C(1) << settings->priority[i];
        (void)settings_identifier_blocked(settings, type,
                                          slice_of(data, size_bytes < 256 ? size_bytes : 256));
    }
    CHECK(seen == (UINT32_C(1) << settings->identifier_type_count) - 1);
    (void)settings_source_priority(settings, SLICE_LITERAL("crm"));
    settings_destroy(settings);
    return 0;
}
