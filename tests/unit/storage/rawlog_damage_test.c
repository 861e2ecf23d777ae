/* Tries to get a wrong entry, a lost entry or a crash out of a damaged log: cut at every byte,
 * every bit flipped, headers and files lost. A torn tail must be cut and reported; anything else
 * must be refused by name, with nothing changed. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "rawlog_frame.h"
#include "support.h"
#include "unit/test.h"

enum { ENTRIES = 12, SYNCED = 8 };
static const char segment_file[] = "00000000000000000001.seg";

/* A log of batches (1), (2,3), (4,5,6), (7,8) synced, then (9), (10..12) not. Where each batch ends
 * is found by appending. */
struct sample {
    char folder[256];
    char path[320];
    char *bytes;
    size_t length;
    uint64_t end_bytes
        [ENTRIES +
         1]; /* size of the file when entry n was the last one; 0 when no batch ends there */
};

static void sample_make(struct sample *sample)
{
    static const size_t sizes[] = {1, 2, 3, 2, 1, 3};
    static const struct log_settings settings = {0};
    struct error error;
    uint64_t next = 1;
    *sample = (struct sample){0};
    snprintf(sample->folder, sizeof sample->folder, "%s", folder_make());
    snprintf(sample->path, sizeof sample->path, "%s/%s", sample->folder, segment_file);
    struct log *log = log_open(sample->folder, &settings, NULL, &error);
    CHECK(log != NULL);
    sample->end_bytes[0] = SEGMENT_HEADER_BYTES;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        CHECK(log_append_numbers(log, next, sizes[i], &error) == ERR_OK);
        next += sizes[i];
        sample->end_bytes[next - 1] = log->ops->position(log).bytes;
        if (next - 1 <= SYNCED) {
            CHECK(log->ops->sync(log, &error) == ERR_OK);
        }
    }
    log->ops->close(log);
    sample->bytes = file_load(sample->path, &sample->length);
    CHECK(sample->length == sample->end_bytes[ENTRIES]);
}

static void sample_drop(struct sample *sample)
{
    folder_remove(sample->folder);
    free(sample->bytes);
}

/* The last entry of the last batch that ends within so many bytes. */
static uint64_t whole_batches(const struct sample *sample, uint64_t bytes)
{
    uint64_t last = 0;
    for (uint64_t n = 1; n <= ENTRIES; n++) {
        last = sample->end_bytes[n] != 0 && sample->end_bytes[n] <= bytes ? n : last;
    }
    return last;
}

static void expect_entries(struct log *log, uint64_t last)
{
    struct arena arena;
    struct error error;
    struct log_entry entry;
    arena_init(&arena, 1 << 20);
    EXPECT(log->ops->position(log).last_sequence == last, " %llu, expected %llu",
           (unsigned long long)log->ops->position(log).last_sequence, (unsigned long long)last);
    for (uint64_t n = 1; n <= last; n++) {
        EXPECT(log->ops->get(log, n, &arena, &entry, &error) == ERR_OK && entry_matches(n, &entry),
               " entry %u", (unsigned)n);
    }
    arena_deinit(&arena);
}

/* A refused log is as it was. */
static void expect_unchanged(const struct sample *sample, const char *bytes, size_t length)
{
    size_t now_length;
    char *now = file_load(sample->path, &now_length);
    EXPECT(now_length == length && memcmp(now, bytes, length) == 0);
    free(now);
}

static void test_cut_at_every_byte(void)
{
    struct sample sample;
    sample_make(&sample);
    for (size_t length = 0; length <= sample.length; length++) {
        struct rawlog_report report;
        struct error error;
        struct log_settings settings = {0};
        uint64_t whole = whole_batches(&sample, length);
        file_store(sample.path, sample.bytes, length);
        settings.durable_sequence = SYNCED;
        struct log *log = log_open(sample.folder, &settings, &report, &error);
        if (whole < SYNCED) {
            EXPECT(log == NULL && error.err == ERR_CORRUPT,
                   " cut to %zu bytes: a synced entry is missing", length);
            if (length > SEGMENT_HEADER_BYTES) {
                expect_unchanged(&sample, sample.bytes, length);
            }
        } else {
            REQUIRE(log != NULL, " cut to %zu bytes: %s", length, error.message);
        }
        if (log == NULL) {
            settings.durable_sequence = 0;
            file_store(sample.path, sample.bytes, length);
            log = log_open(sample.folder, &settings, &report, &error);
            REQUIRE(log != NULL, " cut to %zu bytes: %s", length, error.message);
        }
        expect_entries(log, whole);
        if (length >= SEGMENT_HEADER_BYTES) {
            EXPECT(report.cut_bytes == length - sample.end_bytes[whole]);
            EXPECT(report.cut_bytes == 0 || (report.cut_offset == sample.end_bytes[whole] &&
                                             strcmp(report.cut_file, segment_file) == 0));
        }
        EXPECT(log_append_numbers(log, whole + 1, 1, &error) == ERR_OK);
        log->ops->close(log);
        settings.durable_sequence = whole + 1;
        log = log_open(sample.folder, &settings, &report, &error);
        REQUIRE(log != NULL, " %s", error.message);
        expect_entries(log, whole + 1);
        log->ops->close(log);
    }
    sample_drop(&sample);
}

