/* The machine: starts (which may be cut short), stops, crashes, bit rot; and what is checked behind
 * them. */
#include <stdlib.h>
#include <string.h>

#include "engine/interests.h"
#include "ingest/splitter.h"
#include "sim.h"

enum { STARTS_MAX = 4, FLIPPABLE_FROM = 128 };
static const char log_folder[] = "/sim/data/log";

static int64_t clock_now(void *context)
{
    return ((struct world *)context)->now_us;
}
static int64_t clock_ticks(void *context)
{
    struct world *world = context;
    return world->ticks += 37;
}

/* ---- what the checker sees ------------------------------------------------------------------- */

err quiet_entry(struct sim *sim, uint64_t sequence, struct log_entry *out)
{
    static struct arena arena;
    struct log *log = engine_log(sim->world.engine);
    bool before = sim->disk.quiet;
    bool dead = sim->disk.dead;
    if (arena.max_bytes == 0) {
        arena_init(&arena, (size_t)8 << 20);
    }
    arena_reset(&arena);
    sim->disk.quiet = true;
    sim->disk.dead = false;
    err e = log->ops->get(log, sequence, &arena, out, NULL);
    sim->disk.quiet = before;
    sim->disk.dead = dead;
    return e;
}

/* What the job said is gone is gone. */
void check_scrubbed(struct sim *sim)
{
    for (size_t i = 0; i < sim->world.erasure_count; i++) {
        const struct erased *erased = &sim->erased[i];
        for (size_t k = 0; erased->scrubbed && k < erased->entry_count; k++) {
            struct log_entry entry;
            if (quiet_entry(sim, erased->entries[k], &entry) != ERR_OK || !entry.scrubbed) {
                sim_fail(sim, "entry %" PRIu64 " of erasure %" PRIu64 " is not scrubbed",
                         erased->entries[k], sim->world.erasures[i].sequence);
            }
        }
    }
}

void check_everything(struct sim *sim)
{
    /* comparing empties its arena; ops in doubt live in the other one */
    static struct arena scratch;
    struct arena of_ops = sim->world.arena;
    if (scratch.max_bytes == 0) {
        arena_init(&scratch, (size_t)64 << 20);
    }
    sim->disk.quiet = true;
    sim_event(sim, "check", sim->world.last_sequence, sim->world.ref.person_count, 0);
    sim->world.arena = scratch;
    world_compare(&sim->world);
    scratch = sim->world.arena;
    sim->world.arena = of_ops;
    check_scrubbed(sim);
    sim->disk.quiet = false;
}

bool machine_failed(const struct sim *sim)
{
    return sim->disk.dead || engine_failed(sim->world.engine) != ERR_OK;
}

/* ---- starting -------------------------------------------------------------------------------- */

static err open_storage(struct sim *sim, struct error *error)
{
    struct world *world = &sim->world;
    const struct file_system *files = &file_system_posix;
    if (sim->with_checkpoint) {
        struct data_folder_options options = {.files = files,
                                              .random = &world->random,
                                              .path = "/sim/data",
                                              .segment_bytes = sim->segment_bytes};
        return data_folder_open(&options, &world->folder, error);
    }
    memset(&world->folder, 0, sizeof world->folder);
    world->folder.files = files;
    err e = files->make_directory(files->context, "/sim/data", error);
    struct rawlog_options options = {.files = files,
                                     .random = &world->random,
                                     .directory = log_folder,
                                     .segment_bytes = sim->segment_bytes};
    if (e == ERR_OK) {
        e = rawlog_open(&options, &world->folder.log, &world->folder.report, error);
    }
    return e == ERR_OK ? files->sync_directory(files->context, "/sim", error) : e;
}

static err open_all(struct sim *sim, struct error *error)
{
    static struct clock clock;
    struct world *world = &sim->world;
    clock = (struct clock){clock_now, clock_ticks, world};
    world->engine = NULL;
    err e = open_storage(sim, error);
    if (e != ERR_OK) {
        data_folder_close(&world->folder);
        return e;
    }
    struct engine_options options = {.log = world->folder.log,
                                     .checkpoint = world->folder.checkpoint,
                                     .clock = &clock,
                                     .random = &world->random,
                                     .durability = DURABILITY_FSYNC,
                                     .verdict_slots = 64,
                                     .settings_json = slice_from_cstr(input_settings),
                                     .classifier = world->classifier};
    e = engine_open(&options, &world->engine, error);
    if (e != ERR_OK) {
        world->engine = NULL;
        data_folder_close(&world->folder);
    }
    return e;
}

/* What goes wrong while it starts; nothing does at the last try. */
static struct disk_faults faults_of_start(struct sim *sim, size_t tries)
{
    struct disk_faults faults = {.interrupted = (unsigned)sim_dice(sim, 60),
                                 .shortened = (unsigned)sim_dice(sim, 200)};
    if (tries + 1 < STARTS_MAX) {
        const uint64_t calls = sim_dice(sim, 2) == 0 ? 12 : 80;
        switch (sim_dice(sim, 8)) {
        case 0:
        case 1:
        case 2: faults.crash_in = 1 + sim_dice(sim, calls); break;
        case 3: faults.fail_in = 1 + sim_dice(sim, 8); break;
        case 4: faults.unread_in = 1 + sim_dice(sim, calls); break;
        case 5: faults.full_for = 1 + sim_dice(sim, 6); break;
        default: break;
        }
    }
    return faults;
}

