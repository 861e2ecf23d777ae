/* verify.c: `kindred verify`: every checksum, then log against profiles against bitmaps. */
#include <stdio.h>
#include <string.h>

#include "commands/options.h"
#include "commands/progress.h"
#include "commands/store.h"

static const char HELP[] =
    "usage: kindred verify --data DIR [--quick] [--model FILE]\n"
    "\n"
    "Checks a data folder and changes nothing but, as every start does, an incomplete last write of a crash, which is cut\n"
    "off (it was never acknowledged).\n"
    "\n"
    "  1. log        every entry's checksum, every digest, every link of the chain\n"
    "  2. profiles   the checkpoint can be read and belongs to this log\n"
    "  3. fold       the whole log applied anew gives the same profiles, identifiers, bitmaps and cohorts\n"
    "\n"
    "  --quick       leaves out the third: what is in memory is only compared with itself\n"
    "  --model FILE  the model the server runs with, if it is not the built-in one; none\n"
    "\n"
    "The server must be stopped. It takes about as long as reading the log and importing it again.\n"
    "\n"
    "Example:\n"
    "  kindred verify --data ./data && cp -a ./data /backup/data-checked\n"
    "\n"
    "Exit codes: 0 all is well · 1 could not be done · 2 usage · 3 damage found; the message names file, offset and\n"
    "sequence · 4 data folder in use.\n";

static void on_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *progress = context;
    progress->total_bytes = total_bytes;
    progress_update(progress, done_bytes, done_bytes / 1000000);
}

/* Whoever holds the folder is writing to it: its newest bytes would look like damage. */
static int lock_folder(const char *directory, struct file **lock)
{
    const struct file_system *files = &file_system_posix;
    char path[1100];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/LOCK", directory);
    error.err = files->open(files->context, path, FILE_WRITE, lock, &error);
    if (error.err == ERR_NOT_FOUND) {
        fprintf(stderr, "kindred verify: %s is not a Kindred data folder (it has no LOCK file).\n",
                directory);
        return EXIT_CODE_FAILED;
    }
    if (error.err == ERR_OK) {
        error.err = files->lock(files->context, *lock, &error);
        if (error.err == ERR_LOCKED) {
            (void)error_set(&error, ERR_LOCKED, "locked", 0,
                            "%s is in use by another kindred process.", directory);
        }
    }
    return error.err == ERR_OK ? EXIT_CODE_OK : store_report(&command_verify, &error);
}

static int damaged(const char *part, const struct error *error, const char *advice)
{
    printf("%-10s DAMAGED\n", part);
    fflush(stdout);
    int code = store_report(&command_verify, error);
    if (error->err == ERR_CORRUPT) {
        fprintf(stderr, "%s\n", advice);
    }
    return code;
}

static int verify_log(const char *directory)
{
    struct file *lock = NULL;
    int code = lock_folder(directory, &lock);
    if (code != EXIT_CODE_OK) {
        goto out;
    }
    char path[1100];
    struct progress progress;
    struct error error = {0};
    uint64_t checked = 0;
    snprintf(path, sizeof path, "%s/log", directory);
    progress_begin(&progress, "log", "MB", 0);
    error.err = rawlog_verify(&file_system_posix, path, on_progress, &progress, &checked, &error);
    progress_end(&progress);
    if (error.err != ERR_OK) {
        code = damaged(
            "log", &error,
            "The log is the truth, so Kindred will not guess: put the named file back from a backup. Everything "
            "before that entry is sound; docs/operations.md (\"Damage\") says how to keep it.");
        goto out;
    }
    printf("%-10s ok: %llu entries, every checksum and link\n", "log", (unsigned long long)checked);
out:
    if (lock != NULL) {
        file_system_posix.close(file_system_posix.context, lock);
    }
    return code;
}

static void print_counts(const struct store *store)
{
    struct engine_stats stats;
    engine_stats(store->engine, &stats);
    printf("%-10s ok: %llu people, %llu identifiers, checkpoint at entry %llu of %llu\n",
           "profiles", (unsigned long long)stats.people, (unsigned long long)stats.identifiers,
           (unsigned long long)stats.checkpoint_sequence,
           (unsigned long long)stats.applied_sequence);
}

static int verify_fold(const char *directory, const char *model, bool full)
{
    static const char ADVICE[] =
        "The log is sound, and everything else can be made from it again: remove the *.mdb files in the folder "
        "profiles/ and start Kindred; it applies the whole log.";
    struct store store;
    struct store_options options = {
        .command = &command_verify, .directory = directory, .model = model, .read_only = true};
    int code = store_open(&options, &store);
    if (code != EXIT_CODE_OK) {
        if (code == EXIT_CODE_STORAGE) {
            fprintf(stderr, "%s\n", ADVICE);
        }
        return code;
    }
    print_counts(&store);
    struct error error = {0};
    error.err = engine_verify(store.engine, full, &error);
    if (error.err != ERR_OK) {
        code = damaged("fold", &error, ADVICE);
    } else {
        struct engine_stats stats;
        engine_stats(store.engine, &stats);
        printf("%-10s ok: %llu interests, %llu cohorts, %s\n", "fold",
               (unsigned long long)stats.phrases, (unsigned long long)stats.cohorts,
               full ? "the whole log applied anew gives the same"
                    : "consistent with each other (quick)");
    }
    store_close(&store);
    return code;
}

static int run(int argc, char **argv)
{
    const char *data = NULL;
    const char *model = NULL;
    bool quick = false;
    const struct option_rule rules[] = {{"data", OPTION_TEXT, &data},
                                        {"model", OPTION_TEXT, &model},
                                        {"quick", OPTION_FLAG, &quick}};
    int left = 0;
    int code = options_parse(&command_verify, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (data == NULL || left > 0) {
        return options_usage_error(&command_verify, "name the folder: kindred verify --data DIR.");
    }
    code = verify_log(data);
    return code == EXIT_CODE_OK ? verify_fold(data, model, !quick) : code;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check every checksum of a data folder, and that all its parts agree",
    .run = run,
    .help = HELP,
};