/* Every byte of this log was written, so every flipped bit is damage, in the unsynced tail as
 * well. */
static void test_every_bit_flipped(void)
{
    struct sample sample;
    static const struct log_settings settings = {0};
    sample_make(&sample);
    for (size_t bit = 0; bit < sample.length * 8; bit++) {
        struct rawlog_report report;
        struct error error;
        uint64_t checked;
        sample.bytes[bit / 8] ^= (char)(1 << bit % 8);
        file_store(sample.path, sample.bytes, sample.length);
        struct log *log = log_open(sample.folder, &settings, &report, &error);
        EXPECT(log == NULL && error.err == ERR_CORRUPT &&
                   strstr(error.message, segment_file) != NULL,
               " bit %zu", bit);
        if (log != NULL) {
            log->ops->close(log);
        }
        EXPECT(rawlog_verify(&file_system_posix, sample.folder, NULL, NULL, &checked, &error) ==
               ERR_CORRUPT);
        expect_unchanged(&sample, sample.bytes, sample.length);
        sample.bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    sample_drop(&sample);
}

/* Opened with everything trusted, damage is found when the entry is read, never given out. */
static void test_every_bit_flipped_in_a_trusted_log(void)
{
    struct sample sample;
    static const struct log_settings settings = {.trusted_sequence = ENTRIES, .read_only = true};
    sample_make(&sample);
    for (size_t bit = 0; bit < sample.length * 8; bit++) {
        struct rawlog_report report;
        struct error error;
        struct arena arena;
        struct log_entry entry;
        struct log_reader *reader;
        sample.bytes[bit / 8] ^= (char)(1 << bit % 8);
        file_store(sample.path, sample.bytes, sample.length);
        struct log *log = log_open(sample.folder, &settings, &report, &error);
        if (log != NULL) {
            arena_init(&arena, 1 << 20);
            for (uint64_t n = 1; n <= ENTRIES; n++) {
                err e = log->ops->get(log, n, &arena, &entry, &error);
                EXPECT(e == ERR_CORRUPT || (e == ERR_OK && entry_matches(n, &entry)),
                       " bit %zu entry %u", bit, (unsigned)n);
            }
            arena_deinit(&arena);
            err e = log->ops->reader_create(log, 1, &reader, &error);
            uint64_t n = 1;
            while (e == ERR_OK &&
                   (e = log->ops->reader_next(reader, &entry, NULL, &error)) == ERR_OK) {
                EXPECT(entry_matches(n, &entry), " bit %zu entry %u", bit, (unsigned)n);
                n++;
            }
            EXPECT(e == ERR_CORRUPT || (e == ERR_END && n == ENTRIES + 1), " bit %zu", bit);
            log->ops->reader_destroy(reader);
            log->ops->close(log);
        } else {
            EXPECT(error.err == ERR_CORRUPT, " bit %zu: %s", bit, error.message);
        }
        sample.bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    sample_drop(&sample);
}

/* Sectors of zeros: a tail that never arrived is cut, but not when a later batch says it had been
 * synced. */
static void test_sectors_of_zeros(void)
{
    struct sample sample;
    sample_make(&sample);
    for (uint64_t sector = 0; sector * SECTOR_BYTES < sample.length; sector++) {
        struct rawlog_report report;
        struct error error;
        uint64_t from = sector * SECTOR_BYTES;
        uint64_t to = from + SECTOR_BYTES < sample.length ? from + SECTOR_BYTES : sample.length;
        /* Where the sector takes the later batches' headers along, only the checkpoint can know. */
        struct log_settings settings = {.durable_sequence =
                                            to > sample.end_bytes[SYNCED + 1] ? SYNCED : 0};
        char *damaged = malloc(sample.length);
        CHECK(damaged != NULL);
        memcpy(damaged, sample.bytes, sample.length);
        memset(damaged + from, 0, to - from);
        file_store(sample.path, damaged, sample.length);
        struct log *log = log_open(sample.folder, &settings, &report, &error);
        if (from < sample.end_bytes[SYNCED]) {
            EXPECT(log == NULL && error.err == ERR_CORRUPT, " sector %u", (unsigned)sector);
            expect_unchanged(&sample, damaged, sample.length);
        } else {
            REQUIRE(log != NULL, " sector %u: %s", (unsigned)sector, error.message);
            expect_entries(log, whole_batches(&sample, from));
        }
        if (log != NULL) {
            log->ops->close(log);
        }
        free(damaged);
    }
    sample_drop(&sample);
}

/* ---- several segments ------------------------------------------------------------------------ */

static const struct log_settings small_segments = {.segment_bytes = 1500};

static size_t make_segments(const char *folder, uint64_t names[16])
{
    struct error error;
    struct rawlog_report report;
    size_t count = 0;
    struct log *log = log_open(folder, &small_segments, &report, &error);
    CHECK(log != NULL);
    for (uint64_t n = 1; n <= 40; n += 2) {
        CHECK(log_append_numbers(log, n, 2, &error) == ERR_OK &&
              log->ops->sync(log, &error) == ERR_OK);
    }
    log->ops->close(log);
    for (uint64_t n = 1; n <= 40 && count < 16; n++) {
        char path[320];
        snprintf(path, sizeof path, "%s/%020llu.seg", folder, (unsigned long long)n);
        FILE *file = fopen(path, "rb");
        if (file != NULL) {
            names[count++] = n;
            fclose(file);
        }
    }
    CHECK(count > 3);
    return count;
}

static void expect_corrupt(const char *folder, const char *what)
{
    struct error error;
    struct log *log = log_open(folder, &small_segments, NULL, &error);
    EXPECT(log == NULL && error.err == ERR_CORRUPT, " %s: %s", what,
           log != NULL ? "opened" : error.message);
    if (log != NULL) {
        log->ops->close(log);
    }
}

static void test_lost_and_shortened_segments(void)
{
    char folder[256];
    uint64_t names[16];
    snprintf(folder, sizeof folder, "%s", folder_make());
    size_t count = make_segments(folder, names);
    for (size_t i = 0; i + 1 < count; i++) {
        char path[320];
        size_t length;
        snprintf(path, sizeof path, "%s/%020llu.seg", folder, (unsigned long long)names[i]);
        char *bytes = file_load(path, &length);
        CHECK(remove(path) == 0);
        expect_corrupt(folder, "a lost segment");
        file_store(path, bytes, 0);
        expect_corrupt(folder, "an emptied segment");
        file_store(path, bytes, length - 1);
        expect_corrupt(folder, "a shortened segment");
        char *longer = calloc(1, length + 600);
        memcpy(longer, bytes, length);
        file_store(path, longer, length + 600);
        expect_corrupt(folder, "a longer segment");
        free(longer);
        file_store(path, bytes, length);
        free(bytes);
    }
    struct error error;
    struct log *log = log_open(folder, &small_segments, NULL, &error);
    REQUIRE(log != NULL, " %s", error.message);
    expect_entries(log, 40);
    log->ops->close(log);
    folder_remove(folder);
}

/* The states a crash can leave when a segment is begun. */
static void test_torn_creation(void)
{
    static const size_t lengths[] = {0, 1, 64, SEGMENT_HEADER_BYTES};
    char folder[256];
    char path[320];
    char zeros[SEGMENT_HEADER_BYTES + 1] = {0};
    uint64_t names[16];
    struct error error;
    snprintf(folder, sizeof folder, "%s", folder_make());
    (void)make_segments(folder, names);
    snprintf(path, sizeof path, "%s/%020d.seg", folder, 41);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        file_store(path, zeros, lengths[i]);
        struct log *log = log_open(folder, &small_segments, NULL, &error);
        REQUIRE(log != NULL, " %s", error.message);
        expect_entries(log, 40);
        log->ops->close(log);
        FILE *file = fopen(path, "rb");
        EXPECT(file == NULL);
    }
    file_store(path, zeros, sizeof zeros); /* more than a header: it may have held something */
    expect_corrupt(folder, "a segment without a header");
    CHECK(remove(path) == 0);
    snprintf(path, sizeof path, "%s/%020d.seg", folder, 43);
    file_store(path, zeros, 0); /* empty, but two entries are missing before it */
    expect_corrupt(folder, "an empty segment at the wrong place");
    folder_remove(folder);
}

/* A client may send the bytes of a frame as its payload. When the write that holds it is torn, they
 * must not pass for one. */
static void test_payload_that_looks_like_a_frame(void)
{
    struct sample sample;
    struct error error;
    struct rawlog_report report;
    static const struct log_settings settings = {0};
    sample_make(&sample);
    struct log *log = log_open(sample.folder, &settings, &report, &error);
    REQUIRE(log != NULL);
    /* The best forgery without the nonce: a whole frame with right checksums that claims everything
     * was durable. */
    uint8_t forged[512];
    uint64_t first;
    struct frame_header header = {
        .nonce = 0x4141414141414141, .first_sequence = 90, .durable_sequence = 89};
    uint8_t chain[DIGEST_BYTES] = {0};
    uint8_t salt[ENTRY_SALT_BYTES] = {0};
    struct digest *digest = digest_create();
    struct log_entry inner = {.kind = ENTRY_RECORD, .payload = SLICE_LITERAL("x")};
    frame_encode(digest, &header, &inner, 1, salt, chain, forged);
    digest_destroy(digest);
    struct frame_header decoded;
    EXPECT(frame_header_decode(forged, header.nonce, &decoded) &&
           !frame_header_decode(forged, 7, &decoded));
    struct log_entry entry = {.kind = ENTRY_RECORD,
                              .received_at_us = 100,
                              .payload = slice_of(forged, FRAME_HEADER_BYTES + header.body_bytes)};
    REQUIRE(log->ops->append(log, &entry, 1, &first, &error) == ERR_OK);
    log->ops->close(log);
    size_t length;
    char *bytes = file_load(sample.path, &length);
    memset(bytes + sample.length, 0, 100); /* the frame's own header did not arrive */
    file_store(sample.path, bytes, length);
    log = log_open(sample.folder, &settings, &report, &error);
    REQUIRE(log != NULL, " %s", error.message);
    expect_entries(log, ENTRIES);
    log->ops->close(log);
    free(bytes);
    sample_drop(&sample);
}

static void test_newer_versions_are_refused(void)
{
    struct sample sample;
    struct error error;
    static const struct log_settings settings = {0};
    sample_make(&sample);
    char *bytes = malloc(sample.length);
    memcpy(bytes, sample.bytes, sample.length);
    store_u32(bytes + 8, 2);
    store_u32(bytes + 124, crc32c(0, bytes, 124));
    file_store(sample.path, bytes, sample.length);
    EXPECT(log_open(sample.folder, &settings, NULL, &error) == NULL &&
           error.err == ERR_UNSUPPORTED);
    memcpy(bytes, sample.bytes, sample.length);
    char *frame = bytes + SEGMENT_HEADER_BYTES;
    store_u32(frame + 32, 1);
    store_u32(frame + 76, crc32c(0, frame, 76));
    file_store(sample.path, bytes, sample.length);
    EXPECT(log_open(sample.folder, &settings, NULL, &error) == NULL &&
           error.err == ERR_UNSUPPORTED);
    free(bytes);
    sample_drop(&sample);
}

/* Right checksums over changed bytes: only the digests and the chain notice. */
static void test_tampering_is_found(void)
{
    struct sample sample;
    struct error error;
    static const struct log_settings settings = {0};
    sample_make(&sample);
    uint8_t *frame = (uint8_t *)sample.bytes + SEGMENT_HEADER_BYTES;
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    uint8_t *entry = body + FRAME_SLOT_BYTES;
    size_t length =
        sample.end_bytes[1] - SEGMENT_HEADER_BYTES - FRAME_HEADER_BYTES - FRAME_SLOT_BYTES;
    static const size_t places[] = {0 /* kind */, 8 /* received_at */, 48 /* digest */,
                                    ENTRY_HEADER_BYTES /* source */};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        uint8_t prefix[8];
        entry[places[i]] ^= 2;
        store_u64(prefix, 1);
        store_u32(body + 4, crc32c(crc32c(0, prefix, 8), entry, length));
        frame_reseal(frame);
        file_store(sample.path, sample.bytes, sample.length);
        struct log *log = log_open(sample.folder, &settings, NULL, &error);
        EXPECT(log == NULL && error.err == ERR_CORRUPT, " byte %zu", places[i]);
        if (log != NULL) {
            log->ops->close(log);
        }
        entry[places[i]] ^= 2;
    }
    sample_drop(&sample);
}

int main(void)
{
    RUN(test_cut_at_every_byte);
    RUN(test_every_bit_flipped);
    RUN(test_every_bit_flipped_in_a_trusted_log);
    RUN(test_sectors_of_zeros);
    RUN(test_lost_and_shortened_segments);
    RUN(test_torn_creation);
    RUN(test_payload_that_looks_like_a_frame);
    RUN(test_newer_versions_are_refused);
    RUN(test_tampering_is_found);
    return test_summary();
}
