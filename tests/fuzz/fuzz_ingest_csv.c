/* A dialect byte and a header, a line break, and a row. */
#include "ingest_checks.h"

#include "ingest/splitter.h"

/* utf8_valid passes over ASCII by strides; this does not. */
static void check_utf8(struct slice text)
{
    size_t at = 0, bad_at = 0;
    size_t length = 1;
    while (at < text.length && (length = utf8_sequence_length(text, at)) > 0) {
        at += length;
    }
    CHECK(utf8_valid(text, &bad_at) == (length > 0) && (length > 0 || bad_at == at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct slice row = slice_of(data, size_bytes);
    check_utf8(row);
    struct slice header_bytes = slice_cut(&row, '\n');
    struct csv_header *header;
    struct error error = {0};
    if (csv_header_parse(header_bytes, &header, &error) != ERR_OK) {
        CHECK(error.code[0] != '\0' && header == NULL);
        return 0;
    }
    const struct record_form form = {
        .format = FORMAT_CSV, .etl_version = ETL_RULES_VERSION, .header = header};
    read_and_check(row, &form);
    csv_header_destroy(header);
    return 0;
}
