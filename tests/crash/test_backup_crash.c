/* Tries to lose a backup, or to get half a restore taken for a whole one, by a power failure at any
 * moment.
 *
 * A backup over an older one, a first backup and a restore with erasures are recorded; from each
 * record folders are built that a crash could have left. In each of them the backup must be the old
 * one or the new one, whole, and the new one once the command had said so; a folder that is being
 * restored must be refused until it is whole; and the same command, given again, must come to its
 * end, with no byte of those who were erased. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "recorder.h"
#include "storage/backup.h"
#include "storage/data_folder.h"
#include "unit/storage/support.h"

enum { PATH_BYTES = 640, SEGMENT_BYTES = 4000 };

struct source {
    char root[256];
    char data[PATH_BYTES];
    char target[PATH_BYTES]; /* what is recorded */
    struct log *log;
    uint64_t last;
    uint64_t seed;
};

static const char *what = "";

__attribute__((noreturn)) static void violation(const struct source *source,
                                                const struct image_plan *plan, const char *message)
{
    fprintf(stderr, "%s, seed %" PRIu64 ", cut %zu, mode %s, image seed %" PRIu64 ": %s\n", what,
            source->seed, plan->cut, image_mode_name(plan->mode), plan->seed, message);
    exit(1);
}

static void append(struct source *source, struct prng *prng, size_t batches)
{
    struct error error;
    for (size_t i = 0; i < batches; i++) {
        size_t count = 1 + (size_t)prng_below(prng, 4);
        CHECK(log_append_numbers(source->log, source->last + 1, count, &error) == ERR_OK);
        source->last += count;
    }
}

static void source_make(struct source *source, uint64_t seed, struct prng *prng)
{
    static const struct log_settings settings = {.segment_bytes = SEGMENT_BYTES};
    char path[PATH_BYTES];
    struct error error;
    *source = (struct source){.seed = seed};
    prng_seed(prng, seed);
    snprintf(source->root, sizeof source->root, "%s", folder_make());
    snprintf(source->data, sizeof source->data, "%s/data", source->root);
    snprintf(source->target, sizeof source->target, "%s/target", source->root);
    snprintf(path, sizeof path, "%.250s/data/log", source->root);
    CHECK(mkdir(source->data, 0700) == 0 && mkdir(source->target, 0700) == 0);
    source->log = log_open(path, &settings, NULL, &error);
    CHECK(source->log != NULL);
    append(source, prng, 10 + (size_t)prng_below(prng, 30));
}

static void source_end(struct source *source)
{
    source->log->ops->close(source->log);
    folder_remove(source->root);
}

static err back_up(const struct source *source, const struct file_system *files, const char *folder,
                   struct error *error)
{
    char backup[PATH_BYTES];
    struct backup_report report;
    snprintf(backup, sizeof backup, "%.600s/b", folder);
    struct backup_options options = {
        .files = files, .data = source->data, .backup = backup, .taken_at_us = 1000000};
    return backup_run(&options, &report, error);
}

static err restore(const struct file_system *files, const char *backup, const char *folder,
                   const struct erasure_ledger *ledger, struct error *error)
{
    char data[PATH_BYTES];
    struct restore_report report;
    snprintf(data, sizeof data, "%.600s/r", folder);
    struct restore_options options = {
        .files = files, .random = &system_random, .backup = backup, .data = data, .ledger = ledger};
    return backup_restore(&options, &report, error);
}

/* 0: there is none. */
static uint64_t backup_last(const struct source *source, const struct image_plan *plan,
                            const char *image)
{
    char backup[PATH_BYTES];
    struct backup_report report;
    struct error error;
    snprintf(backup, sizeof backup, "%.600s/b", image);
    err e = backup_check(&file_system_posix, backup, NULL, NULL, &report, &error);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        violation(source, plan, error.message);
    }
    return e == ERR_OK ? report.last_sequence : 0;
}

static void check_backup(const struct source *source, const struct image_plan *plan,
                         const char *image, uint64_t before, bool done)
{
    struct error error;
    uint64_t last = backup_last(source, plan, image);
    if (last != source->last && (done || last != before)) {
        violation(source, plan, "neither the old backup nor the new one");
    }
    if (back_up(source, &file_system_posix, image, &error) != ERR_OK) {
        violation(source, plan, error.message);
    }
    if (backup_last(source, plan, image) != source->last || folder_contains(image, "payload 3 ")) {
        violation(source, plan, "the next backup is not whole, or holds what was erased");
    }
}

/* Opens it as a server does: *last is what it has. */
static bool opens(const char *data, uint64_t *last)
{
    struct data_folder folder;
    struct error error;
    struct data_folder_options options = {
        .files = &file_system_posix, .random = &system_random, .path = data, .must_exist = true};
    if (data_folder_open(&options, &folder, &error) != ERR_OK) {
        return false;
    }
    *last = folder.log->ops->position(folder.log).last_sequence;
    data_folder_close(&folder);
    return true;
}

