/* Tries to break: batches depend on the content only, never on how it arrived; a repeat gets the
 * first answer; memory is bounded; what cannot be taken is kept with its bytes; an interrupted or
 * damaged body leaves exactly the records before it. The writer here is a fake that says yes, or
 * what the test wants. */
#include "engine/intake.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/quarantine.h"
#include "ingest/limits.h"
#include "ingest/settings.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

enum { BATCHES_SEEN_MAX = 256 };

static struct settings *settings;

/* What came out of one intake. */
struct outcome {
    size_t batches;
    uint64_t digest; /* of everything handed to the writer, in order */
    char keys[BATCHES_SEEN_MAX][64];
    uint64_t fingerprints[BATCHES_SEEN_MAX];
    size_t records[BATCHES_SEEN_MAX];
    size_t headers;
    uint64_t rejected; /* as on_reject counted */
    struct intake_tally tally;
    struct buffer answer;
    uint16_t status;
    err feed_err;
    size_t most_out;
};

/* How the fake writer answers. */
struct plan {
    size_t piece_bytes; /* 0: all at once */
    size_t hold;        /* so many batches stay out before the oldest comes back */
    err fail_at_err;    /* of batch number fail_at */
    uint64_t fail_at;
    const struct outcome *first; /* a repeat of this: all its keys are known */
};

static uint64_t mix(uint64_t digest, const void *data, size_t length)
{
    return hash64(slice_of(data, length), digest);
}

static void see_batch(struct outcome *outcome, const struct submission *s)
{
    size_t n = outcome->batches++;
    CHECK(n < BATCHES_SEEN_MAX);
    snprintf(outcome->keys[n], sizeof outcome->keys[n], "%.*s", SLICE_ARGS(s->idempotency_key));
    outcome->fingerprints[n] = s->fingerprint;
    for (size_t i = 0; i < s->draft_count; i++) {
        const struct log_entry *entry = &s->drafts[i].entry;
        bool header = entry->kind == ENTRY_CSV_HEADER;
        outcome->headers += header;
        outcome->records[n] += !header;
        outcome->digest = mix(outcome->digest, &entry->kind, 1);
        outcome->digest = mix(outcome->digest, entry->payload.data, entry->payload.length);
        EXPECT(entry->etl_version == ETL_RULES_VERSION);
        EXPECT((entry->kind == ENTRY_RECORD) == (s->drafts[i].record != NULL));
        if (entry->format == FORMAT_CSV && !header) {
            EXPECT(entry->header_back == i && s->drafts[0].entry.kind == ENTRY_CSV_HEADER);
        } else {
            EXPECT(entry->header_back == 0);
        }
    }
}

/* The writer's side of one batch. */
static void settle(const struct plan *plan, const struct outcome *outcome, struct submission *s)
{
    uint64_t number = intake_batch_number(s);
    if (plan->fail_at == number) {
        s->err = error_set(&s->error, plan->fail_at_err, "test", 0, "As planned.");
    } else if (plan->first != NULL && number <= plan->first->batches) {
        (void)outcome;
        const char *known = plan->first->keys[number - 1];
        EXPECT(slice_equal_cstr(s->idempotency_key, known));
        EXPECT(s->fingerprint == plan->first->fingerprints[number - 1]);
        s->repeated = true;
        bool last = number == plan->first->batches;
        s->stored_answer_length = last ? plan->first->answer.length : 0;
        s->stored_answer = memory_alloc(s->stored_answer_length + 1);
        memcpy(s->stored_answer, last ? plan->first->answer.data : "", s->stored_answer_length);
        s->stored_status = last ? plan->first->status : 200;
    }
}

struct queue_of_batches {
    struct submission *items[64];
    size_t count;
};

static void give_back_oldest(struct intake *intake, const struct plan *plan,
                             struct outcome *outcome, struct queue_of_batches *out)
{
    struct submission *s = out->items[0];
    memmove(out->items, out->items + 1, --out->count * sizeof out->items[0]);
    settle(plan, outcome, s);
    intake_give_back(intake, s);
}

static void on_reject(void *context, const struct split *split, struct slice header,
                      const struct record_error *reason)
{
    struct outcome *outcome = context;
    outcome->rejected++;
    EXPECT(reason->code[0] != '\0');
    EXPECT((split->format == FORMAT_CSV) == (header.data != NULL));
}

