/* profile.h: one person's profile as one immutable packed blob, and as a struct to work on.
 *
 *   blob ──profile_unpack──▶ struct profile (arena) ──apply a record──▶ ──profile_pack──▶ new blob
 *     └──profile_view_*──▶ answers without unpacking
 *
 * The blob is what RAM holds, what LMDB stores, and what answers are written from. It is never
 * changed: a change writes a new one and swaps the pointer. Small on purpose: categorical texts and
 * source names are ids of the names table, provenance is kept once per contributing entry
 * ("origin") and referred to by a small number, sequences are delta-coded. The sample record of the
 * README takes about 125 bytes. The encoding is canonical: one profile has one blob, so blobs can
 * be compared as bytes. The layout is at the top of profile.c.
 *
 * Provenance and conflicts. Every identifier, field, item and interest says which origin set it.
 * The newest origin wins: by event time, then source priority, then sequence (the caller compares).
 * A clear (null) stays as VALUE_NULL with its origin, so that a late record cannot bring the old
 * value back.
 *
 * Threading: any; blobs are immutable. Outside bytes: profile_validate before a blob from disk is
 * trusted; after that the readers CHECK. */
#ifndef KINDRED_STORAGE_PROFILE_H
#define KINDRED_STORAGE_PROFILE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"
#include "ingest/record.h"

enum { PROFILE_FORMAT_VERSION = 1, PROFILE_BLOB_MAX = 16 * 1024 * 1024 };

/* One log entry that something in the profile still comes from. */
struct profile_origin {
    uint64_t sequence;
    int64_t event_time_us;
    uint32_t source_id; /* names table */
};

struct profile_identifier {
    uint8_t type;
    bool moved;      /* another person uses it now: shown in the history, does not lead here */
    uint32_t origin; /* index into origins: the entry that linked it first */
    struct slice value;
};

/* A text whose values repeat from person to person is a category: an id of the names table. */
enum profile_value_kind {
    PROFILE_NULL = VALUE_NULL,
    PROFILE_BOOL = VALUE_BOOL,
    PROFILE_INTEGER = VALUE_INTEGER,
    PROFILE_NUMBER = VALUE_NUMBER,
    PROFILE_TEXT = VALUE_TEXT,
    PROFILE_CATEGORY = 5,
};

struct profile_value {
    enum profile_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct slice text;
        uint32_t category_id;
    };
};

struct profile_field {
    uint32_t name_id; /* enum field below FIELD_BUILTIN_COUNT, otherwise names table */
    uint32_t origin;
    struct profile_value value;
};

struct profile_item { /* member of a set-valued attribute */
    uint32_t name_id;
    uint32_t origin;
    struct slice text;
};

struct profile_interest {
    uint32_t phrase_id;
    uint32_t origin; /* the newest entry that named it */
};

/* A person number that was merged into this one, and the entry that had made it. */
struct profile_absorbed {
    uint32_t number;
    uint64_t created_sequence;
};

/* Arrays live in the caller's arena. */
struct profile {
    uint32_t number;
    int64_t created_at_us;     /* received-at of the first entry */
    int64_t updated_at_us;     /* received-at of the newest entry */
    uint64_t created_sequence; /* the entry that made this number */
    struct profile_origin *origins;
    size_t origin_count;
    struct profile_identifier *identifiers;
    size_t identifier_count;
    struct profile_field *fields; /* ascending by name_id, each once */
    size_t field_count;
    struct profile_item *items;
    size_t item_count;
    struct profile_interest *interests; /* in order of arrival */
    size_t interest_count;
    /* all entries about this person, each once, ascending; older ones of a heavy profile are in
     * history chunks */
    uint64_t *sequences;
    size_t sequence_count;
    uint32_t history_chunks; /* how many chunks of older sequences stand in TABLE_HISTORY */
    struct profile_absorbed *absorbed;
    size_t absorbed_count;
};

