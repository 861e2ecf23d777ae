/* import.h: what import.c (options, files, summary), import_local.c (into a folder) and
 * import_remote.c (through a server) share.
 *
 * Threading: main thread, except where import_local.c says otherwise. */
#ifndef KINDRED_COMMANDS_IMPORT_H
#define KINDRED_COMMANDS_IMPORT_H

#include <signal.h>

#include "commands/commands.h"
#include "commands/import_rejects.h"
#include "commands/import_state.h"
#include "commands/progress.h"
#include "engine/engine.h"

/* Everything was done, but some records were not taken: they are in the quarantine and in the file
 * of rejects. */
enum { EXIT_CODE_REJECTED = 5 };

enum { IMPORT_READ_BYTES = 256 * 1024 };

struct import_job {
    const char *data; /* or url */
    const char *url;
    const char *key;
    const char *source;  /* NULL: the file's name */
    const char *rejects; /* NULL: beside the file */
    const char *model;   /* with data: as model_choice_open */
    enum engine_durability durability;
    struct slice mapping_json; /* SLICE_NONE: none; owned */
    char mapping_name[128];
    char mapping_delimiter; /* '\0': the mapping does not say */
};

/* One file while it is being read. */
struct import_input {
    const char *path;
    char label[256]; /* the file's name, or "stdin" */
    char source[LOG_SOURCE_MAX + 1];
    int fd;
    uint64_t size_bytes; /* 0: unknown */
    uint64_t read_bytes; /* as it lies on disk, perhaps compressed */
    enum content_hint hint;
    struct mend mend;
    bool at_end;
    char *bytes;  /* IMPORT_READ_BYTES; the first piece was read to look at it */
    size_t ready; /* of them not handed out yet */
};

struct import_counts {
    uint64_t records, accepted, cleansed, quarantined, repeated, unlisted;
};

struct import_run {
    const struct import_job *job;
    struct import_input input;
    struct import_state state;
    struct rejects rejects;
    struct progress progress;
    struct import_counts counts;
    struct error error; /* what stopped it, or what was wrong with the input */
};

/* Set by SIGINT and SIGTERM: stop reading, keep what was taken. */
extern volatile sig_atomic_t import_interrupted;

/* The next bytes; length 0 at the end. ERR_IO with run->error. Borrowed until the next call. */
err import_read(struct import_run *run, struct slice *bytes) MUST_USE;

/* A way to take records. open once, take per file, close once; messages are printed inside. */
struct import_target {
    int (*open)(const struct import_job *job, void **target); /* exit code */
    err (*take)(void *target, struct import_run *run);        /* run->error says more */
    bool (*people)(void *target, uint64_t *people);           /* how many there are now */
    int (*close)(void *target);                               /* exit code */
};
extern const struct import_target import_local, import_remote;

extern const struct command command_import;

#endif
