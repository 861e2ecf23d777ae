/* Tries to break the interned texts: against a plain list, with texts coming and going so that ids
 * are reused and buckets shift; with a checkpoint kept from drain_changes alone, from which the
 * table is rebuilt at any moment and must be the same. The last release must free the text; a
 * failed allocation must change nothing; what a damaged checkpoint says must be refused. */
#include "unit/test.h"

#include "base/memory.h"
#include "index/names.h"
#include "ingest/record.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- against a list -------------------------------------------------------------------------- */

enum { MODEL_TEXTS = 400, MODEL_IDS = 2000 };

struct model {
    uint64_t users[MODEL_TEXTS];
    uint32_t id[MODEL_TEXTS]; /* NAME_NONE: not there */
    /* What the checkpoint holds: text + 1 per id, 0 nothing. */
    uint32_t stored[MODEL_IDS];
};

static struct slice nth_text(uint32_t n, char room[64])
{
    /* Lengths from 0 on, NULs and long common beginnings. */
    if (n == 0) {
        return slice_of("", 0);
    }
    int length = snprintf(room, 64, "%s%u",
                          n % 3 == 0 ? "a long beginning that all of them share " : "x", n);
    if (n % 7 == 0) {
        room[0] = '\0';
    }
    return slice_of(room, (size_t)length);
}

static void expect_same(const struct names *names, const struct model *model)
{
    uint64_t count = FIELD_BUILTIN_COUNT;
    char room[64];
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        struct slice text = nth_text(n, room);
        EXPECT(names_find(names, text) == model->id[n]);
        if (model->id[n] != NAME_NONE) {
            EXPECT(slice_equal(names_text(names, model->id[n]), text));
            count++;
        }
    }
    EXPECT(names_count(names) == count);
    const char *reason = NULL;
    EXPECT(names_validate(names, &reason), ": %s", reason ? reason : "");
}

static void one_step(struct names *names, struct model *model, struct prng *prng)
{
    char room[64];
    uint32_t n = (uint32_t)prng_below(prng, MODEL_TEXTS);
    struct slice text = nth_text(n, room);
    if (model->users[n] > 0 && prng_below(prng, 5) < 3) {
        uint32_t id = model->id[n];
        names_release(names, id);
        if (--model->users[n] == 0) {
            model->id[n] = NAME_NONE;
            EXPECT(names_text(names, id).data == NULL);
        }
    } else if (model->users[n] > 0 && prng_below(prng, 3) == 0) {
        names_retain(names, model->id[n]);
        model->users[n]++;
    } else {
        uint32_t id = NAME_NONE;
        REQUIRE(names_acquire(names, text, &id) == ERR_OK);
        REQUIRE(id >= FIELD_BUILTIN_COUNT && id < MODEL_IDS);
        EXPECT(model->id[n] == NAME_NONE || model->id[n] == id);
        for (uint32_t other = 0; model->id[n] == NAME_NONE && other < MODEL_TEXTS; other++) {
            EXPECT(model->id[other] != id); /* reused only when free */
        }
        model->id[n] = id;
        model->users[n]++;
    }
}

struct drain {
    struct model *model;
    uint64_t visits;
};

static void store_change(void *context, uint32_t id, struct slice text)
{
    struct drain *drain = context;
    drain->visits++;
    REQUIRE(id >= FIELD_BUILTIN_COUNT && id < MODEL_IDS);
    if (text.data == NULL) {
        EXPECT(drain->model->stored[id] != 0); /* nothing to delete is not worth a visit */
        drain->model->stored[id] = 0;
        return;
    }
    char room[64];
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        if (slice_equal(nth_text(n, room), text)) {
            drain->model->stored[id] = n + 1;
            return;
        }
    }
    EXPECT(false);
}

static void drain_changes(struct names *names, struct model *model)
{
    struct drain drain = {model, 0};
    names_drain_changes(names, store_change, &drain);
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        EXPECT(model->id[n] == NAME_NONE || model->stored[model->id[n]] == n + 1);
    }
    for (uint32_t id = 0; id < MODEL_IDS; id++) {
        EXPECT(model->stored[id] == 0 || model->id[model->stored[id] - 1] == id);
    }
    drain.visits = 0;
    names_drain_changes(names, store_change, &drain);
    EXPECT(drain.visits == 0);
}

/* From what the checkpoint holds, and one text more that no profile claims. */
static struct names *reload(struct model *model, struct prng *prng)
{
    struct names *names = names_create(prng_next(prng));
    if (names == NULL) {
        return NULL;
    }
    char room[64];
    for (uint32_t id = 0; id < MODEL_IDS; id++) {
        if (model->stored[id] != 0) {
            EXPECT(names_load(names, id, nth_text(model->stored[id] - 1, room)) == ERR_OK);
        }
    }
    uint32_t orphan = MODEL_IDS - 1;
    EXPECT(names_load(names, orphan, SLICE_LITERAL("orphan")) == ERR_OK);
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        for (uint64_t i = 0; i < model->users[n]; i++) {
            names_retain(names, model->id[n]);
        }
    }
    struct drain drain = {model, 0};
    names_drain_changes(names, store_change, &drain);
    EXPECT(drain.visits == 0);
    model->stored[orphan] = 1; /* any: the drain below must delete it */
    names_sweep(names);
    EXPECT(names_find(names, SLICE_LITERAL("orphan")) == NAME_NONE);
    names_drain_changes(names, store_change, &drain);
    EXPECT(drain.visits == 1 && model->stored[orphan] == 0);
    return names;
}

