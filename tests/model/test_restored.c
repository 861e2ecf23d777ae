/* Tries to find somebody who is not in a restored older backup as they were when it was made,
 * though others have been erased since.
 *
 * Random operations; a backup, and what everybody looks like; more operations, with many erasures;
 * another backup. Then the first backup is restored, whole and up to some entry of before, with
 * what was erased since: everybody who is still there looks the same word for word (up to some
 * entry: as in a fold of the unscrubbed log up to there), and the others are gone.
 *
 *   test_restored [--worlds N] [--seed S] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/backup.h"
#include "unit/storage/support.h"
#include "world.h"

enum { NUMBERS_MAX = 2 * WORLD_PEOPLE_MAX };

static uint64_t number_after(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return strtoull(argv[i + 1], NULL, 10);
        }
    }
    return otherwise;
}

struct looks {
    char *at[NUMBERS_MAX];
};

static void look(struct world *world, struct looks *out)
{
    struct buffer text;
    buffer_init(&text, (size_t)16 << 20);
    *out = (struct looks){0};
    for (uint32_t number = 1; number < NUMBERS_MAX; number++) {
        char id[16];
        snprintf(id, sizeof id, "p%u", number);
        if (engine_find_id(world->engine, slice_from_cstr(id)) == number) {
            buffer_clear(&text);
            struct json_writer json = json_writer_of(&text);
            engine_write_user(world->engine, number, EXPAND_ALL & ~(unsigned)EXPAND_COHORTS, &json);
            out->at[number] = malloc(text.length + 1);
            CHECK(out->at[number] != NULL);
            memcpy(out->at[number], text.data, text.length);
            out->at[number][text.length] = '\0';
        }
    }
    buffer_deinit(&text);
}

static void forget(struct looks *looks)
{
    for (size_t i = 0; i < NUMBERS_MAX; i++) {
        free(looks->at[i]);
    }
}

static void back_up(struct world *world, const char *to)
{
    struct backup_report report;
    struct error error = {0};
    struct backup_options options = {.files = &file_system_posix,
                                     .data = world->path,
                                     .backup = to,
                                     .taken_at_us = world->now_us + 1000000ll * 1000000};
    err e = backup_run(&options, &report, &error);
    if (e != ERR_OK) {
        world_fail(world, 0, "backup: %s", error.message);
    }
}

static void restore(struct world *world, const char *from, const char *erasures, uint64_t until,
                    const char *to)
{
    struct erasure_ledger ledger = {0};
    struct restore_report report;
    struct error error = {0};
    err e = erasures != NULL
                ? erasure_ledger_load(&file_system_posix, erasures, NULL, NULL, &ledger, &error)
                : ERR_OK;
    struct restore_options options = {.files = &file_system_posix,
                                      .random = &world->random,
                                      .backup = from,
                                      .data = to,
                                      .until_sequence = until,
                                      .ledger = erasures != NULL ? &ledger : NULL,
                                      .erase_entries = engine_erase_entries};
    if (e == ERR_OK) {
        e = backup_restore(&options, &report, &error);
    }
    if (e != ERR_OK) {
        world_fail(world, 0, "restore: %s", error.message);
    }
    erasure_ledger_deinit(&ledger);
}

/* What the folder's people look like to a start. */
static void look_into(struct world *world, const char *path, struct looks *out)
{
    char own[sizeof world->path];
    world_stop(world);
    snprintf(own, sizeof own, "%s", world->path);
    snprintf(world->path, sizeof world->path, "%s", path);
    world_start(world);
    look(world, out);
    world_verify(world);
    world_stop(world);
    snprintf(world->path, sizeof world->path, "%s", own);
    world_start(world);
}

static void scrub_all(struct world *world)
{
    uint64_t sequence;
    while (engine_erasure_next(world->engine, &sequence)) {
        world_scrub(world);
    }
}

