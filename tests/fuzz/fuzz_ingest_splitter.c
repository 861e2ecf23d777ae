/* A byte that says the hint, the limit and the size of pieces, then a stream. What comes out must
 * not depend on the pieces; records must be within the limit; and each record is read. */
#include "ingest_checks.h"

#include "base/buffer.h"
#include "ingest/splitter.h"

static void note(struct buffer *to, const struct split *split)
{
    buffer_append_format(to, "%d %llu %llu %llu %s %zu[", (int)split->kind,
                         (unsigned long long)split->record_number, (unsigned long long)split->line,
                         (unsigned long long)split->offset,
                         split->kind == SPLIT_BAD ? split->error.code : "", split->bytes.length);
    buffer_append_slice(to, split->bytes);
    buffer_append_char(to, '\n');
}

static void take_all(struct splitter *s, size_t limit, struct csv_header **header,
                     struct buffer *to)
{
    struct split split;
    struct error error;
    while (splitter_next(s, &split) == ERR_OK) {
        note(to, &split);
        if (split.kind == SPLIT_BAD) {
            CHECK(split.bytes.length <= BAD_BYTES_MAX && split.error.code[0] != '\0');
        } else if (split.kind == SPLIT_HEADER) {
            CHECK(*header == NULL);
            err e = csv_header_parse(split.bytes, header, &error);
            CHECK((e == ERR_OK) == (*header != NULL));
        } else {
            CHECK(split.bytes.length > 0 && split.bytes.length <= limit);
            const struct record_form form = {split.format, ETL_RULES_VERSION, *header, NULL};
            if (split.format == FORMAT_JSON || *header != NULL) {
                read_and_check(split.bytes, &form);
            }
        }
    }
}

/* Each piece is a copy of its own, freed when nothing more comes of it: what is borrowed longer is
 * seen. */
static void run(struct slice input, enum content_hint hint, size_t limit, size_t piece,
                struct buffer *to)
{
    struct splitter *s = splitter_create(hint, limit);
    struct csv_header *header = NULL;
    bool last = false;
    CHECK(s != NULL);
    for (size_t at = 0; !last; at += piece) {
        size_t size = input.length - at < piece ? input.length - at : piece;
        struct error error = {0};
        char *fresh = malloc(size + 1);
        CHECK(fresh != NULL);
        if (size > 0) {
            memcpy(fresh, input.data + at, size);
        }
        last = at + size == input.length;
        err e = splitter_feed(s, slice_of(fresh, size), last, &error);
        if (e == ERR_OK) {
            take_all(s, limit, &header, to);
        } else {
            buffer_append_format(to, "refused %s", error.code);
            last = true;
        }
        free(fresh);
    }
    buffer_append_format(to, "%d", (int)splitter_was_single(s));
    csv_header_destroy(header);
    splitter_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2) {
        return 0;
    }
    enum content_hint hint = (enum content_hint)(data[0] % 5);
    size_t limit = (data[0] & 0x80u) != 0 ? 16 : 4096;
    size_t piece = 1 + data[1] % 61u;
    struct slice input = slice_of(data + 2, size_bytes - 2);
    struct buffer whole;
    struct buffer pieces;
    buffer_init(&whole, 64u << 20);
    buffer_init(&pieces, 64u << 20);
    run(input, hint, limit, input.length + 1, &whole);
    run(input, hint, limit, piece, &pieces);
    CHECK(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
    return 0;
}