static void against_a_list(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    struct model *model = calloc(1, sizeof *model);
    struct names *names = names_create(seed);
    REQUIRE(model != NULL && names != NULL);
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        model->id[n] = NAME_NONE;
    }
    for (int step = 0; step < 60000; step++) {
        one_step(names, model, &prng);
        if (prng_below(&prng, 700) == 0) {
            drain_changes(names, model);
        }
        if (step % 1000 == 0) {
            expect_same(names, model);
        }
        if (step % 15000 == 14999) {
            drain_changes(names, model);
            names_destroy(names);
            names = reload(model, &prng);
            REQUIRE(names != NULL);
            expect_same(names, model);
        }
    }
    uint64_t in_use = names_memory_bytes(names);
    for (uint32_t n = 0; n < MODEL_TEXTS; n++) {
        for (; model->users[n] > 0; model->users[n]--) {
            names_release(names, model->id[n]);
        }
        model->id[n] = NAME_NONE;
    }
    expect_same(names, model);
    EXPECT(names_memory_bytes(names) < in_use);
    names_destroy(names);
    free(model);
}

/* ---- single properties ----------------------------------------------------------------------- */

static void fail_visit(void *context, uint32_t id, struct slice text)
{
    (void)context;
    EXPECT(false, ": visited %u %.*s", id, SLICE_ARGS(text));
}

static void builtins_have_their_ids_for_good(void)
{
    struct names *names = names_create(seed);
    REQUIRE(names != NULL);
    EXPECT(names_count(names) == FIELD_BUILTIN_COUNT);
    for (uint32_t id = 0; id < FIELD_BUILTIN_COUNT; id++) {
        struct slice path = slice_from_cstr(field_path((enum field)id));
        EXPECT(slice_equal(names_text(names, id), path) && names_find(names, path) == id);
        uint32_t acquired = NAME_NONE;
        EXPECT(names_acquire(names, path, &acquired) == ERR_OK && acquired == id);
        names_release(names, id);
        EXPECT(names_find(names, path) == id);
        EXPECT(names_load(names, id, SLICE_LITERAL("something else")) == ERR_CORRUPT);
    }
    names_sweep(names);
    EXPECT(names_count(names) == FIELD_BUILTIN_COUNT);
    names_drain_changes(names, fail_visit, NULL);
    uint32_t id = NAME_NONE;
    EXPECT(names_acquire(names, SLICE_LITERAL("USA"), &id) == ERR_OK && id == FIELD_BUILTIN_COUNT);
    names_release(names, id); /* came and went between two drains */
    names_drain_changes(names, fail_visit, NULL);
    names_destroy(names);
    names_destroy(NULL);
}

static void damaged_checkpoints_are_refused(void)
{
    struct names *names = names_create(seed);
    REQUIRE(names != NULL);
    EXPECT(names_load(names, 20, SLICE_LITERAL("USA")) == ERR_OK);
    EXPECT(names_load(names, 20, SLICE_LITERAL("France")) == ERR_CORRUPT); /* id in use */
    EXPECT(names_load(names, 21, SLICE_LITERAL("USA")) == ERR_CORRUPT);    /* two ids */
    EXPECT(names_load(names, 22, slice_from_cstr(field_path(FIELD_CITY))) == ERR_CORRUPT);
    EXPECT(names_load(names, (uint32_t)NAME_ID_MAX + 1, SLICE_LITERAL("x")) == ERR_CORRUPT);
    EXPECT(names_load(names, NAME_NONE, SLICE_LITERAL("x")) == ERR_CORRUPT);
    /* The highest id costs a page directory, not four billion entries. */
    EXPECT(names_load(names, NAME_ID_MAX, SLICE_LITERAL("far out")) == ERR_OK);
    EXPECT(names_memory_bytes(names) < 8u << 20);
    names_retain(names, 20);
    names_sweep(names);
    EXPECT(names_count(names) == FIELD_BUILTIN_COUNT + 1);
    EXPECT(names_text(names, NAME_ID_MAX).data == NULL && names_text(names, 5000).data == NULL);
    EXPECT(names_text(names, NAME_NONE).data == NULL);
    uint32_t id = NAME_NONE;
    EXPECT(names_acquire(names, SLICE_LITERAL("lowest first"), &id) == ERR_OK &&
           id == FIELD_BUILTIN_COUNT);
    const char *reason = NULL;
    EXPECT(names_validate(names, &reason), ": %s", reason ? reason : "");
    names_destroy(names);
}

static void memory_runs_out(void)
{
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        failing_memory_begin_once(n);
        struct names *names = names_create(1);
        char room[64];
        for (uint32_t i = 0; names != NULL && i < 2500; i++) { /* pages and buckets grow */
            struct slice text = slice_of(room, (size_t)snprintf(room, sizeof room, "text %u", i));
            uint32_t id = NAME_NONE;
            uint64_t count = names_count(names);
            err e = names_acquire(names, text, &id);
            if (e != ERR_OK) {
                EXPECT(e == ERR_MEMORY && id == NAME_NONE && names_count(names) == count);
                EXPECT(names_find(names, text) == NAME_NONE);
                e = names_acquire(names, text, &id);
            }
            EXPECT(e == ERR_OK && id == FIELD_BUILTIN_COUNT + i);
        }
        const char *reason = NULL;
        EXPECT(names == NULL || names_validate(names, &reason), ": %s", reason ? reason : "");
        names_destroy(names);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        /* Every allocation of the start, then a sample of the thousands of texts. */
        n += n > 60 ? 37 : 0;
        more = end.failed;
    }
}

int main(void)
{
    seed = test_seed();
    RUN(builtins_have_their_ids_for_good);
    RUN(damaged_checkpoints_are_refused);
    RUN(against_a_list);
    RUN(memory_runs_out);
    return test_summary();
}