/* Plays the caller's loop of intake.h. */
static void play(const struct intake_options *options, struct slice body, const struct plan *plan,
                 struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    buffer_init(&outcome->answer, 1 << 20);
    struct intake *intake = intake_create(options);
    REQUIRE(intake != NULL);
    intake_on_reject(intake, on_reject, outcome);
    struct queue_of_batches out = {.count = 0};
    size_t at = 0;
    bool last = false;
    for (;;) {
        enum intake_state state = intake_state(intake);
        if (state == INTAKE_DONE) {
            break;
        }
        if (state == INTAKE_HUNGRY) {
            REQUIRE(!last);
            size_t piece = plan->piece_bytes ? plan->piece_bytes : body.length;
            piece = piece < body.length - at ? piece : body.length - at;
            /* Its own allocation, so that a slice kept too long is seen by the address
             * sanitizer. */
            char *bytes = malloc(piece + 1);
            memcpy(bytes, body.data + at, piece);
            at += piece;
            last = at == body.length;
            struct error error = {0};
            outcome->feed_err = intake_feed(intake, slice_of(bytes, piece), last, &error);
            free(bytes);
        }
        struct submission *s;
        while ((s = intake_take(intake)) != NULL) {
            see_batch(outcome, s);
            out.items[out.count++] = s;
            outcome->most_out = out.count > outcome->most_out ? out.count : outcome->most_out;
            if (out.count > plan->hold) {
                give_back_oldest(intake, plan, outcome, &out);
            }
        }
        if (intake_state(intake) == INTAKE_WAITING) {
            REQUIRE(out.count > 0, " in state WAITING");
            give_back_oldest(intake, plan, outcome, &out);
        }
    }
    REQUIRE(out.count == 0);
    outcome->tally = intake_tally(intake);
    outcome->status = intake_answer_status(intake);
    struct json_writer json = json_writer_of(&outcome->answer);
    intake_write_answer(intake, &json);
    intake_destroy(intake);
}

static void forget(struct outcome *outcome)
{
    buffer_deinit(&outcome->answer);
}

static struct intake_options plain_options(void)
{
    return (struct intake_options){
        .settings = settings, .source = SLICE_LITERAL("test"), .durability = "fsync"};
}

static struct intake_options keyed_options(void)
{
    struct intake_options options = plain_options();
    options.idempotency_key = SLICE_LITERAL("k /api/ingest");
    return options;
}

/* ---- bodies ---- */

static void ndjson_body(struct buffer *body, size_t records, size_t bad_every)
{
    buffer_init(body, 64 << 20);
    for (size_t i = 1; i <= records; i++) {
        if (bad_every > 0 && i % bad_every == 0) {
            buffer_append_format(body, "{\"city\":\"nobody %zu\"}\n", i);
        } else {
            buffer_append_format(
                body, "{\"email\":\"p%zu@example.com\",\"age\":%zu,\"interests\":[\"chess\"]}\n", i,
                i % 90);
        }
    }
}

static void csv_body(struct buffer *body, size_t rows)
{
    buffer_init(body, 64 << 20);
    buffer_append_cstr(body, "email,city,age\r\n");
    for (size_t i = 1; i <= rows; i++) {
        buffer_append_format(body, "p%zu@example.com,\"Two\nlines\",%s\r\n", i,
                             i % 10 ? "30" : "old");
    }
}

static void gzip_body(struct slice plain, struct buffer *body)
{
    z_stream stream = {0};
    buffer_init(body, 64 << 20);
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t bound = deflateBound(&stream, plain.length);
    char *to = buffer_reserve(body, bound);
    REQUIRE(to != NULL);
    union {
        const char *in;
        Bytef *out;
    } data = {plain.data};
    stream.next_in = data.out;
    stream.avail_in = (uInt)plain.length;
    stream.next_out = (Bytef *)to;
    stream.avail_out = (uInt)bound;
    EXPECT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    buffer_commit(body, stream.total_out);
    deflateEnd(&stream);
}

static bool answer_has(const struct outcome *outcome, const char *text)
{
    return memmem(outcome->answer.data, outcome->answer.length, text, strlen(text)) != NULL;
}

/* ---- tests ---- */

