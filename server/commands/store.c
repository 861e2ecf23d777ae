#include "commands/store.h"

#include <stdio.h>
#include <string.h>

#include "commands/shipped.h"

static const char *const DURABILITY_WORDS[] = {
    [DURABILITY_FSYNC] = "fsync", [DURABILITY_INTERVAL] = "interval", [DURABILITY_OS] = "os"};

bool durability_parse(const char *word, enum engine_durability *out)
{
    for (size_t i = 0; i < ARRAY_COUNT(DURABILITY_WORDS); i++) {
        if (strcmp(word, DURABILITY_WORDS[i]) == 0) {
            *out = (enum engine_durability)i;
            return true;
        }
    }
    return false;
}

const char *durability_word(enum engine_durability durability)
{
    return DURABILITY_WORDS[durability];
}

static const char *next_step(err e)
{
    switch (e) {
    case ERR_LOCKED: return "Stop the server that uses it, or go through the server with --url.";
    case ERR_NO_SPACE: return "Make room and run the command again.";
    case ERR_IO:
        return "Look at the disk (dmesg, smartctl) before anything else writes to this folder.";
    case ERR_CORRUPT:
        return "Nothing was changed. `kindred verify --data DIR` names every place; docs/operations.md says what to do.";
    default: return NULL;
    }
}

int store_report(const struct command *command, const struct error *error)
{
    const char *message = error->message[0] != '\0' ? error->message : err_name(error->err);
    fprintf(stderr, "kindred %s: %s\n", command->name, message);
    const char *next = next_step(error->err);
    if (next != NULL) {
        fprintf(stderr, "%s\n", next);
    }
    if (error->err == ERR_LOCKED) {
        return EXIT_CODE_LOCKED;
    }
    return err_class(error->err) == ERR_CLASS_STORAGE ? EXIT_CODE_STORAGE : EXIT_CODE_FAILED;
}

static void tell_cut(const struct command *command, const struct rawlog_report *report)
{
    if (report->cut_bytes > 0) {
        fprintf(
            stderr,
            "kindred %s: the last write before a crash was incomplete: %llu bytes at offset %llu of %s were cut "
            "off. They had never been acknowledged.\n",
            command->name, (unsigned long long)report->cut_bytes,
            (unsigned long long)report->cut_offset, report->cut_file);
    }
}

int store_open(const struct store_options *options, struct store *store)
{
    *store = (struct store){0};
    struct error error = {0};
    struct data_folder_options folder = {
        .files = &file_system_posix,
        .random = &system_random,
        .path = options->directory,
        .must_exist = options->read_only,
    };
    error.err = model_choice_open(options->model, &store->model, &error);
    if (error.err == ERR_OK) {
        error.err = data_folder_open(&folder, &store->folder, &error);
    }
    if (error.err != ERR_OK) {
        model_choice_close(&store->model);
        return store_report(options->command, &error);
    }
    tell_cut(options->command, &store->folder.report);
    struct engine_options engine = {
        .log = store->folder.log,
        .checkpoint = store->folder.checkpoint,
        .clock = &system_clock,
        .random = &system_random,
        .durability = options->durability,
        .shipped_cohorts = options->read_only ? SLICE_NONE : shipped_cohorts(),
        .classifier = store->model.classifier,
        .load_threads = ENGINE_LOAD_THREADS,
        .read_only = options->read_only,
    };
    error.err = engine_open(&engine, &store->engine, &error);
    if (error.err != ERR_OK) {
        data_folder_close(&store->folder);
        model_choice_close(&store->model);
        return store_report(options->command, &error);
    }
    return EXIT_CODE_OK;
}

void store_close(struct store *store)
{
    engine_close(store->engine);
    data_folder_close(&store->folder);
    model_choice_close(&store->model);
    *store = (struct store){0};
}