static bool is_erased(const struct world *world, const bool *erased, uint32_t number)
{
    const struct ref_person *person = ref_person(&world->ref, number);
    while (person != NULL && person->parent != 0) {
        number = person->parent;
        person = ref_person(&world->ref, number);
    }
    return erased[number];
}

static void compare(struct world *world, struct looks *then, struct looks *now, const bool *erased,
                    const char *what)
{
    for (uint32_t number = 1; number < NUMBERS_MAX; number++) {
        const char *before = then->at[number];
        const char *after = now->at[number];
        bool gone = before != NULL && is_erased(world, erased, number);
        if (gone ? after != NULL
                 : (before == NULL) != (after == NULL) ||
                       (before != NULL && strcmp(before, after) != 0)) {
            world_fail(world, number, "%s, p%u%s:\n  was  %s\n  is   %s", what, number,
                       gone ? ", erased" : "", before ? before : "not there",
                       after ? after : "not there");
        }
    }
}

static uint64_t run_world(struct world *world, uint64_t seed)
{
    char old[320], now[320], plain[320], restored[320];
    static bool erased[NUMBERS_MAX];
    static struct looks then, cut, is;
    world->classifier = NULL;
    world->erase_weight = 10;
    world_open(world, seed, NULL);
    snprintf(old, sizeof old, "%s-old", world->path);
    snprintf(now, sizeof now, "%s-now", world->path);
    snprintf(plain, sizeof plain, "%s-plain", world->path);
    snprintf(restored, sizeof restored, "%s-restored", world->path);
    for (uint64_t n = 150 + prng_below(&world->prng, 200); n > 0; n--) {
        world_step(world);
    }
    scrub_all(world);
    look(world, &then);
    uint64_t until =
        1 + world->last_sequence / 2 + prng_below(&world->prng, world->last_sequence / 2);
    back_up(world, old);
    /* The copy cut where nobody who is still there was erased yet: what it is to look like. */
    restore(world, old, NULL, until, plain);
    look_into(world, plain, &cut);
    world->erase_weight = 55;
    for (uint64_t n = 100 + prng_below(&world->prng, 200); n > 0; n--) {
        world_step(world);
    }
    scrub_all(world);
    back_up(world, now);
    memset(erased, 0, sizeof erased);
    for (uint32_t number = 1; number < NUMBERS_MAX; number++) {
        const struct ref_person *person = ref_person(&world->ref, number);
        erased[number] = person != NULL && !person->alive && person->parent == 0;
    }
    restore(world, old, now, 0, restored);
    look_into(world, restored, &is);
    compare(world, &then, &is, erased, "the older backup");
    forget(&is);
    folder_remove(restored);
    restore(world, old, now, until, restored);
    look_into(world, restored, &is);
    compare(world, &cut, &is, erased, "the older backup, cut");
    forget(&is);
    folder_remove(restored);
    restore(world, now, NULL, until, restored);
    look_into(world, restored, &is);
    compare(world, &cut, &is, erased, "the newer backup, cut");
    forget(&is);
    forget(&then);
    forget(&cut);
    folder_remove(restored);
    folder_remove(old);
    folder_remove(now);
    folder_remove(plain);
    uint64_t count = world->erased;
    world_close(world);
    return count;
}

int main(int argc, char **argv)
{
    uint64_t seed = 0;
    random_fill(&system_random, &seed, sizeof seed);
    seed = number_after(argc, argv, "--seed", seed >> 16);
    uint64_t worlds = number_after(argc, argv, "--worlds", 30);
    struct stat memory;
    if (getenv("TMPDIR") == NULL && stat("/dev/shm", &memory) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* crashes are another test's */
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    static struct world world;
    uint64_t erased = 0;
    for (uint64_t n = 0; n < worlds; n++) {
        erased += run_world(&world, seed + n);
    }
    printf("%" PRIu64 " worlds, %" PRIu64 " operations, %" PRIu64 " erasures, 0 differences\n",
           worlds, world.steps, erased);
    return 0;
}
