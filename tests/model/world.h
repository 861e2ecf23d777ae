/* world.h: an engine on a real data folder, the reference beside it, and the operations that change
 * both.
 *
 *   world_open ─▶ step … ─▶ world_compare ─▶ … ─▶ world_close
 *
 * Every step makes random input from the world's seed, gives it to engine_commit and, when that
 * took it, to the reference. The clock is the world's own. A difference prints what differs, the
 * seed, the step and the last operations that name the person, and ends the program. */
#ifndef KINDRED_TESTS_MODEL_WORLD_H
#define KINDRED_TESTS_MODEL_WORLD_H

#include "base/arena.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "reference.h"
#include "storage/data_folder.h"

enum {
    WORLD_NOTES = 4096,
    WORLD_QUARANTINE_MAX = 512,
    WORLD_ERASURES_MAX = 1024,
    WORLD_KEYS = 256,
    WORLD_PEOPLE_MAX = 900
};

struct world_key { /* an Idempotency-Key that was used */
    char key[32];
    uint64_t fingerprint, sequence;
    int64_t at_us;
};

struct world_quarantined {
    uint64_t sequence;
    char text[200];
    bool scrubbed; /* goes with the end of the next erasure */
};

struct world_erasure {
    uint64_t sequence;
    size_t entries;
    bool scrubbed, done;
    struct ref_identifier ids[64]; /* current ones, at that time */
    size_t id_count;
};

struct world {
    uint64_t seed;
    struct prng prng;
    struct random_source random;
    const struct file_system *files; /* NULL: posix */
    char path[256];
    struct data_folder folder;
    struct engine *engine;
    struct reference ref;
    struct settings *settings;
    struct arena arena; /* of one step */
    int64_t now_us, received_us, ticks;
    uint64_t last_sequence, steps, records;
    struct world_quarantined quarantined[WORLD_QUARANTINE_MAX];
    size_t quarantined_count;
    struct world_erasure *erasures;
    size_t erasure_count;
    struct world_key keys[WORLD_KEYS];
    size_t key_count;
    uint64_t next_message, next_key;
    uint64_t erased;          /* people */
    char *notes[WORLD_NOTES]; /* the last operations */
    uint64_t note_count;
    unsigned erase_weight; /* of 1,000 operations; 0: nobody is erased */
    /* NULL: rules only. Everything is classified before it is compared */
    const struct classifier *classifier;
    bool keep_folder; /* never starts from the log alone */
    /* may be NULL: called for each submission that was taken; last_sequence is its end */
    void (*took)(struct world *world);
    void *owner;
};

/* A new folder, or this one, which must be empty. */
void world_open(struct world *world, uint64_t seed, const char *path);
/* Opens the folder there is: what a start does. */
void world_start(struct world *world);
void world_stop(struct world *world);
void world_close(struct world *world);

/* One random operation. */
void world_step(struct world *world);
/* A hash of everything an engine answers. */
uint64_t world_digest(const struct engine *engine);
/* Everything the engine answers against the reference. */
void world_compare(struct world *world);

/* ---- single operations, for tests that choose them ---- */
void world_ingest(struct world *world);
/* Gives them to the engine and sees that each is answered; the reference is not told. */
void world_commit(struct world *world, struct submission **submissions, size_t count);
void world_checkpoint(struct world *world);
void world_scrub(struct world *world);
void world_reopen(struct world *world, bool checkpoint_first, bool delete_checkpoint);
void world_verify(struct world *world);

__attribute__((noreturn, format(printf, 3, 4))) void world_fail(struct world *world,
                                                                uint32_t person, const char *format,
                                                                ...);
__attribute__((format(printf, 2, 3))) void world_note(struct world *world, const char *format, ...);

/* input.c: random input. */
struct input {
    char text[2048];
    size_t length;
    struct draft draft;
    struct record record;
};
extern const char *const input_settings;
struct slice input_source(struct world *world);
/* A JSON record; false when the ETL refuses it (never, by construction: fails the test). */
void input_record(struct world *world, struct input *out);
/* A header and `count` rows. */
void input_table(struct world *world, struct input *out, size_t count);
size_t input_patch(struct world *world, char *out, size_t room);
/* Identifier number `at` of all there can be; false behind the last one. */
bool input_identifier(size_t at, uint8_t *type, char out[REF_TEXT]);
/* Some cohort's rules. */
const struct ref_rules *input_rules(struct world *world);
/* Has an opinion about every interest there can be. */
const struct classifier *input_classifier(void);
const char *input_interest(struct world *world);
struct csv_header;
extern struct csv_header *input_header;

#endif
