/* erasure_ledger.h: which entries of a log have been erased, without a byte of what stood in them.
 *
 * An older copy of a log still holds people who have been erased since. The ledger of a newer copy
 * says which entries to scrub in the older one: the same entry has the same sequence and the same
 * salted digest in every copy, also after its bytes are gone (and without the salt, which goes with
 * them, nobody can confirm a guess by the digest). The entry must match in both, so a ledger does
 * no harm to a log that was restored to an earlier point and then went another way under the same
 * numbers.
 *
 * And it carries the ENTRY_ERASE of those erasures that say what a fold needs of the entries
 * (ERASE_GHOSTS; the engine's format, without a byte of the person): an older copy that ends before
 * them gets them when it is restored.
 *
 * It is not a truth of its own: it is what the scrubbed entries of a log say, gathered. Every
 * backup carries one (erasures-CRC.ledger); restore also gathers it from a data folder.
 *
 *   file: 0 magic "KNDRDERA"   8 u32 version (1, with erasures 2)   12 u32 unfinished   16 log id[16]   32 u64 last_sequence   40 u64 count
 *         48 unfinished × u64 sequence, then count × { u64 sequence, u8 created_person, 7 zeros, digest[16] }, then
 *         (version 2) u32 erasures × { u64 sequence, u32 length, payload }, then u32 crc32c of all
 *         before. Little-endian.
 *
 * An erasure is unfinished while its ENTRY_ERASE_KEYS is not scrubbed: some of its entries may be
 * in clear still.
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_STORAGE_ERASURE_LEDGER_H
#define KINDRED_STORAGE_ERASURE_LEDGER_H

#include "base/buffer.h"
#include "storage/file.h"
#include "storage/log.h"

enum { LOG_ID_BYTES = 16, LEDGER_DIGEST_BYTES = 16 };

struct erased_entry {
    uint64_t sequence;
    bool created_person;
    uint8_t digest[LEDGER_DIGEST_BYTES]; /* the first half of the entry's */
};

struct ledger_erasure {
    uint64_t sequence;    /* of the ENTRY_ERASE */
    struct slice payload; /* owned */
};

/* Zeroed is empty. */
struct erasure_ledger {
    /* says which log, across copies; follows from its first segment */
    uint8_t log_id[LOG_ID_BYTES];
    uint64_t last_sequence;       /* how far that log was looked at */
    struct erased_entry *entries; /* ascending */
    size_t count, capacity;
    uint64_t *unfinished; /* sequences of ENTRY_ERASE_KEYS, ascending */
    size_t unfinished_count, unfinished_capacity;
    struct ledger_erasure *erasures; /* ascending */
    size_t erasures_count, erasures_capacity;
};

void erasure_ledger_deinit(struct erasure_ledger *ledger);

/* Index of the first entry at or behind the sequence. */
size_t erasure_ledger_find(const struct erasure_ledger *ledger, uint64_t sequence);

/* All must come in ascending order. */
err erasure_ledger_add(struct erasure_ledger *ledger, const struct erased_entry *entry,
                       struct error *error) MUST_USE;
err erasure_ledger_add_unfinished(struct erasure_ledger *ledger, uint64_t sequence,
                                  struct error *error) MUST_USE;

/* Copies the payload. */
err erasure_ledger_add_erasure(struct erasure_ledger *ledger, uint64_t sequence,
                               struct slice payload, struct error *error) MUST_USE;

void erasure_ledger_encode(const struct erasure_ledger *ledger, struct buffer *out);
/* ERR_CORRUPT when it is not what was written; `name` is for the message. */
err erasure_ledger_decode(struct slice bytes, const char *name, struct erasure_ledger *out,
                          struct error *error) MUST_USE;

/* From a backup (the ledger its manifest names), a data folder that no process uses (gathered from
 * its log; every byte is checked on the way), or such a file. ERR_NOT_FOUND when it is none of
 * them, ERR_LOCKED when the folder is in use. */
err erasure_ledger_load(const struct file_system *files, const char *path,
                        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                        void *context, struct erasure_ledger *out, struct error *error) MUST_USE;

#endif