static void test_batches_follow_content(void)
{
    struct buffer body;
    struct buffer packed;
    ndjson_body(&body, 2000, 7);
    gzip_body(buffer_slice(&body), &packed);
    struct intake_options options = keyed_options();
    struct outcome whole;
    play(&options, buffer_slice(&body), &(struct plan){0}, &whole);
    EXPECT(whole.batches == 4 && whole.records[0] == INTAKE_BATCH_RECORDS &&
           whole.records[3] == 2000 - 3 * 512);
    EXPECT(whole.tally.accepted == 2000 - 285 && whole.tally.quarantined == 285 &&
           whole.rejected == 285);
    static const size_t PIECES[] = {1, 3, 17, 4096, 70000};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(PIECES); i++) {
        struct outcome cut;
        struct plan plan = {.piece_bytes = PIECES[i / 2], .hold = i % 3};
        play(&options, buffer_slice(i % 2 ? &packed : &body), &plan, &cut);
        EXPECT(cut.digest == whole.digest && cut.batches == whole.batches, " piece %zu",
               plan.piece_bytes);
        EXPECT(memcmp(cut.fingerprints, whole.fingerprints, sizeof cut.fingerprints) == 0);
        EXPECT(slice_equal(buffer_slice(&cut.answer), buffer_slice(&whole.answer)));
        EXPECT(cut.tally.bytes == body.length);
        forget(&cut);
    }
    forget(&whole);
    buffer_deinit(&body);
    buffer_deinit(&packed);
}

static void test_csv_batches_stand_alone(void)
{
    struct buffer body;
    csv_body(&body, 1500);
    struct intake_options options = plain_options();
    struct outcome outcome;
    play(&options, buffer_slice(&body), &(struct plan){.piece_bytes = 1000}, &outcome);
    EXPECT(outcome.batches == 3 && outcome.headers == 3);
    EXPECT(outcome.tally.accepted == 1500 && outcome.tally.cleansed == 150 &&
           outcome.tally.quarantined == 0);
    EXPECT(outcome.status == 200);
    EXPECT(answer_has(
        &outcome, "\"status\":\"success\",\"records_processed\":1500,\"records_received\":1500"));
    EXPECT(answer_has(&outcome, "\"errors\":[],\"errors_total\":0") &&
           answer_has(&outcome, "\"warnings_total\":150"));
    forget(&outcome);
    buffer_deinit(&body);
}

static void test_large_records_cut_by_bytes(void)
{
    struct buffer body;
    buffer_init(&body, 64 << 20);
    for (int i = 0; i < 12; i++) {
        buffer_append_format(&body, "{\"email\":\"p%d@example.com\",\"pad\":[", i);
        for (int j = 0; j < 15000; j++) {
            buffer_append_cstr(&body, j ? "," : "");
            buffer_append_cstr(&body, "         \"same\"");
        }
        buffer_append_cstr(&body, "]}\n");
    }
    struct intake_options options = plain_options();
    struct outcome outcome;
    play(&options, buffer_slice(&body), &(struct plan){.hold = 8}, &outcome);
    EXPECT(outcome.batches == 3 && outcome.records[0] == 4, " %zu batches", outcome.batches);
    forget(&outcome);
    buffer_deinit(&body);
}

static void test_memory_is_bounded(void)
{
    struct buffer body;
    ndjson_body(&body, 20000, 0);
    struct intake_options options = plain_options();
    struct outcome outcome;
    play(&options, buffer_slice(&body), &(struct plan){.hold = 60}, &outcome);
    EXPECT(outcome.tally.accepted == 20000);
    EXPECT(outcome.most_out <= INTAKE_BATCHES_DEFAULT, " %zu out at once", outcome.most_out);
    forget(&outcome);
    buffer_deinit(&body);
}

