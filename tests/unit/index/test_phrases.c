/* Tries to break the interned phrases against a list: phrases that come and go so that ids and hash
 * slots are used again, a checkpoint that lives by drain_changes alone, hits and verdicts replaced
 * one by one and all at once (committed, or thrown away), the sets of those that wait and those
 * that lead nowhere, loading in any order, and allocations that fail: nothing may change then,
 * nothing may be lost. */
#include "unit/test.h"

#include "index/phrases.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

enum { TEXTS = 300, PEOPLE = 40, IDS = 4000, VERSION = 7 };

struct model {
    uint32_t id[TEXTS]; /* PHRASE_NONE: not there */
    bool holder[TEXTS][PEOPLE];
    /* cohort + 1 of its one hit; 0: classified with none; UINT32_MAX: not classified */
    uint32_t hit[TEXTS];
    uint64_t version[TEXTS]; /* of the verdict; 0: none */
    uint8_t topics[TEXTS];   /* how many it has */
    uint32_t stored[IDS];    /* what a checkpoint would hold: text + 1 */
    uint64_t stored_version[IDS];
};

static struct model model;

static struct slice nth_text(uint32_t n, char room[64])
{
    int length = snprintf(room, 64, "%s phrase %u", n % 2 == 0 ? "Some" : "Añother", n);
    return slice_of(room, (size_t)length);
}

static void store(void *context, uint32_t id, struct slice text)
{
    REQUIRE(id < IDS);
    model.stored_version[id] = 0;
    if (text.data != NULL) {
        (void)phrases_verdict(context, id, &model.stored_version[id]);
    }
    unsigned n = 0;
    if (text.data == NULL) {
        model.stored[id] = 0;
    } else {
        const bool read = sscanf(text.data, "%*s phrase %u", &n) == 1;
        REQUIRE(read);
        model.stored[id] = n + 1;
    }
}

static void expect_same(struct phrases *phrases)
{
    char room[64];
    uint64_t count = 0;
    uint64_t pending = 0;
    uint64_t unclassified = 0;
    for (uint32_t n = 0; n < TEXTS; n++) {
        const struct slice text = nth_text(n, room);
        REQUIRE(phrases_find(phrases, text) == model.id[n]);
        if (model.id[n] == PHRASE_NONE) {
            continue;
        }
        count++;
        REQUIRE(model.id[n] < phrases_limit(phrases));
        REQUIRE(slice_equal(phrases_text(phrases, model.id[n]), text));
        for (uint32_t person = 0; person < PEOPLE; person++) {
            REQUIRE(bitmap_contains(phrases_holders(phrases, model.id[n]), person) ==
                    model.holder[n][person]);
        }
        size_t hits = 0;
        const struct rule_hit *hit = phrases_hits(phrases, model.id[n], &hits);
        REQUIRE(phrases_classified(phrases, model.id[n]) == (model.hit[n] != UINT32_MAX));
        REQUIRE(hits == (model.hit[n] != UINT32_MAX && model.hit[n] > 0));
        REQUIRE(hits == 0 || hit->cohort == model.hit[n] - 1);
        uint64_t version = 0;
        const struct verdict *verdict = phrases_verdict(phrases, model.id[n], &version);
        REQUIRE(version == model.version[n] && (verdict != NULL) == (version != 0));
        REQUIRE(verdict == NULL ||
                (verdict->topic_count == model.topics[n] && verdict->embedding[5] == (int8_t)n));
        const bool waits = version != VERSION;
        const bool nowhere = verdict != NULL && model.topics[n] == 0 && model.hit[n] == 0;
        pending += waits;
        unclassified += nowhere;
        REQUIRE(phrases_is_pending(phrases, model.id[n]) == waits);
        REQUIRE(bitmap_contains(phrases_pending(phrases), model.id[n]) == waits);
        REQUIRE(bitmap_contains(phrases_unclassified(phrases), model.id[n]) == nowhere);
    }
    REQUIRE(bitmap_count(phrases_pending(phrases)) == pending);
    REQUIRE(bitmap_count(phrases_unclassified(phrases)) == unclassified);
    REQUIRE(phrases_count(phrases) == count);
    phrases_drain_changes(phrases, store, phrases);
    for (uint32_t n = 0; n < TEXTS; n++) {
        REQUIRE(model.id[n] == PHRASE_NONE ||
                (model.stored[model.id[n]] == n + 1 &&
                 model.stored_version[model.id[n]] == model.version[n]));
    }
    uint64_t stored = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        stored += model.stored[id] != 0;
    }
    REQUIRE(stored == count);
    EXPECT(phrases_memory_bytes(phrases) > 0);
}

static struct verdict random_verdict(struct prng *prng, uint32_t n, uint64_t *version)
{
    struct verdict verdict = {.topic_count = (uint8_t)prng_below(prng, 2)};
    verdict.embedding[5] = (int8_t)n;
    *version = prng_below(prng, 3) == 0 ? VERSION - 1 : VERSION;
    return verdict;
}

