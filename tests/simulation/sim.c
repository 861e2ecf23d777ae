#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/splitter.h"

const char *sim_program = "test_simulation";
struct sim *sim_current;

/* ---- saying what went wrong ------------------------------------------------------------------ */

static void report(const struct sim *sim)
{
    fprintf(stderr,
            "\n  seed %" PRIu64 ", step %" PRIu64 ", life %" PRIu64 ", entry %" PRIu64 ", %s\n",
            sim->seed, sim->steps, sim->lives, sim->world.last_sequence,
            sim->with_checkpoint ? "with LMDB" : "log alone");
    fprintf(stderr, "  repeat it: %s --seed %" PRIu64 " --trace\n", sim_program, sim->seed);
    fflush(stdout);
    exit(1);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "VIOLATION: ");
    vfprintf(stderr, format, args);
    va_end(args);
    report(sim);
    abort();
}

/* What tests/model calls when answers differ. */
void world_fail(struct world *world, uint32_t person, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)world;
    fprintf(stderr, "DIFFERENCE (p%u): ", person);
    vfprintf(stderr, format, args);
    va_end(args);
    report(sim_current);
    abort();
}

void world_note(struct world *world, const char *format, ...)
{
    (void)world;
    if (sim_current->trace.print) {
        va_list args;
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
    }
}

/* ---- one seed -------------------------------------------------------------------------------- */

static void begin(struct sim *sim, uint64_t seed, bool print)
{
    struct world *world = &sim->world;
    struct error error = {0};
    memset(world, 0, sizeof *world);
    sim->seed = seed;
    sim->trace = (struct trace_hash){.print = print};
    sim->snapshot = NULL;
    sim->running = sim->checkpoint_failed = false;
    sim->doubt_count = sim->unanswered_count = 0;
    sim->safe_bytes = sim->steps = sim->lives = 0;
    world->seed = seed;
    prng_seed(&world->prng, seed);
    world->random = prng_source(&world->prng);
    arena_init(&world->arena, (size_t)64 << 20);
    world->now_us = 1767225600ll * 1000000 + (int64_t)sim_dice(sim, 1000000);
    world->classifier = sim_dice(sim, 4) == 0 ? NULL : input_classifier();
    sim->with_checkpoint = sim_dice(sim, 4) == 0;
    sim->segment_bytes = UINT64_C(1024) << sim_dice(sim, 6);
    CHECK(settings_parse(slice_from_cstr(input_settings), &world->settings, &error) == ERR_OK);
    world->ref.settings = world->settings;
    world->ref.classifier = world->classifier;
    world->erasures = calloc(ERASURES_MAX, sizeof *world->erasures);
    CHECK(world->erasures != NULL);
    disk_init(&sim->disk, prng_next(&world->prng), &sim->trace, &world->now_us);
    disk_in_use = &sim->disk;
    sim_current = sim;
}

static void end(struct sim *sim)
{
    disk_in_use = NULL;
    disk_deinit(&sim->disk);
    ref_clear(&sim->world.ref);
    settings_destroy(sim->world.settings);
    arena_deinit(&sim->world.arena);
    free(sim->world.erasures);
}

/* Crashes that come between two calls; those inside one are the disk's. */
static void between_steps(struct sim *sim)
{
    if (sim->disk.dead) {
        machine_crash(sim, sim_dice(sim, 3) != 0);
    } else if (machine_failed(sim) || sim->disk.log_failures > 0) {
        if (sim_dice(sim, 3) == 0) {
            check_everything(sim); /* reads go on */
            machine_crash(sim, sim_dice(sim, 2) == 0);
        }
    } else if (sim_dice(sim, 20) == 0) {
        machine_crash(sim, sim_dice(sim, 3) != 0);
    } else if (sim_dice(sim, 40) == 0) {
        machine_stop(sim);
    } else if (sim_dice(sim, 12) == 0) {
        check_everything(sim);
    }
    if (!sim->running && sim_dice(sim, 4) == 0) {
        machine_flip(sim);
    }
}

uint64_t sim_run(struct sim *sim, uint64_t seed, bool print)
{
    begin(sim, seed, print);
    uint64_t steps = 12 + sim_dice(sim, 40);
    for (uint64_t i = 0; i < steps; i++) {
        if (!sim->running) {
            machine_start(sim);
        }
        sim_step(sim);
        between_steps(sim);
    }
    if (sim->running) {
        machine_crash(sim, true);
    }
    machine_start(sim);
    if (sim_dice(sim, 8) == 0) {
        struct error error = {0};
        sim->disk.quiet = true;
        if (engine_verify(sim->world.engine, true, &error) != ERR_OK) {
            sim_fail(sim, "verify: %s", error.message);
        }
        sim->disk.quiet = false;
    }
    sim->disk.faults = (struct disk_faults){0};
    machine_stop(sim);
    uint64_t hash = sim->trace.hash;
    end(sim);
    return hash;
}
