/* store.h: a data folder and its engine, opened inside a command (import, export, verify).
 *
 * The folder's lock is held until store_close, so a running server and a command never meet in one
 * folder.
 *
 * Threading: main thread; engine calls as engine.h says. */
#ifndef KINDRED_COMMANDS_STORE_H
#define KINDRED_COMMANDS_STORE_H

#include "base/err.h"
#include "commands/commands.h"
#include "commands/model_choice.h"
#include "engine/engine.h"
#include "storage/data_folder.h"

struct store {
    struct model_choice model;
    struct data_folder folder;
    struct engine *engine;
};

struct store_options {
    const struct command *command; /* for messages */
    const char *directory;
    enum engine_durability durability;
    const char *model; /* as model_choice_open */
    bool read_only;    /* must exist, nothing is appended */
};

/* EXIT_CODE_OK, or the exit code to return: the message was printed. */
int store_open(const struct store_options *options, struct store *store) MUST_USE;
void store_close(struct store *store);

/* Classifies the interests that wait for it, with a progress line; stops early when `interrupted`
 * (may be NULL) says so. What is left over, the next server does by itself. */
err store_classify_pending(struct store *store, bool (*interrupted)(void),
                           struct error *error) MUST_USE;

/* Prints "kindred import: <message>" and what to do next; returns the exit code. */
int store_report(const struct command *command, const struct error *error);

/* "fsync", "interval", "os"; false on any other word. */
bool durability_parse(const char *word, enum engine_durability *out);
const char *durability_word(enum engine_durability durability);

#endif