static struct disk_faults faults_of_life(struct sim *sim)
{
    struct disk_faults faults = {.interrupted = (unsigned)sim_dice(sim, 60),
                                 .shortened = (unsigned)sim_dice(sim, 200)};
    if (sim_dice(sim, 2) == 0) {
        faults.crash_in = 1 + sim_dice(sim, 150);
    }
    if (sim_dice(sim, 3) == 0) {
        faults.fail_in = 1 + sim_dice(sim, 60);
    }
    if (sim_dice(sim, 6) == 0) {
        faults.unread_in = 1 + sim_dice(sim, 40);
    }
    if (sim_dice(sim, 3) == 0) {
        faults.full_in = 1 + sim_dice(sim, 60);
        faults.full_for = 1 + sim_dice(sim, 12);
    }
    return faults;
}

static void lose_power(struct sim *sim)
{
    disk_power_failure(&sim->disk, (enum disk_loss)sim_dice(sim, LOSS_KINDS));
}

/* The first entry of a new deployment is its settings. */
static void take_over(struct sim *sim)
{
    struct world *world = &sim->world;
    struct log *log = engine_log(world->engine);
    struct log_position position = log->ops->position(log);
    if (position.durable_sequence != position.last_sequence) {
        sim_fail(sim, "open, but durable only up to entry %" PRIu64 " of %" PRIu64,
                 position.durable_sequence, position.last_sequence);
    }
    if (world->last_sequence == 0) {
        struct log_entry entry;
        if (position.last_sequence != 1 || quiet_entry(sim, 1, &entry) != ERR_OK) {
            sim_fail(sim, "a new log ends at entry %" PRIu64, position.last_sequence);
        }
        world->last_sequence = 1;
        world->received_us = entry.received_at_us;
    }
    ops_decide(sim, position.last_sequence);
}

void machine_start(struct sim *sim)
{
    struct disk *disk = &sim->disk;
    size_t depth = 0;
    for (size_t tries = 0; !sim->running; tries++) {
        struct error error = {0};
        disk_start(disk);
        disk->faults = faults_of_start(sim, tries);
        sim_event(sim, "start", tries, sim->lives, 0);
        err e = open_all(sim, &error);
        sim_event(sim, "opened", (uint64_t)e, disk->dead, 0);
        if (disk->violation != NULL) {
            sim_fail(sim, "while starting: %s", disk->violation);
        }
        if (e == ERR_OK && !disk->dead) {
            sim->running = true;
            break;
        }
        if (e != ERR_OK && !disk->dead && disk->failures + disk->full + disk->unread == 0) {
            sim_fail(sim, "it does not start: %s (%s)", error.message, err_name(e));
        }
        if (e == ERR_OK) {
            engine_close(sim->world.engine);
            data_folder_close(&sim->world.folder);
        }
        sim->refused_starts += !disk->dead;
        depth += disk->dead;
        if (sim_dice(sim, 2) == 0) {
            lose_power(sim);
        }
    }
    sim->crash_depth = depth > sim->crash_depth ? depth : sim->crash_depth;
    sim->deep_crashes += depth > 0;
    sim->lives++;
    sim->checkpoint_failed = false;
    sim->disk.faults = (struct disk_faults){0};
    take_over(sim);
    check_everything(sim);
    disk_start(disk);
    disk->faults = faults_of_life(sim);
}

/* ---- stopping -------------------------------------------------------------------------------- */

void machine_stop(struct sim *sim)
{
    if (sim->snapshot != NULL) {
        engine_checkpoint_end(sim->world.engine, sim->snapshot, false);
        sim->snapshot = NULL;
    }
    engine_close(sim->world.engine);
    data_folder_close(&sim->world.folder);
    sim->world.engine = NULL;
    sim->running = false;
    sim_event(sim, "stopped", 0, 0, 0);
}

void machine_crash(struct sim *sim, bool power)
{
    sim->disk.dead = true; /* what is still done in closing reaches nothing */
    sim->crashes++;
    machine_stop(sim);
    if (power) {
        lose_power(sim);
    }
    sim->disk.dead = false;
}

/* ---- bit rot --------------------------------------------------------------------------------- */

/* One byte of what was durable, and what a later entry says was durable, changes: it must not
 * start, must change nothing, and starts again when the byte is mended. */
void machine_flip(struct sim *sim)
{
    struct disk *disk = &sim->disk;
    struct error error = {0};
    struct inode *inode = sim->safe_bytes > FLIPPABLE_FROM ? disk_find(disk, sim->safe_file) : NULL;
    if (sim->with_checkpoint || sim->running || inode == NULL || inode->change_count > 0 ||
        inode->diverged || inode->durable_bytes < sim->safe_bytes) {
        return;
    }
    uint64_t offset = sim_dice(sim, sim->safe_bytes);
    uint8_t bits = (uint8_t)(1 + sim_dice(sim, 255));
    sim_event(sim, "flip", inode->number, offset, bits);
    disk_flip(inode, offset, bits);
    disk_start(disk);
    const uint64_t changes = disk->log_changes;
    err e = open_all(sim, &error);
    sim_event(sim, "opened", (uint64_t)e, 0, 0);
    if (e != ERR_CORRUPT && e != ERR_UNSUPPORTED) {
        sim_fail(sim, "byte %" PRIu64 " of %s was changed and it was answered %s", offset,
                 sim->safe_file, err_name(e));
    }
    if (disk->log_changes != changes) {
        sim_fail(sim, "a damaged log was written to");
    }
    disk_flip(inode, offset, bits);
    sim->flips++;
}