static void test_busy_consumes_nothing(void)
{
    struct buffer body;
    ndjson_body(&body, 6000, 0);
    struct intake_options options = plain_options();
    struct intake *intake = intake_create(&options);
    struct error error;
    EXPECT(intake_feed(intake, buffer_slice(&body), false, &error) == ERR_OK);
    struct submission *out[INTAKE_BATCHES_DEFAULT + 1];
    size_t count = 0;
    while (intake_state(intake) == INTAKE_WORKING) {
        REQUIRE(count < ARRAY_COUNT(out));
        out[count] = intake_take(intake);
        count += out[count] != NULL;
    }
    EXPECT(intake_state(intake) == INTAKE_WAITING);
    EXPECT(intake_feed(intake, SLICE_LITERAL("garbage"), false, &error) == ERR_BUSY);
    for (size_t i = 0; i < count; i++) {
        intake_give_back(intake, out[i]);
    }
    while (intake_state(intake) == INTAKE_WORKING) {
        struct submission *s = intake_take(intake);
        if (s != NULL) {
            intake_give_back(intake, s);
        }
    }
    EXPECT(intake_state(intake) == INTAKE_HUNGRY);
    EXPECT(intake_feed(intake, SLICE_LITERAL("{\"email\":\"last@example.com\"}"), true, &error) ==
           ERR_OK);
    struct submission *s = intake_take(intake);
    REQUIRE(s != NULL);
    intake_give_back(intake, s);
    EXPECT(intake_state(intake) == INTAKE_DONE);
    EXPECT(intake_tally(intake).accepted == 6001 && intake_tally(intake).quarantined == 0);
    intake_destroy(intake);
    buffer_deinit(&body);
}

static void test_repeat_gets_first_answer(void)
{
    struct buffer body;
    ndjson_body(&body, 1300, 100);
    struct intake_options options = keyed_options();
    struct outcome first;
    play(&options, buffer_slice(&body), &(struct plan){.hold = 1}, &first);
    EXPECT(first.batches == 3);
    EXPECT(slice_equal_cstr(slice_from_cstr(first.keys[2]), "k /api/ingest#3"));
    EXPECT(answer_has(
        &first, "\"status\":\"partial\",\"records_processed\":1287,\"records_received\":1300"));
    /* What the engine stored may be older than this build: it is sent as it is. */
    first.answer.data[2] = 'X';
    struct outcome again;
    play(&options, buffer_slice(&body), &(struct plan){.first = &first, .piece_bytes = 999},
         &again);
    EXPECT(slice_equal(buffer_slice(&again.answer), buffer_slice(&first.answer)));
    EXPECT(again.tally.repeated == 1300 && again.status == first.status);
    forget(&again);
    forget(&first);
    buffer_deinit(&body);
}

static void test_shorter_body_is_another(void)
{
    struct buffer body;
    ndjson_body(&body, 1024, 0);
    struct intake_options options = keyed_options();
    struct outcome full;
    struct outcome half;
    play(&options, buffer_slice(&body), &(struct plan){0}, &full);
    const char *end = memmem(body.data, body.length, "p513@", 5);
    const char *from = (const char *)memrchr(body.data, '\n', (size_t)(end - body.data)) + 1;
    play(&options, slice_of(body.data, (size_t)(from - body.data)), &(struct plan){0}, &half);
    EXPECT(full.batches == 2 && half.batches == 1);
    EXPECT(full.fingerprints[0] != half.fingerprints[0],
           ": the last batch must not pass for one in the middle");
    forget(&full);
    forget(&half);
    buffer_deinit(&body);
}

static void test_skipped_batches_are_not_sent(void)
{
    struct buffer body;
    ndjson_body(&body, 1300, 100);
    struct intake_options options = keyed_options();
    options.skip_batches = 2;
    struct outcome outcome;
    play(&options, buffer_slice(&body), &(struct plan){0}, &outcome);
    EXPECT(outcome.batches == 1 &&
           slice_equal_cstr(slice_from_cstr(outcome.keys[0]), "k /api/ingest#3"));
    EXPECT(outcome.tally.repeated == 1024 && outcome.tally.accepted == 1287 &&
           outcome.rejected == 13);
    forget(&outcome);
    buffer_deinit(&body);
}

static void test_failure_stops(void)
{
    struct buffer body;
    ndjson_body(&body, 5000, 0);
    for (int keyed = 0; keyed < 2; keyed++) {
        struct intake_options options = keyed ? keyed_options() : plain_options();
        struct outcome outcome;
        struct plan plan = {
            .hold = 1, .fail_at = 3, .fail_at_err = ERR_NO_SPACE, .piece_bytes = 10000};
        play(&options, buffer_slice(&body), &plan, &outcome);
        EXPECT(outcome.batches <= 5, " %zu batches after a failure", outcome.batches);
        EXPECT(outcome.tally.accepted < 5000);
        forget(&outcome);
    }
    buffer_deinit(&body);
}