/* Appends the blob to `out` (errors stick there; nothing was appended then: memory, the buffer's
 * maximum, or PROFILE_BLOB_MAX). Origins are put in order, equal ones become one, unreferenced ones
 * are dropped and the rest renumbered. The blob begins with its own length, so a pointer to it is
 * enough. */
void profile_pack(const struct profile *profile, struct buffer *out);

/* Texts are borrowed from the blob, arrays from the arena, which have room for `spare` more
 * elements each, so that applying one record appends without copying. ERR_MEMORY only (the blob is
 * trusted). */
err profile_unpack(struct arena *arena, const void *blob, size_t spare,
                   struct profile *out) MUST_USE;

size_t profile_blob_bytes(const void *blob);
uint32_t profile_blob_number(const void *blob);

/* For bytes from a disk: ERR_CORRUPT with the offset and what is wrong (ERR_MEMORY on a blob of
 * thousands of origins when memory is out). A blob it accepts is exactly what profile_pack makes of
 * what profile_unpack reads from it. */
err profile_validate(struct slice bytes, struct error *error) MUST_USE;

/* Does the blob hold this identifier, not moved? The lookup path: touches the head of the blob
 * only. */
bool profile_has_identifier(const void *blob, uint8_t type, struct slice value);

/* ---- reading in place, in the blob's order; each *_next returns false at the end ---- */

struct profile_view {
    const void *blob;
    uint32_t number;
    int64_t created_at_us;
    int64_t updated_at_us;
    uint64_t created_sequence;
    uint32_t history_chunks;
    uint32_t origin_count, identifier_count, field_count, item_count, interest_count,
        sequence_count, absorbed_count;
    /* where the sections start and the last one ends, private to profile_view.c */
    const uint8_t *section[8];
};
void profile_view_open(const void *blob, struct profile_view *view);

/* What the answer about a person shows by default, found in one pass: the first cookie and e-mail
 * that have not moved (identifiers are sorted), and the fields from FIELD_CITY to FIELD_GENDER.
 * Absent: no data, and VALUE_NULL. */
enum { PROFILE_GLANCE_FIELDS = FIELD_GENDER + 1 };
struct profile_glance {
    struct slice cookie, email;
    struct profile_value fields[PROFILE_GLANCE_FIELDS];
};
void profile_glance(const struct profile_view *view, struct profile_glance *out);

/* Its members are private to profile_view.c. */
struct profile_cursor {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t left;
    uint32_t origin;
    uint64_t previous;
    int64_t previous_time_us;
};
struct profile_cursor profile_identifiers(const struct profile_view *view);
bool profile_identifier_next(struct profile_cursor *cursor, struct profile_identifier *out);
struct profile_cursor profile_fields(const struct profile_view *view);
bool profile_field_next(struct profile_cursor *cursor, struct profile_field *out);
struct profile_cursor profile_items(const struct profile_view *view);
bool profile_item_next(struct profile_cursor *cursor, struct profile_item *out);
struct profile_cursor profile_interests(const struct profile_view *view);
bool profile_interest_next(struct profile_cursor *cursor, struct profile_interest *out);
/* The phrase ids of the next interests, at most `max` of them; 0 at the end. */
uint32_t profile_interest_ids(struct profile_cursor *cursor, uint32_t *ids, uint32_t max);
/* Ascending by sequence, then event time, then source: the position in this order is what `origin`
 * counts. */
struct profile_cursor profile_origins(const struct profile_view *view);
bool profile_origin_next(struct profile_cursor *cursor, struct profile_origin *out);
struct profile_cursor profile_sequences(const struct profile_view *view);
bool profile_sequence_next(struct profile_cursor *cursor, uint64_t *out);
struct profile_cursor profile_absorptions(const struct profile_view *view);
bool profile_absorbed_next(struct profile_cursor *cursor, struct profile_absorbed *out);

#endif