static void one_step(struct phrases *phrases, struct prng *prng)
{
    char room[64];
    const uint32_t n = (uint32_t)prng_below(prng, TEXTS);
    const uint32_t person = (uint32_t)prng_below(prng, PEOPLE);
    struct rule_hit hit = {
        .cohort = (uint32_t)prng_below(prng, 9), .method = RULE_EXACT, .confidence = 1.0F};
    if (model.id[n] == PHRASE_NONE) {
        uint32_t id = 0;
        REQUIRE(phrases_intern(phrases, nth_text(n, room), &id) == ERR_OK);
        phrases_add_holder(phrases, id, person);
        model.id[n] = id;
        model.holder[n][person] = true;
        model.hit[n] = UINT32_MAX;
        model.version[n] = 0;
        return;
    }
    uint64_t version = 0;
    const struct verdict verdict = random_verdict(prng, n, &version);
    switch (prng_below(prng, 7)) {
    case 0:
        phrases_add_holder(phrases, model.id[n], person);
        model.holder[n][person] = true;
        break;
    case 1:
        REQUIRE(phrases_classify(phrases, model.id[n], &hit, hit.cohort > 0) == ERR_OK);
        model.hit[n] = hit.cohort > 0 ? hit.cohort + 1 : 0;
        break;
    case 2:
        REQUIRE(phrases_set_verdict(phrases, model.id[n], version, &verdict) == ERR_OK);
        model.version[n] = version;
        model.topics[n] = verdict.topic_count;
        break;
    case 3:
        REQUIRE(phrases_answer(phrases, model.id[n], version, &verdict, &hit, hit.cohort > 3) ==
                ERR_OK);
        model.version[n] = version;
        model.topics[n] = verdict.topic_count;
        model.hit[n] = hit.cohort > 3 ? hit.cohort + 1 : 0;
        break;
    default:
        for (uint32_t p = 0; p < PEOPLE && model.id[n] != PHRASE_NONE; p++) {
            if (model.holder[n][p] && prng_below(prng, 3) > 0) {
                model.holder[n][p] = false;
                bool last = true;
                for (uint32_t q = 0; q < PEOPLE; q++) {
                    last = last && !model.holder[n][q];
                }
                phrases_remove_holder(phrases, model.id[n], p);
                model.id[n] = last ? PHRASE_NONE : model.id[n];
            }
        }
        break;
    }
}

static void reclassify(struct phrases *phrases, struct prng *prng, bool commit)
{
    struct phrases_reclassification *all = phrases_reclassify_begin(phrases);
    REQUIRE(all != NULL);
    for (uint32_t n = 0; n < TEXTS; n++) {
        if (model.id[n] != PHRASE_NONE && prng_below(prng, 2) == 0) {
            struct rule_hit hit = {.cohort = (uint32_t)prng_below(prng, 9), .method = RULE_TYPO};
            size_t count = 0;
            uint64_t version = 0;
            const struct verdict verdict = random_verdict(prng, n, &version);
            const bool answer = prng_below(prng, 2) == 0;
            const size_t some = prng_below(prng, 2);
            REQUIRE(!answer ||
                    phrases_reclassify_verdict(all, model.id[n], version, &verdict) == ERR_OK);
            if (answer && commit) {
                model.version[n] = version;
                model.topics[n] = verdict.topic_count;
            }
            if (prng_below(prng, 4) == 0) {
                continue; /* a verdict that leads where the one before led */
            }
            REQUIRE(phrases_reclassify_put(all, model.id[n], &hit, some) == ERR_OK);
            const struct rule_hit *to_come = phrases_reclassify_hits(all, model.id[n], &count);
            REQUIRE(count == some && (some == 0 || to_come->cohort == hit.cohort));
            model.hit[n] = !commit ? model.hit[n] : some ? hit.cohort + 1 : 0;
        }
    }
    if (commit) {
        phrases_reclassify_commit(phrases, all);
        expect_same(phrases);
    }
    phrases_reclassify_destroy(all);
}

static void model_clear(void)
{
    memset(&model, 0, sizeof model);
    for (uint32_t n = 0; n < TEXTS; n++) {
        model.id[n] = PHRASE_NONE;
    }
}