static void test_quarantine_keeps_bytes(void)
{
    static const char BODY[] = "email;city\nnot an address;Oslo\nb@example.com;Bergen\n";
    struct intake_options options = plain_options();
    struct intake *intake = intake_create(&options);
    struct error error;
    EXPECT(intake_feed(intake, SLICE_LITERAL(BODY), true, &error) == ERR_OK);
    struct submission *s = intake_take(intake);
    REQUIRE(s != NULL && s->draft_count == 3);
    struct quarantine kept;
    EXPECT(s->drafts[1].entry.kind == ENTRY_QUARANTINE);
    REQUIRE(quarantine_decode(s->drafts[1].entry.payload, &kept) == ERR_OK);
    EXPECT(slice_equal_cstr(kept.bytes, "not an address;Oslo"));
    EXPECT(slice_equal_cstr(kept.header, ";email;city") && slice_equal_cstr(kept.field, "email"));
    EXPECT(kept.record_number == 1 && kept.line == 2);
    EXPECT(s->drafts[2].record != NULL && s->drafts[2].record->identifier_count == 1);
    intake_give_back(intake, s);
    intake_destroy(intake);
}

static void test_nothing_usable_is_422(void)
{
    struct intake_options options = keyed_options();
    struct outcome outcome;
    play(&options, SLICE_LITERAL("[{\"city\":\"Oslo\"},{\"city\":\"Rome\"}]"), &(struct plan){0},
         &outcome);
    EXPECT(outcome.status == 422 && answer_has(&outcome, "\"status\":\"error\"") &&
           outcome.tally.quarantined == 2);
    EXPECT(answer_has(&outcome,
                      "{\"record\":2,\"line\":1,\"field\":null,\"code\":\"identifier_missing\""));
    forget(&outcome);
    play(&options, SLICE_LITERAL("[]"), &(struct plan){0}, &outcome);
    EXPECT(outcome.status == 200 && outcome.batches == 0 &&
           answer_has(&outcome, "\"records_processed\":0"));
    forget(&outcome);
}

static void test_errors_are_capped_and_counted(void)
{
    struct buffer body;
    ndjson_body(&body, 3000, 2);
    struct intake_options options = plain_options();
    struct outcome outcome;
    play(&options, buffer_slice(&body), &(struct plan){0}, &outcome);
    EXPECT(answer_has(&outcome, "\"errors_total\":1500") &&
           answer_has(&outcome, "{\"record\":200,"));
    EXPECT(!answer_has(&outcome, "{\"record\":202,"));
    forget(&outcome);
    buffer_deinit(&body);
}

static void test_too_large_body(void)
{
    struct buffer body;
    struct buffer packed;
    ndjson_body(&body, 3000, 0);
    gzip_body(buffer_slice(&body), &packed);
    struct intake_options options = plain_options();
    struct outcome outcome;
    options.body_max_bytes = 100;
    play(&options, buffer_slice(&packed), &(struct plan){.piece_bytes = 100}, &outcome);
    EXPECT(outcome.status == 413 && outcome.feed_err == ERR_TOO_LARGE &&
           outcome.tally.accepted == 0);
    forget(&outcome);
    options.body_max_bytes = body.length;
    play(&options, buffer_slice(&packed), &(struct plan){.piece_bytes = 100}, &outcome);
    EXPECT(outcome.status == 200 && outcome.tally.accepted == 3000);
    forget(&outcome);
    buffer_deinit(&body);
    buffer_deinit(&packed);
}

