/* Tries to break loading on several threads: that a start with none, one and two helpers differs in
 * anything; that batches are lost or counted twice at the ring's and the batches' ends; that a
 * damaged row in the middle leaves threads waiting for ever. */
#include "fixture.h"

enum { PER_BODY = 512 };

/* Phones are shared by neighbours, so that some have moved on; interests, cities and ages
 * repeat. */
static void ingest_people(unsigned from, unsigned count)
{
    struct draft drafts[PER_BODY];
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = drafts, .draft_count = count};
    REQUIRE(count <= PER_BODY);
    for (unsigned i = 0; i < count; i++) {
        char *json = arena_alloc(&fixture.arena, 400);
        unsigned n = from + i;
        snprintf(
            json, 400,
            "{\"cookie\": \"cookie%u\", \"email\": \"p%u@example.com\", \"phone_number\": \"+1732555%04u\", "
            "\"location\": {\"city\": \"City %u\", \"country\": \"USA\"}, \"demographics\": {\"age\": %u}, "
            "\"interests\": [\"interest %u\", \"interest %u\"]}",
            n, n, n / 2 % 10000, n % 17, 18 + n % 70, n % 97, n % 31);
        drafts[i] = record_draft(json, "test");
    }
    EXPECT(submit(&submission) == ERR_OK, ": %s", fixture.last.error.message);
}

static void expect_same_with_threads(unsigned people)
{
    char *before = strdup(everything());
    for (unsigned threads = 0; threads <= ENGINE_LOAD_THREADS; threads++) {
        fixture.load_threads = threads;
        reopen(BEHIND_A_CHECKPOINT);
        arena_reset(&fixture.arena);
        EXPECT(strcmp(before, everything()) == 0, " %u people, %u threads", people, threads);
        EXPECT(verified(), " %u people, %u threads", people, threads);
    }
    free(before);
}

/* Around one batch (512 profiles), and more than the ring holds at once (8 batches). */
static void test_same_with_any_threads(void)
{
    static const unsigned sizes[] = {1, 511, 512, 513, 6000};
    fixture_begin();
    unsigned have = 0;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        while (have < sizes[i]) {
            unsigned count = sizes[i] - have < PER_BODY ? sizes[i] - have : PER_BODY;
            ingest_people(have, count);
            have += count;
        }
        expect_same_with_threads(have);
        EXPECT(shows(person("cookie", "cookie0"), "p0@example.com"));
    }
    fixture_end();
}

static void test_damage_in_the_middle(void)
{
    fixture_begin();
    for (unsigned from = 0; from < 3000; from += 500) {
        ingest_people(from, 500);
    }
    reopen(BEHIND_A_CHECKPOINT);
    struct error error = {0};
    struct checkpoint_txn *txn = NULL;
    REQUIRE(checkpoint_begin(fixture.folder.checkpoint, &txn, &error) == ERR_OK, ": %s",
            error.message);
    REQUIRE(checkpoint_put(txn, TABLE_PROFILES, slice_of("\0\0\x05\xdc", 4),
                           SLICE_LITERAL("not a profile"), &error) == ERR_OK);
    REQUIRE(checkpoint_commit(txn, checkpoint_applied_sequence(fixture.folder.checkpoint),
                              &error) == ERR_OK);
    fixture_close();
    for (unsigned threads = 0; threads <= ENGINE_LOAD_THREADS; threads++) {
        fixture.load_threads = threads;
        EXPECT(fixture_open(&error) == ERR_CORRUPT, " with %u threads", threads);
        data_folder_close(&fixture.folder);
    }
    /* The log is intact: without the folder, everything is there again. */
    char path[320];
    snprintf(path, sizeof path, "%s/profiles", fixture.path);
    folder_remove(path);
    fixture_must_open();
    EXPECT(shows(person("cookie", "cookie1499"), "p1499@example.com"));
    fixture_end();
}

int main(void)
{
    RUN(test_same_with_any_threads);
    RUN(test_damage_in_the_middle);
    return test_summary();
}