/* From what the checkpoint holds, in a random order. */
static struct phrases *reload(struct phrases *old, struct prng *prng)
{
    struct phrases *phrases = phrases_create(prng_next(prng));
    phrases_expect_version(phrases, VERSION);
    char room[64];
    uint32_t order[TEXTS];
    for (uint32_t n = 0; n < TEXTS; n++) {
        uint32_t at = (uint32_t)prng_below(prng, n + 1);
        order[n] = order[at];
        order[at] = n;
    }
    for (uint32_t i = 0; i < TEXTS; i++) {
        const uint32_t n = order[i];
        if (model.id[n] != PHRASE_NONE) {
            EXPECT(phrases_load(phrases, model.id[n], nth_text(n, room)) == ERR_OK);
            EXPECT(phrases_load(phrases, model.id[n], SLICE_LITERAL("another")) == ERR_CORRUPT);
            EXPECT(phrases_load(phrases, IDS - 1, nth_text(n, room)) == ERR_CORRUPT);
            EXPECT(phrases_fold_key(phrases, model.id[n]) == phrases_fold_key(old, model.id[n]));
            for (uint32_t person = 0; person < PEOPLE; person++) {
                if (model.holder[n][person]) {
                    phrases_add_holder(phrases, model.id[n], person);
                }
            }
            model.hit[n] = UINT32_MAX;
            uint64_t version = 0;
            const struct verdict *verdict = phrases_verdict(old, model.id[n], &version);
            if (verdict != NULL) {
                EXPECT(phrases_set_verdict(phrases, model.id[n], version, verdict) == ERR_OK);
            }
        }
    }
    /* One that nobody holds any more. */
    EXPECT(phrases_load(phrases, IDS - 1, SLICE_LITERAL("nobody's phrase")) == ERR_OK);
    phrases_sweep(phrases);
    EXPECT(phrases_find(phrases, SLICE_LITERAL("nobody's phrase")) == PHRASE_NONE);
    phrases_destroy(old);
    return phrases;
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    model_clear();
    struct phrases *phrases = phrases_create(seed);
    phrases_expect_version(phrases, VERSION);
    for (int step = 1; step < 60000; step++) {
        one_step(phrases, &prng);
        if (step % 500 == 0) {
            expect_same(phrases);
        }
        if (step % 3000 == 0) {
            reclassify(phrases, &prng, prng_below(&prng, 2) == 0);
            expect_same(phrases);
        }
        if (step % 10000 == 0) {
            phrases = reload(phrases, &prng);
            expect_same(phrases);
        }
    }
    EXPECT(phrases_limit(phrases) <= IDS);
    phrases_destroy(phrases);
}

static void test_texts(void)
{
    struct phrases *phrases = phrases_create(1);
    uint32_t a = 0;
    uint32_t b = 0;
    REQUIRE(phrases_intern(phrases, SLICE_LITERAL("Crème"), &a) == ERR_OK);
    REQUIRE(phrases_intern(phrases, SLICE_LITERAL("creme"), &b) == ERR_OK);
    EXPECT(a != b && phrases_fold_key(phrases, a) == phrases_fold_key(phrases, b));
    REQUIRE(phrases_intern(phrases, SLICE_LITERAL("creme"), &a) == ERR_OK);
    EXPECT(a == b);
    REQUIRE(phrases_intern(phrases, SLICE_LITERAL(""), &a) == ERR_OK);
    EXPECT(phrases_text(phrases, a).data != NULL && phrases_text(phrases, a).length == 0);
    EXPECT(phrases_text(phrases, 1000).data == NULL && !phrases_classified(phrases, 1000));
    phrases_destroy(phrases);
    phrases_destroy(NULL);
}

static void test_failing_memory(void)
{
    for (uint64_t n = 1;; n++) {
        failing_memory_begin(n);
        err e = ERR_OK;
        struct phrases *phrases = phrases_create(5);
        struct phrases_reclassification *all = NULL;
        uint32_t made = 0;
        for (uint32_t i = 0; phrases != NULL && e == ERR_OK && i < 1100; i++) {
            char room[64];
            uint32_t id = 0;
            struct rule_hit hit = {.cohort = i};
            e = phrases_intern(phrases, nth_text(i, room), &id);
            made += e == ERR_OK;
            if (e != ERR_OK) {
                EXPECT(phrases_find(phrases, nth_text(i, room)) == PHRASE_NONE);
                break;
            }
            EXPECT(id == i);
            const struct verdict verdict = {.topic_count = 0};
            e = i % 3 == 0 ? phrases_classify(phrases, id, &hit, i % 2)
                           : phrases_answer(phrases, id, 1, &verdict, &hit, i % 2);
            EXPECT(e == ERR_OK || !phrases_classified(phrases, id));
            EXPECT(phrases_verdict(phrases, id, NULL) == NULL || (e == ERR_OK && i % 3 != 0));
        }
        if (phrases != NULL) {
            EXPECT(phrases_count(phrases) == made);
            all = e == ERR_OK ? phrases_reclassify_begin(phrases) : NULL;
            struct rule_hit hit = {0};
            if (e == ERR_OK && all != NULL) {
                const struct verdict verdict = {.topic_count = 1};
                e = phrases_reclassify_verdict(all, 3, 2, &verdict);
            }
            if (e == ERR_OK && all != NULL) {
                e = phrases_reclassify_put(all, 3, &hit, 1);
            }
            if (all != NULL && e == ERR_OK) {
                phrases_reclassify_commit(phrases, all);
            }
        }
        phrases_reclassify_destroy(all);
        phrases_destroy(phrases);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, ": %lld at %llu", (long long)end.live_blocks,
               (unsigned long long)n);
        if (!end.failed) {
            break;
        }
    }
}

int main(void)
{
    seed = test_seed();
    RUN(test_random);
    RUN(test_texts);
    RUN(test_failing_memory);
    return test_summary();
}