/* A cut row reads like a whole one, so nothing of the unfinished record may be taken. */
static void test_cut_gzip_leaves_whole_records(void)
{
    struct buffer body;
    struct buffer packed;
    buffer_init(&body, 1 << 20);
    buffer_append_cstr(&body, "user_id,city\n");
    for (unsigned i = 0; i < 4000; i++) {
        buffer_append_format(&body, "u%u,City%u\n", i * 2654435761u, i * 40503u);
    }
    gzip_body(buffer_slice(&body), &packed);
    struct intake_options options = plain_options();
    struct outcome whole;
    play(&options, buffer_slice(&packed), &(struct plan){0}, &whole);
    EXPECT(whole.tally.accepted == 4000);
    for (size_t cut = packed.length / 4; cut < packed.length; cut += packed.length / 7) {
        struct outcome outcome;
        play(&options, slice_of(packed.data, cut), &(struct plan){.piece_bytes = 5000}, &outcome);
        EXPECT(outcome.feed_err == ERR_INVALID && answer_has(&outcome, "\"errors_total\":1"));
        EXPECT(outcome.tally.quarantined == 0 && outcome.tally.accepted < 4000);
        EXPECT(outcome.tally.bytes <= body.length);
        /* The inflated bytes end somewhere in a row: that row is not there. */
        size_t rows = 0;
        for (size_t i = 0; i < outcome.tally.bytes; i++) {
            rows += body.data[i] == '\n';
        }
        EXPECT(outcome.tally.accepted + 1 == rows || rows == 0, " %zu rows", rows);
        forget(&outcome);
    }
    forget(&whole);
    buffer_deinit(&body);
    buffer_deinit(&packed);
}

static void test_compression_bomb_goes_in_steps(void)
{
    struct buffer blank;
    struct buffer packed;
    size_t size = (size_t)48 << 20;
    buffer_init(&blank, size);
    char *room = buffer_reserve(&blank, size);
    REQUIRE(room != NULL);
    memset(room, ' ', size);
    room[0] = '[';
    room[size - 1] = ']';
    buffer_commit(&blank, size);
    gzip_body(buffer_slice(&blank), &packed);
    struct intake_options options = plain_options();
    struct intake *intake = intake_create(&options);
    struct error error;
    EXPECT(intake_feed(intake, buffer_slice(&packed), true, &error) == ERR_OK);
    size_t steps = 1;
    uint64_t before = intake_tally(intake).bytes;
    EXPECT(before <= 2 * INTAKE_STEP_BYTES);
    while (intake_state(intake) == INTAKE_WORKING) {
        EXPECT(intake_take(intake) == NULL);
        uint64_t now = intake_tally(intake).bytes;
        EXPECT(now - before <= 2 * INTAKE_STEP_BYTES);
        before = now;
        steps++;
    }
    EXPECT(intake_state(intake) == INTAKE_DONE && steps >= 24, " after %zu steps", steps);
    intake_destroy(intake);
    buffer_deinit(&blank);
    buffer_deinit(&packed);
}

static void test_memory_runs_out(void)
{
    static const char BODY[] = "email,city\na@example.com,Oslo\nnobody,Rome\nc@example.com,Bonn\n";
    for (uint64_t n = 1;; n++) {
        failing_memory_begin(n);
        struct intake_options options = keyed_options();
        struct intake *intake = intake_create(&options);
        struct error error = {0};
        err e = ERR_MEMORY;
        if (intake != NULL) {
            e = intake_feed(intake, SLICE_LITERAL(BODY), true, &error);
            struct submission *s = intake_take(intake);
            if (s != NULL) {
                intake_give_back(intake, s);
            } else {
                e = intake_failure(intake, &error);
            }
            intake_destroy(intake);
        }
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, " with allocation %llu failing", (unsigned long long)n);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY, " with allocation %llu failing", (unsigned long long)n);
        REQUIRE(n < 10000);
    }
}

int main(void)
{
    struct error error;
    if (settings_parse(SLICE_LITERAL("{}"), &settings, &error) != ERR_OK) {
        fprintf(stderr, "settings: %s\n", error.message);
        return 1;
    }
    RUN(test_batches_follow_content);
    RUN(test_csv_batches_stand_alone);
    RUN(test_large_records_cut_by_bytes);
    RUN(test_memory_is_bounded);
    RUN(test_busy_consumes_nothing);
    RUN(test_repeat_gets_first_answer);
    RUN(test_shorter_body_is_another);
    RUN(test_skipped_batches_are_not_sent);
    RUN(test_failure_stops);
    RUN(test_quarantine_keeps_bytes);
    RUN(test_nothing_usable_is_422);
    RUN(test_errors_are_capped_and_counted);
    RUN(test_too_large_body);
    RUN(test_cut_gzip_leaves_whole_records);
    RUN(test_compression_bomb_goes_in_steps);
    RUN(test_memory_runs_out);
    settings_destroy(settings);
    return test_summary();
}
