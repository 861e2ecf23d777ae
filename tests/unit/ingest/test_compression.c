/* Tries streams cut at every byte, damaged at every byte, several members in one, and a bomb. */
#include "support.h"

#include <zlib.h>
#include <zstd.h>

#include "ingest/compression.h"

static const char text[] =
    "{\"email\":\"a@x.org\"}\n{\"email\":\"b@x.org\"}\n{\"email\":\"a@x.org\"}\n";

static size_t pack(enum compression kind, const char *data, size_t length, char *out, size_t room)
{
    if (kind == COMPRESSION_ZSTD) {
        return ZSTD_compress(out, room, data, length, 3);
    }
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        abort();
    }
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (unsigned)length;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)room;
    deflate(&z, Z_FINISH);
    size_t used = room - z.avail_out;
    deflateEnd(&z);
    return used;
}

/* Everything that comes out, fed in pieces of `piece`, taken out `room` at a time. */
static err unpack(enum compression kind, const char *packed, size_t length, size_t piece,
                  size_t room, struct buffer *to)
{
    struct inflater *inflater = inflater_create(kind);
    char out[256];
    struct error error;
    err e = ERR_OK;
    for (size_t at = 0; at < length && e != ERR_INVALID; at += piece) {
        struct slice input = slice_of(packed + at, length - at < piece ? length - at : piece);
        size_t written = 0;
        do {
            e = inflater_step(inflater, &input, out, room, &written, &error);
            buffer_append(to, out, written);
        } while (e == ERR_OK && (input.length > 0 || written == room));
    }
    if (e != ERR_INVALID) {
        e = inflater_finish(inflater, &error);
    }
    inflater_destroy(inflater);
    return e;
}

static void check(enum compression kind)
{
    char packed[1024];
    size_t length = pack(kind, text, sizeof text - 1, packed, sizeof packed);
    EXPECT(compression_sniff(slice_of(packed, length)) == kind);
    size_t both =
        length + pack(kind, text, sizeof text - 1, packed + length, sizeof packed - length);
    struct buffer out;
    buffer_init(&out, 1u << 20);
    static const size_t pieces[] = {1, 2, 7, 1024};
    static const size_t rooms[] = {1, 5, 256};
    for (size_t p = 0; p < ARRAY_COUNT(pieces); p++) {
        for (size_t r = 0; r < ARRAY_COUNT(rooms); r++) {
            buffer_clear(&out);
            EXPECT(unpack(kind, packed, both, pieces[p], rooms[r], &out) == ERR_OK);
            EXPECT(out.length == 2 * (sizeof text - 1) &&
                   memcmp(out.data, text, sizeof text - 1) == 0 &&
                   memcmp(out.data + sizeof text - 1, text, sizeof text - 1) == 0);
        }
    }
    for (size_t cut = 1; cut < length; cut++) {
        buffer_clear(&out);
        EXPECT(unpack(kind, packed, cut, 16, 64, &out) == ERR_INVALID, ": cut at %zu", cut);
        EXPECT(out.length <= sizeof text - 1 &&
               memcmp(out.data == NULL ? "" : out.data, text, out.length) == 0);
    }
    for (size_t at = 0; at < length; at++) {
        packed[at] = (char)(packed[at] ^ 0x55);
        buffer_clear(&out);
        (void)unpack(kind, packed, length, 16, 64, &out); /* must end, within its room */
        packed[at] = (char)(packed[at] ^ 0x55);
    }
    buffer_deinit(&out);
}

static void test_gzip(void)
{
    check(COMPRESSION_GZIP);
}

static void test_zstd(void)
{
    check(COMPRESSION_ZSTD);
}

static void test_sniff(void)
{
    EXPECT(compression_sniff(SLICE_LITERAL("")) == COMPRESSION_NONE);
    EXPECT(compression_sniff(SLICE_LITERAL("\x1F\x8B\x08")) == COMPRESSION_NONE);
    EXPECT(compression_sniff(SLICE_LITERAL("{\"a\":1}")) == COMPRESSION_NONE);
    EXPECT(compression_sniff(SLICE_LITERAL("PK\x03\x04")) == COMPRESSION_NONE);
}

int main(void)
{
    RUN(test_gzip);
    RUN(test_zstd);
    RUN(test_sniff);
    return test_summary();
}
