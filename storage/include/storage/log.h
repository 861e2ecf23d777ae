/* log.h: the append-only log behind one small interface: append a batch, sync, read from a
 * sequence.
 *
 * The log is the truth; profiles, identities, bitmaps and LMDB are a fold over it. An entry is one
 * change: a record as it came, a patch, a cohort definition, an erasure. Sequences start at 1 and
 * have no holes. Where the log lives is the implementation's business: rawlog.h keeps it in a local
 * folder; a stream server can take its place.
 *
 * Threading: append, sync, scrub by the one writer. log_get and readers from any thread at any
 * time; they see every entry whose append has returned. */
#ifndef KINDRED_STORAGE_LOG_H
#define KINDRED_STORAGE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

/* Stored: numbers never change meaning. */
enum entry_kind {
    ENTRY_RECORD = 1, /* one person's record, in its original bytes */
    /* dialect and header line that following rows of the batch refer to */
    ENTRY_CSV_HEADER = 2,
    ENTRY_MAPPING = 3,        /* a mapping's JSON */
    ENTRY_SETTINGS = 4,       /* settings JSON, valid from here on */
    ENTRY_QUARANTINE = 5,     /* bytes that were not taken, and why */
    ENTRY_QUARANTINE_END = 6, /* a quarantined entry was retried or dropped */
    ENTRY_PATCH = 7,          /* a steward's correction */
    ENTRY_COHORT_PUT = 8,     /* a cohort definition */
    ENTRY_COHORT_DELETE = 9,
    ENTRY_ERASE = 10,      /* a person was removed */
    ENTRY_ERASE_DONE = 11, /* the raw bytes of an erasure are scrubbed */
    ENTRY_RECEIPT = 12,    /* an Idempotency-Key and the answer it got */
    /* what the erased person was called: follows its ERASE, scrubbed with the rest */
    ENTRY_ERASE_KEYS = 13,
    ENTRY_KIND_MAX = 14,
};

/* `format` of an ENTRY_ERASE. Stored. */
enum erase_format {
    ERASE_PLAIN = 0, /* numbers of entries */
    /* and what a fold needs of them: a ledger carries these to older copies (erasure_ledger.h) */
    ERASE_GHOSTS = 1,
    /* logged again by a restore: stands for entries that are scrubbed, nothing else */
    ERASE_AGAIN = 2,
};

/* What the caller appends and what it gets back when reading. */
struct log_entry {
    uint64_t sequence; /* given by append; filled on reading */
    /* the caller's clock; never goes back from entry to entry (append CHECKs) */
    int64_t received_at_us;
    uint64_t mapping_sequence; /* the ENTRY_MAPPING it is read with; 0: none */
    uint16_t etl_version;
    uint8_t kind;   /* enum entry_kind */
    uint8_t format; /* enum record_format, enum erase_format, or 0 */
    /* how many entries before this one its CSV header stands, in the same batch; 0: none */
    uint32_t header_back;
    struct slice source;  /* where it came from, at most 64 bytes */
    struct slice payload; /* original bytes, at most LOG_PAYLOAD_MAX */
    /* On reading only: */
    /* payload and source were erased; the entry keeps its place in the chain */
    bool scrubbed;
    /* with scrubbed: applying the original made a new person, so replay must count it */
    bool created_person;
};

enum { LOG_SOURCE_MAX = 64, LOG_PAYLOAD_MAX = 2 * 1024 * 1024, LOG_BATCH_COUNT_MAX = 65536 };
static const uint64_t LOG_BATCH_BYTES_MAX = 64ull * 1024 * 1024;

struct log_position {
    uint64_t last_sequence;    /* newest appended; 0 when empty */
    uint64_t durable_sequence; /* everything up to here survives power loss */
    uint64_t bytes;            /* of all segments */
};

/* For scrubbing: what to erase and what has to stay behind for replay. */
struct log_scrub {
    uint64_t sequence;
    bool created_person;
};

struct log;
struct log_reader;

struct log_ops {
    /* One batch: after a crash it is there whole or not at all. Copies what it needs before it
     * returns. Not durable until log_sync. *first_sequence gets the sequence of entries[0]; the
     * others follow without holes. ERR_TOO_LARGE, ERR_MEMORY and ERR_NO_SPACE leave the log as it
     * was before the batch (the last two may be tried again). After any other failure the log
     * refuses every further append, sync and scrub with the same error. */
    err (*append)(struct log *log, struct log_entry *entries, size_t count,
                  uint64_t *first_sequence, struct error *error);
    /* Everything appended so far is durable when this returns ERR_OK. Never retried after a
     * failure. */
    err (*sync)(struct log *log, struct error *error);
    struct log_position (*position)(struct log *log);
    /* One entry; slices live in the arena. ERR_NOT_FOUND beyond the end, ERR_CORRUPT when its
     * checksum fails. */
    err (*get)(struct log *log, uint64_t sequence, struct arena *arena, struct log_entry *out,
               struct error *error);
    /* A reader over [from, last appended at each call]. Owned by caller. */
    err (*reader_create)(struct log *log, uint64_t from_sequence, struct log_reader **out,
                         struct error *error);
    /* ERR_END at the end (call again later); slices are borrowed until the next call. `batch_end`
     * (may be NULL) is true on a batch's last entry. */
    err (*reader_next)(struct log_reader *reader, struct log_entry *out, bool *batch_end,
                       struct error *error);
    void (*reader_destroy)(struct log_reader *reader);
    /* Erases payload, source and salt of the given entries (sorted by sequence) from every file,
     * crash-safe and idempotent: when it returns ERR_OK the bytes are gone from the folder,
     * durably, and the chain still verifies. ERR_NO_SPACE, ERR_MEMORY and ERR_CORRUPT (of an entry
     * in the way) change nothing in the segment at hand. May run in a thread beside the writer; a
     * reader may still give entries it had read before. Lengths stay. */
    err (*scrub)(struct log *log, const struct log_scrub *items, size_t count, struct error *error);
    void (*close)(struct log *log);
};

/* Every implementation's struct begins with this. */
struct log {
    const struct log_ops *ops;
};

#endif
