/* A mapping, a zero byte, and a record: a JSON object, or a row under the header a,b,c. */
#include "ingest_checks.h"

#include "ingest/mapping.h"
#include "ingest/splitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct slice record = slice_of(data, size_bytes);
    struct slice json = slice_cut(&record, '\0');
    struct mapping *mapping;
    struct error error = {0};
    if (mapping_parse(json, &mapping, &error) != ERR_OK) {
        CHECK(error.code[0] != '\0' && error.message[0] != '\0' && mapping == NULL);
        return 0;
    }
    struct record_form form = {
        .format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION, .mapping = mapping};
    read_and_check(record, &form);
    struct csv_header *header;
    CHECK(csv_header_parse(SLICE_LITERAL(",a,b,c"), &header, &error) == ERR_OK);
    form.format = FORMAT_CSV;
    form.header = header;
    read_and_check(record, &form);
    csv_header_destroy(header);
    mapping_destroy(mapping);
    return 0;
}