static void check_restore(const struct source *source, const struct image_plan *plan,
                          const char *image, const char *backup,
                          const struct erasure_ledger *ledger, uint64_t expected, bool done)
{
    char data[PATH_BYTES];
    struct error error;
    uint64_t last = 0;
    snprintf(data, sizeof data, "%.600s/r", image);
    bool whole = opens(data, &last);
    if ((whole && last != expected) || (done && !whole)) {
        violation(source, plan,
                  "a part of a restore was taken for a whole one, or a whole one refused");
    }
    if (!whole && restore(&file_system_posix, backup, image, ledger, &error) != ERR_OK) {
        violation(source, plan, error.message);
    }
    if (!opens(data, &last) || last != expected || folder_contains(data, "payload 3 ")) {
        violation(source, plan, "it is not what was to be restored");
    }
}

static struct image_plan random_plan(const struct recorder *recorder, struct prng *prng)
{
    return (struct image_plan){
        .cut = recorder->adopted +
               (size_t)prng_below(prng, recorder->trace.count - recorder->adopted + 1),
        .mode = (enum image_mode)prng_below(prng, IMAGE_MODE_COUNT),
        .seed = prng_next(prng),
    };
}

static uint64_t crash_backups(uint64_t seed, uint64_t images, bool first)
{
    struct source source;
    struct recorder recorder;
    struct prng prng;
    struct error error;
    source_make(&source, seed, &prng);
    what = first ? "a first backup" : "a backup over an older one";
    uint64_t before = first ? 0 : source.last;
    if (!first) {
        CHECK(back_up(&source, &file_system_posix, source.target, &error) == ERR_OK);
    }
    append(&source, &prng, 5 + (size_t)prng_below(&prng, 20));
    const struct log_scrub item = {.sequence = 3};
    CHECK(source.log->ops->scrub(source.log, &item, 1, &error) == ERR_OK);
    recorder_init(&recorder, source.target, &file_system_posix);
    CHECK(back_up(&source, &recorder.files, source.target, &error) == ERR_OK);
    for (uint64_t i = 0; i < images; i++) {
        char image[PATH_BYTES];
        struct image_plan plan = random_plan(&recorder, &prng);
        snprintf(image, sizeof image, "%s", folder_make());
        image_build(&recorder.trace, &plan, image);
        check_backup(&source, &plan, image, before, plan.cut == recorder.trace.count);
        folder_remove(image);
    }
    recorder_deinit(&recorder);
    source_end(&source);
    return images;
}

static uint64_t crash_restores(uint64_t seed, uint64_t images)
{
    struct source source;
    struct recorder recorder;
    struct prng prng;
    struct error error;
    struct erasure_ledger ledger;
    char old[PATH_BYTES];
    char newer[PATH_BYTES];
    source_make(&source, seed, &prng);
    what = "a restore";
    snprintf(old, sizeof old, "%.250s/old/b", source.root);
    snprintf(newer, sizeof newer, "%.250s/newer/b", source.root);
    for (int i = 0; i < 2; i++) {
        char folder[PATH_BYTES];
        snprintf(folder, sizeof folder, "%.250s/%s", source.root, i == 0 ? "old" : "newer");
        CHECK(mkdir(folder, 0700) == 0);
        CHECK(back_up(&source, &file_system_posix, folder, &error) == ERR_OK);
        const struct log_scrub items[] = {{.sequence = 3}, {.sequence = source.last}};
        CHECK(source.log->ops->scrub(source.log, items, 2, &error) == ERR_OK);
    }
    CHECK(erasure_ledger_load(&file_system_posix, newer, NULL, NULL, &ledger, &error) == ERR_OK);
    recorder_init(&recorder, source.target, &file_system_posix);
    CHECK(restore(&recorder.files, old, source.target, &ledger, &error) == ERR_OK);
    for (uint64_t i = 0; i < images; i++) {
        char image[PATH_BYTES];
        struct image_plan plan = random_plan(&recorder, &prng);
        snprintf(image, sizeof image, "%s", folder_make());
        image_build(&recorder.trace, &plan, image);
        check_restore(&source, &plan, image, old, &ledger, source.last,
                      plan.cut == recorder.trace.count);
        folder_remove(image);
    }
    erasure_ledger_deinit(&ledger);
    recorder_deinit(&recorder);
    source_end(&source);
    return images;
}

int main(int argc, char **argv)
{
    enum { IMAGES_PER_RUN = 40 };
    uint64_t wanted = 1200;
    uint64_t seed = 20261122;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--images") == 0 && i + 1 < argc) {
            wanted = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--images N] [--seed S]\n", argv[0]);
            return 2;
        }
    }
    uint64_t done = 0;
    for (uint64_t run = seed; done < wanted; run++) {
        done += crash_backups(run, IMAGES_PER_RUN, false);
        done += crash_backups(run, IMAGES_PER_RUN / 4, true);
        done += crash_restores(run, IMAGES_PER_RUN);
    }
    printf("%" PRIu64 " crash images, 0 violations (from seed %" PRIu64 ")\n", done, seed);
    return 0;
}
