/* builder.h: a record while it is being read. Whoever reads (JSON, CSV, mapping) hands over each
 * value with its target; the rules of cleansing live here and in cleanse.c, once for all formats.
 *
 * Every build_* call returns ERR_OK when reading goes on (the value was taken, or dropped with a
 * warning), ERR_INVALID or ERR_TOO_LARGE with builder->error when the whole record is refused,
 * ERR_MEMORY.
 *
 * `path` is where the value stands, as the client wrote it.
 * Threading: one record, one thread. */
#ifndef KINDRED_INGEST_BUILDER_H
#define KINDRED_INGEST_BUILDER_H

#include "base/arena.h"
#include "ingest/record.h"
#include "names.h"
#include "text.h"

enum { WAITING_PHONES_MAX = 4 };

/* A dotted path from its last key up. Few values need it as a text (a warning, an attribute's
 * name), so it is written out by path_text when one does. Lies on the stack of whoever walks the
 * input: borrowed during a call. */
struct path {
    const struct path *up; /* NULL: a key of the record itself */
    struct slice key;
};

struct builder {
    struct arena *arena;
    const struct settings *settings;
    struct record *out;
    struct record_error *error;
    const char *phone_country; /* "": the settings' default */
    size_t waiting_phone_count;
    bool is_patch;
    size_t identifier_room, field_room, interest_room, item_room, warning_room;
    struct slice *interest_folds;          /* parallel to out->interests */
    uint8_t field_at[FIELD_BUILTIN_COUNT]; /* index + 1 into out->fields */
    /* country_find of FIELD_COUNTRY's text; a name it gave is found again as the same */
    const struct country *country;
    uint64_t attribute_seen[8]; /* a bit per hashed attribute name: clear means new */
    uint64_t item_seen[8];
    bool out_of_memory; /* where no err could be returned; builder_finish does */
    bool repeated_interests_warned, repeated_items_warned;
    const char *lost_code; /* why the first unusable identifier was dropped */
    const char *lost_message;
    struct slice lost_path;
    /* Phones without a calling code wait for the record's country, which may come after them. Last,
     * so that beginning a record need not clear it. */
    struct waiting_phone {
        struct slice path, typed; /* in the arena */
    } waiting_phones[WAITING_PHONES_MAX];
};

void builder_init(struct builder *builder, struct arena *arena, const struct settings *settings,
                  struct record *out, struct record_error *error);

err build_text(struct builder *builder, struct target target, const struct path *path,
               struct slice text) MUST_USE;
err build_integer(struct builder *builder, struct target target, const struct path *path,
                  int64_t integer) MUST_USE;
/* An integer that only its decimal text can hold (over 63 bits). */
err build_big_integer(struct builder *builder, struct target target, const struct path *path,
                      struct slice digits) MUST_USE;
err build_number(struct builder *builder, struct target target, const struct path *path,
                 double number) MUST_USE;
err build_bool(struct builder *builder, struct target target, const struct path *path,
               bool boolean) MUST_USE;
err build_null(struct builder *builder, struct target target, const struct path *path) MUST_USE;
/* A member of a list. */
err build_item(struct builder *builder, struct target target, const struct path *path,
               struct slice text) MUST_USE;

/* A cell of a table: a text that may be a number or a truth value when it is an attribute. Empty:
 * nothing. */
err build_cell(struct builder *builder, struct target target, const struct path *path,
               struct slice text) MUST_USE;

/* After the last value: states need the country, and somebody must be meant. */
err builder_finish(struct builder *builder) MUST_USE;

/* The path with its dots; borrowed from the input or the arena. "" for NULL. */
struct slice path_text(struct builder *builder, const struct path *path);

/* ---- for the rules (cleanse.c) ---- */

void builder_warn(struct builder *builder, const struct path *path, const char *code,
                  const char *message);
err builder_field(struct builder *builder, enum field field, struct value value) MUST_USE;
err builder_field_text(struct builder *builder, enum field field, struct slice text) MUST_USE;
err builder_attribute(struct builder *builder, const struct path *path,
                      struct value value) MUST_USE;
err builder_interest(struct builder *builder, const struct path *path, struct slice text) MUST_USE;
err builder_add_item(struct builder *builder, const struct path *path, struct slice text) MUST_USE;
err builder_identifier(struct builder *builder, uint8_t type, const struct path *path,
                       struct slice typed) MUST_USE;
/* What a text of some kind may be. */
struct text_rule {
    enum text_style style;
    size_t max_bytes;
};
/* The clean text; empty when it said nothing (null clears), or is to be left away: then a warning
 * was given, or there was no memory, which builder_finish will say. */
struct slice builder_text(struct builder *builder, const struct path *path, struct slice in,
                          const struct text_rule *rule) MUST_USE;
const struct value *builder_field_value(const struct builder *builder, enum field field);

/* Fills *error and returns e. */
err record_fail(struct record_error *error, err e, const char *code, struct slice field,
                uint64_t position, const char *message);

/* Rules for one text or integer of the schema. */
err cleanse_text(struct builder *builder, enum field field, const struct path *path,
                 struct slice text) MUST_USE;
err cleanse_integer(struct builder *builder, enum field field, const struct path *path,
                    int64_t integer) MUST_USE;
err cleanse_location(struct builder *builder, const struct path *path, struct slice text) MUST_USE;
err cleanse_state(struct builder *builder) MUST_USE;

#endif
