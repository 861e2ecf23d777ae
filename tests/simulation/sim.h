/* sim.h: one simulated deployment: the engine and its storage on a virtual disk and clock, several
 * virtual clients, and the rules beside them (tests/model). All of it follows from one seed.
 *
 *   sim_run(seed):  start ─▶ step … ─▶ crash, kill or stop ─▶ start (which may itself be cut short, three deep) ─▶ …
 *
 * What a client asks for is an op. It is told to the reference when it is acknowledged; an op whose
 * answer nobody got is in doubt, and the next start decides: it is there whole or not at all, and
 * never without those before it.
 *
 * Threading: one. A violation prints what is wrong and the command that repeats it, and ends the
 * program. */
#ifndef KINDRED_TESTS_SIMULATION_SIM_H
#define KINDRED_TESTS_SIMULATION_SIM_H

#include "disk.h"
#include "engine/engine.h"
#include "model/world.h"
#include "trace_hash.h"

enum { OPS_MAX = 4, BATCH_MAX = 6, DOUBT_MAX = 8, ERASED_ENTRIES_MAX = 96, ERASURES_MAX = 16 };

enum op_kind {
    OP_RECORDS,
    OP_QUARANTINE,
    OP_RETRY,
    OP_PATCH,
    OP_PUT,
    OP_DELETE,
    OP_FEEDBACK,
    OP_ERASE,
    OP_ERASE_DONE
};

/* Lives in the world's arena, until it is decided. */
struct op {
    enum op_kind kind;
    struct submission submission;
    err expected;
    size_t entries; /* that it becomes */
    bool answered;  /* `done` was called while the machine was alive */
    bool acknowledged;
    bool later; /* a key that is known: nothing may be appended */
    struct input *inputs;
    struct draft *drafts;
    size_t draft_count;
    struct world_key *key; /* NULL: without */
    char answer[48];
    struct record patch;
    struct ref_cohort cohort;
    const char *name, *positive, *negative;
    struct world_quarantined quarantined;
    uint64_t sequence; /* of the quarantined entry or the erasure that it ends */
};

struct erased { /* beside world.erasures[] of the same index */
    uint64_t entries[ERASED_ENTRIES_MAX];
    size_t entry_count;
    bool scrubbed; /* the job said so */
};

struct sim {
    uint64_t seed, steps, lives;
    struct trace_hash trace;
    struct disk disk;
    struct world world; /* engine, reference, clock, pools; see model/world.h */
    bool with_checkpoint;
    struct engine_snapshot *snapshot; /* being written */
    bool checkpoint_failed;           /* a call of LMDB's failed in this life */
    bool running;
    uint64_t segment_bytes;
    int64_t floor_us; /* no entry may be received before */
    struct op *doubt[DOUBT_MAX];
    size_t doubt_count;
    struct erased erased[ERASURES_MAX];
    struct world_key *unanswered[8]; /* keys to try again */
    size_t unanswered_count;
    uint64_t safe_bytes; /* of the last segment: durable, and a later frame says so */
    char safe_file[DISK_PATH_MAX];
    /* For the summary. */
    uint64_t crashes, deep_crashes, refused_starts, full_disks, failed_stops, flips, checkpoints,
        scrubs, retries, acknowledged;
    size_t crash_depth;
};

extern const char *sim_program; /* argv[0] */
extern struct sim *sim_current;

/* The whole life of one seed; the summary is added up in `sim`. Returns the hash of the trace. */
uint64_t sim_run(struct sim *sim, uint64_t seed, bool print);

__attribute__((noreturn, format(printf, 2, 3))) void sim_fail(struct sim *sim, const char *format,
                                                              ...);

/* ---- machine.c: starting, stopping, crashing ---- */
void machine_start(struct sim *sim);
void machine_stop(struct sim *sim);
void machine_crash(struct sim *sim, bool power);
void machine_flip(struct sim *sim);
bool machine_failed(const struct sim *sim); /* dead, or stopped for good */
/* The checker reads: nothing fails meanwhile. */
err quiet_entry(struct sim *sim, uint64_t sequence, struct log_entry *out);
void check_everything(struct sim *sim);
void check_scrubbed(struct sim *sim);

/* ---- ops.c ---- */
struct op *op_make(struct sim *sim, enum op_kind kind);
/* Gives them to the engine and judges each answer. */
void ops_commit(struct sim *sim, struct op **ops, size_t count);
/* It is in the log: the rules are told. */
void op_apply(struct sim *sim, struct op *op, uint64_t first_sequence);
/* After a start: which of those in doubt are there. */
void ops_decide(struct sim *sim, uint64_t last_sequence);

/* ---- steps.c: what clients and the machine do ---- */
void sim_step(struct sim *sim);

static inline uint64_t sim_dice(struct sim *sim, uint64_t sides)
{
    return prng_below(&sim->world.prng, sides);
}
static inline void sim_event(struct sim *sim, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    trace_event(&sim->trace, what, a, b, c);
}

#endif
