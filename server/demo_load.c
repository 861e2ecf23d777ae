#include "demo_load.h"

#include "demo/population.h"
#include "engine/intake.h"

enum { DEMO_SEED = 1, DEMO_PIECE_BYTES = 64 * 1024 };

static void ignore_done(struct submission *submission)
{
    (void)submission;
}

static void commit_ready(struct engine *engine, struct intake *intake)
{
    while (intake_state(intake) == INTAKE_WORKING) {
        struct submission *submission = intake_take(intake);
        if (submission != NULL) {
            submission->done = ignore_done;
            engine_commit(engine, &submission, 1);
            intake_give_back(intake, submission);
        }
    }
}

static err load(struct engine *engine, struct population *population, struct intake *intake,
                struct buffer *piece, struct error *error)
{
    err e = ERR_OK;
    while (e == ERR_OK) {
        buffer_clear(piece);
        while (e == ERR_OK && piece->length < DEMO_PIECE_BYTES) {
            e = population_next(population, piece);
        }
        if (e != ERR_OK && e != ERR_END) {
            return error_set(error, e, "demo", 0, "No memory for the demo population.");
        }
        err fed = intake_feed(intake, buffer_slice(piece), e == ERR_END, error);
        if (fed != ERR_OK) {
            return fed;
        }
        commit_ready(engine, intake);
    }
    return intake_failure(intake, error);
}

err demo_load(struct engine *engine, uint64_t people, struct error *error)
{
    struct buffer piece;
    buffer_init(&piece, DEMO_PIECE_BYTES + POPULATION_RECORD_MAX_BYTES);
    struct intake_options options = {.settings = engine_settings(engine),
                                     .source = SLICE_LITERAL("demo"),
                                     .durability = "fsync",
                                     .hint = HINT_NDJSON};
    uint32_t count = people > POPULATION_PEOPLE_MAX ? POPULATION_PEOPLE_MAX : (uint32_t)people;
    struct population *population =
        population_create(DEMO_SEED, count, clock_wall_us(&system_clock), POPULATION_NDJSON);
    struct intake *intake = intake_create(&options);
    err e = population != NULL && intake != NULL ? load(engine, population, intake, &piece, error)
                                                 : error_set(error, ERR_MEMORY, "out_of_memory", 0,
                                                             "No memory for the demo population.");
    if (population != NULL) {
        population_destroy(population);
    }
    if (intake != NULL) {
        intake_destroy(intake);
    }
    buffer_deinit(&piece);
    return e;
}
