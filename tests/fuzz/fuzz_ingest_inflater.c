/* A byte that says which kind and how large the pieces are, then a stream. It must end, within its
 * room. */
#include "ingest_checks.h"

#include "ingest/compression.h"

enum { OUT_BYTES_MAX = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 1) {
        return 0;
    }
    struct inflater *inflater =
        inflater_create((data[0] & 1) != 0 ? COMPRESSION_GZIP : COMPRESSION_ZSTD);
    size_t piece = 1 + (size_t)(data[0] >> 1);
    char out[512];
    struct error error = {0};
    size_t total = 0;
    err e = ERR_OK;
    CHECK(inflater != NULL);
    for (size_t at = 1; at < size_bytes && e != ERR_INVALID && total < OUT_BYTES_MAX; at += piece) {
        struct slice input = slice_of(data + at, size_bytes - at < piece ? size_bytes - at : piece);
        size_t written = 0;
        do {
            size_t before = input.length;
            e = inflater_step(inflater, &input, out, sizeof out, &written, &error);
            CHECK(written <= sizeof out && input.length <= before);
            /* Or it would not end. Without input there may be nothing more to come: the room was
             * filled exactly. */
            CHECK(e != ERR_OK || written > 0 || input.length < before || before == 0);
            total += written;
        } while (e == ERR_OK && total < OUT_BYTES_MAX &&
                 (input.length > 0 || written == sizeof out));
    }
    err end = inflater_finish(inflater, &error);
    CHECK(end == ERR_OK || end == ERR_INVALID);
    inflater_destroy(inflater);
    return 0;
}
