#include "builder.h"

#include <stdio.h>

#include "base/hash.h"
#include "datetime.h"
#include "identifier.h"
#include "ingest/limits.h"
#include "number.h"
#include "phone.h"
#include "places.h"
#include "text.h"

static const struct value null_value = {.kind = VALUE_NULL};

err record_fail(struct record_error *error, err e, const char *code, struct slice field,
                uint64_t position, const char *message)
{
    if (error != NULL) {
        *error = (struct record_error){.err = e, .position = position};
        struct slice shown = text_cut(field, sizeof error->field - 1);
        if (shown.length > 0) {
            memcpy(error->field, shown.data, shown.length);
        }
        snprintf(error->code, sizeof error->code, "%s", code);
        snprintf(error->message, sizeof error->message, "%s", message);
    }
    return e;
}

/* Nearly every record has some of these: their first arrays come in one piece. */
struct first_arrays {
    struct record_field fields[8];
    struct record_identifier identifiers[4];
    struct slice interests[4], interest_folds[4];
};

static void take_first_arrays(struct builder *b)
{
    struct first_arrays *first = arena_alloc(b->arena, sizeof *first);
    if (first == NULL) {
        return; /* then each is asked for when it is needed, and fails there if it must */
    }
    b->out->fields = first->fields;
    b->field_room = ARRAY_COUNT(first->fields);
    b->out->identifiers = first->identifiers;
    b->identifier_room = ARRAY_COUNT(first->identifiers);
    b->out->interests = first->interests;
    b->interest_folds = first->interest_folds;
    b->interest_room = ARRAY_COUNT(first->interests);
}

void builder_init(struct builder *builder, struct arena *arena, const struct settings *settings,
                  struct record *out, struct record_error *error)
{
    *out = (struct record){0};
    memset(builder, 0, offsetof(struct builder, waiting_phones));
    builder->arena = arena;
    builder->settings = settings;
    builder->out = out;
    builder->error = error;
    builder->phone_country = "";
    take_first_arrays(builder);
}

OUTLINED static void *grow_now(struct arena *arena, const void *old, size_t count, size_t *room,
                               size_t element_bytes)
{
    size_t more = *room == 0 ? 8 : *room * 2;
    void *block = arena_alloc(arena, more * element_bytes);
    if (block != NULL) {
        if (count > 0) {
            memcpy(block, old, count * element_bytes);
        }
        *room = more;
    }
    return block;
}

/* Room for one more; the old array is left to the arena. */
static inline void *grow(struct arena *arena, void *old, size_t count, size_t *room,
                         size_t element_bytes)
{
    return count < *room ? old : grow_now(arena, old, count, room, element_bytes);
}

void builder_warn(struct builder *b, const struct path *path, const char *code, const char *message)
{
    struct record *out = b->out;
    if (out->warning_count == WARNING_COUNT_MAX) {
        return;
    }
    struct record_warning *grown =
        grow(b->arena, out->warnings, out->warning_count, &b->warning_room, sizeof *grown);
    if (grown == NULL) {
        b->out_of_memory = true;
        return;
    }
    out->warnings = grown;
    out->warnings[out->warning_count++] = (struct record_warning){
        text_cut(path_text(b, path), KEY_BYTES_MAX), code, slice_from_cstr(message)};
}

struct slice path_text(struct builder *b, const struct path *path)
{
    if (path == NULL) {
        return SLICE_LITERAL("");
    }
    if (path->up == NULL) {
        return path->key;
    }
    size_t length = 0;
    for (const struct path *p = path; p != NULL; p = p->up) {
        length += p->key.length + (p->up != NULL);
    }
    char *text = arena_alloc(b->arena, length);
    if (text == NULL) {
        b->out_of_memory = true;
        return path->key;
    }
    size_t at = length;
    for (const struct path *p = path; p != NULL; p = p->up) {
        at -= p->key.length;
        memcpy(text + at, p->key.data, p->key.length);
        if (p->up != NULL) {
            text[--at] = '.';
        }
    }
    return slice_of(text, length);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static const struct text_rule interest_rule = {TEXT_COLLAPSE, INTEREST_BYTES_MAX};
static const struct text_rule item_rule = {TEXT_COLLAPSE, ITEM_BYTES_MAX};
static const struct text_rule message_id_rule = {TEXT_PLAIN, MESSAGE_ID_BYTES_MAX};
static const struct text_rule attribute_rule = {TEXT_PLAIN, TEXT_BYTES_MAX};

static bool holds_nul(struct slice text)
{
    return !text_is_plain(text) && memchr(text.data, '\0', text.length) != NULL;
}

OUTLINED static struct slice clean_text(struct builder *b, const struct path *path, struct slice in,
                                        const struct text_rule *rule)
{
    struct slice out = SLICE_NONE;
    if (holds_nul(in)) {
        builder_warn(b, path, "nul_character", "The text holds U+0000 and was left away.");
    } else if (text_clean(b->arena, in, rule->style, &out) != ERR_OK) {
        b->out_of_memory = true;
        out = SLICE_NONE;
    } else if (out.length > rule->max_bytes) {
        builder_warn(b, path, "text_too_long", "The text is over its limit and was left away.");
        out = SLICE_NONE;
    }
    return out;
}

struct slice builder_text(struct builder *b, const struct path *path, struct slice in,
                          const struct text_rule *rule)
{
    /* What clean_text gives for a plain text within the limit: that holds no U+0000, and cleaning
     * it is trimming it. */
    if (in.length <= rule->max_bytes && text_is_plain(in)) {
        return text_trim_blanks(in);
    }
    return clean_text(b, path, in, rule);
}

/* ---- fields and attributes ------------------------------------------------------------------- */

/* The value of a new field, to be filled; NULL when memory is out. */
static inline struct value *append_field(struct builder *b, enum field field, struct slice name)
{
    struct record *out = b->out;
    struct record_field *grown =
        grow(b->arena, out->fields, out->field_count, &b->field_room, sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    out->fields = grown;
    struct record_field *added = &grown[out->field_count++];
    added->field = field;
    added->name = name;
    return &added->value;
}

const struct value *builder_field_value(const struct builder *b, enum field field)
{
    size_t at = b->field_at[field];
    return at == 0 ? NULL : &b->out->fields[at - 1].value;
}

/* A field under two spellings ("zip" and "postal_code"): the later one counts. */
static inline struct value *field_value(struct builder *b, enum field field)
{
    size_t at = b->field_at[field];
    if (at > 0) {
        return &b->out->fields[at - 1].value;
    }
    struct value *value = append_field(b, field, SLICE_NONE);
    if (value != NULL) {
        b->field_at[field] = (uint8_t)b->out->field_count;
    }
    return value;
}

err builder_field(struct builder *b, enum field field, struct value value)
{
    struct value *to = field_value(b, field);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    *to = value;
    return ERR_OK;
}

err builder_field_text(struct builder *b, enum field field, struct slice text)
{
    struct record *out = b->out;
    if (b->field_at[field] > 0 || out->field_count == b->field_room) {
        return builder_field(b, field, (struct value){.kind = VALUE_TEXT, .text = text});
    }
    /* What builder_field does with a field that is new and finds room, as nearly all are and do. */
    struct record_field *added = &out->fields[out->field_count++];
    added->field = field;
    added->name = SLICE_NONE;
    added->value.kind = VALUE_TEXT;
    added->value.text = text;
    b->field_at[field] = (uint8_t)out->field_count;
    return ERR_OK;
}

/* True when the bit was set before: look whether it really is the same. */
static bool mark(uint64_t seen[8], uint64_t hash)
{
    uint64_t bit = UINT64_C(1) << (hash & 63);
    uint64_t *word = &seen[hash >> 6 & 7];
    bool was_set = (*word & bit) != 0;
    *word |= bit;
    return was_set;
}

/* ERR_END when it is not usable as a name (a warning was given). */
static err clean_path(struct builder *b, const struct path *path, struct slice *out)
{
    struct slice text = path_text(b, path);
    if (holds_nul(text)) {
        builder_warn(b, NULL, "attribute_name_invalid",
                     "An attribute's name holds U+0000; it was left away.");
        return ERR_END;
    }
    err e = text_clean(b->arena, text, TEXT_COLLAPSE, out);
    if (e != ERR_OK) {
        return e;
    }
    if (out->length == 0 || out->length > KEY_BYTES_MAX) {
        builder_warn(
            b, path, "attribute_name_invalid",
            "An attribute's name must have 1 to 128 bytes with its path; it was left away.");
        return ERR_END;
    }
    return ERR_OK;
}

err builder_attribute(struct builder *b, const struct path *path, struct value value)
{
    struct slice name;
    err e = clean_path(b, path, &name);
    if (e != ERR_OK) {
        return e == ERR_END ? ERR_OK : e;
    }
    if (mark(b->attribute_seen, hash64(name, 0))) {
        for (size_t i = 0; i < b->out->field_count; i++) {
            if (slice_equal(b->out->fields[i].name,
                            name)) { /* "a.b" and {"a": {"b"}}: the later one counts */
                b->out->fields[i].value = value;
                return ERR_OK;
            }
        }
    }
    struct value *to = append_field(b, FIELD_ATTRIBUTE, name);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    *to = value;
    return ERR_OK;
}

err builder_interest(struct builder *b, const struct path *path, struct slice text)
{
    struct slice clean = builder_text(b, path, text, &interest_rule);
    if (clean.length == 0) {
        return ERR_OK;
    }
    struct slice fold;
    err e = text_case_fold(b->arena, clean, &fold);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; i < b->out->interest_count; i++) {
        if (slice_equal(b->interest_folds[i], fold)) {
            return ERR_OK;
        }
    }
    if (b->out->interest_count == INTEREST_COUNT_MAX) {
        if (!b->repeated_interests_warned) {
            b->repeated_interests_warned = true;
            builder_warn(b, path, "too_many_interests",
                         "A record may bring 200 interests; the others were left away.");
        }
        return ERR_OK;
    }
    size_t room = b->interest_room;
    struct slice *interests =
        grow(b->arena, b->out->interests, b->out->interest_count, &room, sizeof *interests);
    struct slice *folds =
        grow(b->arena, b->interest_folds, b->out->interest_count, &b->interest_room, sizeof *folds);
    if (interests == NULL || folds == NULL) {
        return ERR_MEMORY;
    }
    b->out->interests = interests;
    b->interest_folds = folds;
    folds[b->out->interest_count] = fold;
    interests[b->out->interest_count++] = clean;
    return ERR_OK;
}

static bool has_item(const struct builder *b, struct slice name, struct slice text)
{
    for (size_t i = 0; i < b->out->item_count; i++) {
        if (slice_equal(b->out->items[i].text, text) && slice_equal(b->out->items[i].name, name)) {
            return true;
        }
    }
    return false;
}

err builder_add_item(struct builder *b, const struct path *path, struct slice text)
{
    struct slice name;
    err e = clean_path(b, path, &name);
    if (e != ERR_OK) {
        return e == ERR_END ? ERR_OK : e;
    }
    struct slice clean = builder_text(b, path, text, &item_rule);
    if (clean.length == 0) {
        return ERR_OK;
    }
    if (mark(b->item_seen, hash64(clean, 0)) && has_item(b, name, clean)) {
        return ERR_OK;
    }
    if (b->out->item_count == ITEM_COUNT_MAX) {
        if (!b->repeated_items_warned) {
            b->repeated_items_warned = true;
            builder_warn(b, path, "too_many_items",
                         "A record may bring 1,000 list members; the others were left away.");
        }
        return ERR_OK;
    }
    struct record_item *grown =
        grow(b->arena, b->out->items, b->out->item_count, &b->item_room, sizeof *grown);
    if (grown == NULL) {
        return ERR_MEMORY;
    }
    b->out->items = grown;
    b->out->items[b->out->item_count++] = (struct record_item){name, clean};
    return ERR_OK;
}

/* ---- identifiers ----------------------------------------------------------------------------- */

/* Dropped, but the record lives if another identifier is usable. */
static void lose_identifier(struct builder *b, const struct path *path, const char *code,
                            const char *message)
{
    if (b->lost_code == NULL) {
        b->lost_code = code;
        b->lost_message = message;
        b->lost_path = path_text(b, path);
    }
    builder_warn(b, path, code, message);
}

static err take_identifier(struct builder *b, uint8_t type, const struct path *path,
                           struct slice typed, const char *phone_country)
{
    if (b->is_patch) {
        return record_fail(
            b->error, ERR_INVALID, "identifier_in_patch", path_text(b, path), 0,
            "A correction cannot change identifiers; send a record with both to link them.");
    }
    struct slice value;
    struct identifier_problem problem;
    err e =
        identifier_canonical(b->arena, type, typed, phone_country, b->settings, &value, &problem);
    if (e == ERR_UNSUPPORTED) {
        return record_fail(b->error, ERR_INVALID, problem.code, path_text(b, path), 0,
                           problem.message);
    }
    if (e == ERR_INVALID) {
        lose_identifier(b, path, problem.code, problem.message);
    }
    if (e != ERR_OK) {
        return e == ERR_MEMORY ? e : ERR_OK;
    }
    if (settings_identifier_blocked(b->settings, type, value)) {
        lose_identifier(
            b, path, "identifier_blocked",
            "The identifier is on the block list: it stands for many people or for nobody.");
        return ERR_OK;
    }
    struct record *out = b->out;
    for (size_t i = 0; i < out->identifier_count; i++) {
        if (out->identifiers[i].type == type && slice_equal(out->identifiers[i].value, value)) {
            return ERR_OK;
        }
    }
    if (out->identifier_count == IDENTIFIER_COUNT_MAX) {
        return record_fail(b->error, ERR_TOO_LARGE, "too_many_identifiers", path_text(b, path), 0,
                           "A record may bring 64 identifiers; split it.");
    }
    struct record_identifier *grown =
        grow(b->arena, out->identifiers, out->identifier_count, &b->identifier_room, sizeof *grown);
    if (grown == NULL) {
        return ERR_MEMORY;
    }
    out->identifiers = grown;
    out->identifiers[out->identifier_count++] = (struct record_identifier){type, value};
    return ERR_OK;
}

/* Only a mapping that names the phone's country, or the calling code itself, says more than the
 * record's country. */
static bool waits_for_country(const struct builder *b, uint8_t type, struct slice typed)
{
    if (type != IDENTIFIER_PHONE || b->phone_country[0] != '\0' || b->is_patch) {
        return false;
    }
    struct slice trimmed = slice_trim(typed);
    return trimmed.length > 0 && trimmed.data[0] != '+' &&
           b->waiting_phone_count < WAITING_PHONES_MAX;
}

err builder_identifier(struct builder *b, uint8_t type, const struct path *path, struct slice typed)
{
    if (!waits_for_country(b, type, typed)) {
        return take_identifier(b, type, path, typed, b->phone_country);
    }
    struct waiting_phone waiting = {arena_copy(b->arena, path_text(b, path)),
                                    arena_copy(b->arena, typed)};
    if (waiting.path.data == NULL || waiting.typed.data == NULL) {
        return ERR_MEMORY;
    }
    b->waiting_phones[b->waiting_phone_count++] = waiting;
    return ERR_OK;
}

static const char *country_of_record(const struct builder *b)
{
    const struct value *country = builder_field_value(b, FIELD_COUNTRY);
    const struct country *found =
        country != NULL && country->kind == VALUE_TEXT ? b->country : NULL;
    const char *alpha2 = found != NULL ? country_alpha2(found) : "";
    return phone_country_known(alpha2) ? alpha2 : "";
}

static err take_waiting_phones(struct builder *b)
{
    err e = ERR_OK;
    const char *country = b->waiting_phone_count > 0 ? country_of_record(b) : "";
    for (size_t i = 0; e == ERR_OK && i < b->waiting_phone_count; i++) {
        const struct waiting_phone *waiting = &b->waiting_phones[i];
        const struct path path = {NULL, waiting->path};
        e = take_identifier(b, IDENTIFIER_PHONE, &path, waiting->typed, country);
    }
    return e;
}

static unsigned rank_of(const struct settings *settings, uint8_t type)
{
    unsigned rank = 0;
    while (rank < settings->identifier_type_count && settings->priority[rank] != type) {
        rank++;
    }
    return rank;
}

/* Stable, few elements. */
static void sort_identifiers(struct builder *b)
{
    struct record_identifier *ids = b->out->identifiers;
    for (size_t i = 1; i < b->out->identifier_count; i++) {
        struct record_identifier moving = ids[i];
        unsigned rank = rank_of(b->settings, moving.type);
        size_t to = i;
        for (; to > 0 && rank_of(b->settings, ids[to - 1].type) > rank; to--) {
            ids[to] = ids[to - 1];
        }
        ids[to] = moving;
    }
}

err builder_finish(struct builder *b)
{
    err e = b->out_of_memory ? ERR_MEMORY : cleanse_state(b);
    if (e == ERR_OK) {
        e = take_waiting_phones(b);
    }
    if (e != ERR_OK) {
        return e;
    }
    sort_identifiers(b);
    if (b->out->identifier_count > 0 || b->is_patch) {
        return ERR_OK;
    }
    if (b->lost_code != NULL) {
        return record_fail(b->error, ERR_INVALID, b->lost_code, b->lost_path, 0, b->lost_message);
    }
    return record_fail(
        b->error, ERR_INVALID, "identifier_missing", SLICE_LITERAL(""), 0,
        "The record names nobody; give it a cookie, email, phone_number, user_id or device_id.");
}

/* ---- values by target ------------------------------------------------------------------------ */

static struct value text_value(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static err take_timestamp(struct builder *b, const struct path *path, bool valid, int64_t us)
{
    if (!valid) {
        builder_warn(
            b, path, "timestamp_invalid",
            "This is no time from 1970 to 9999 in ISO 8601 or seconds, milliseconds or microseconds since 1970; "
            "the time of arrival counts.");
        return ERR_OK;
    }
    b->out->event_time_us = us;
    return ERR_OK;
}

OUTLINED static err take_timestamp_text(struct builder *b, const struct path *path,
                                        struct slice text)
{
    int64_t us = 0;
    if (slice_trim(text).length == 0) {
        return ERR_OK;
    }
    bool valid = timestamp_parse(text, &us);
    return take_timestamp(b, path, valid, us);
}

OUTLINED static err take_message_id(struct builder *b, const struct path *path, struct slice text)
{
    struct slice clean = builder_text(b, path, text, &message_id_rule);
    if (clean.length > 0) {
        b->out->message_id = clean;
    }
    return ERR_OK;
}

OUTLINED static err take_attribute_text(struct builder *b, const struct path *path,
                                        struct slice text)
{
    struct slice clean = builder_text(b, path, text, &attribute_rule);
    return clean.length == 0 ? ERR_OK : builder_attribute(b, path, text_value(clean));
}

err build_text(struct builder *b, struct target target, const struct path *path, struct slice text)
{
    switch ((enum target_kind)target.kind) {
    case TARGET_IDENTIFIER: return builder_identifier(b, target.number, path, text);
    case TARGET_FIELD: return cleanse_text(b, (enum field)target.number, path, text);
    case TARGET_TIMESTAMP: return take_timestamp_text(b, path, text);
    case TARGET_MESSAGE_ID: return take_message_id(b, path, text);
    case TARGET_LOCATION: return cleanse_location(b, path, text);
    case TARGET_IGNORED: return ERR_OK;
    case TARGET_ATTRIBUTE:
    case TARGET_DEMOGRAPHICS:
    case TARGET_IDENTIFIERS: break;
    }
    return take_attribute_text(b, path, text);
}

static struct slice integer_text(struct builder *b, int64_t integer)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)integer);
    return arena_copy(b->arena, slice_of(digits, (size_t)length));
}

err build_integer(struct builder *b, struct target target, const struct path *path, int64_t integer)
{
    int64_t us = 0;
    if (target.kind == TARGET_TIMESTAMP) {
        bool valid = timestamp_of_integer(integer, &us);
        return take_timestamp(b, path, valid, us);
    }
    if (target.kind == TARGET_FIELD &&
        (target.number == FIELD_AGE || target.number == FIELD_INCOME)) {
        return cleanse_integer(b, (enum field)target.number, path, integer);
    }
    if (target.kind == TARGET_ATTRIBUTE || target.kind == TARGET_LOCATION ||
        target.kind == TARGET_DEMOGRAPHICS || target.kind == TARGET_IDENTIFIERS) {
        return builder_attribute(b, path,
                                 (struct value){.kind = VALUE_INTEGER, .integer = integer});
    }
    struct slice text = integer_text(b, integer);
    return text.data == NULL ? ERR_MEMORY : build_text(b, target, path, text);
}

err build_big_integer(struct builder *b, struct target target, const struct path *path,
                      struct slice digits)
{
    if (target.kind == TARGET_ATTRIBUTE) {
        builder_warn(b, path, "number_kept_as_text",
                     "The integer has more than 63 bits; it was kept as text.");
    }
    return build_text(b, target, path, digits);
}

err build_number(struct builder *b, struct target target, const struct path *path, double number)
{
    int64_t us = 0;
    switch ((enum target_kind)target.kind) {
    case TARGET_IDENTIFIER:
        if (b->is_patch) {
            return builder_identifier(b, target.number, path, SLICE_LITERAL("0"));
        }
        return record_fail(
            b->error, ERR_INVALID, "identifier_not_exact", path_text(b, path), 0,
            "A number with a fraction or an exponent cannot be an identifier; send it as a string.");
    case TARGET_TIMESTAMP: {
        bool valid = timestamp_of_number(number, &us);
        return take_timestamp(b, path, valid, us);
    }
    case TARGET_FIELD:
        if (target.number == FIELD_INCOME) {
            return builder_field(b, FIELD_INCOME,
                                 (struct value){.kind = VALUE_NUMBER, .number = number});
        }
        if (target.number == FIELD_AGE && number >= 0 && number <= AGE_MAX &&
            (double)(int)number == number) {
            return cleanse_integer(b, FIELD_AGE, path, (int)number); /* 42.0 */
        }
        builder_warn(b, path, "value_unsupported",
                     "A number with a fraction does not fit this field; it was left away.");
        return ERR_OK;
    case TARGET_MESSAGE_ID:
        builder_warn(b, path, "value_unsupported",
                     "A message id is a text or an integer; it was left away.");
        return ERR_OK;
    case TARGET_IGNORED: return ERR_OK;
    case TARGET_ATTRIBUTE:
    case TARGET_LOCATION:
    case TARGET_DEMOGRAPHICS:
    case TARGET_IDENTIFIERS: break;
    }
    return builder_attribute(b, path, (struct value){.kind = VALUE_NUMBER, .number = number});
}

err build_bool(struct builder *b, struct target target, const struct path *path, bool boolean)
{
    if (target.kind == TARGET_ATTRIBUTE) {
        return builder_attribute(b, path, (struct value){.kind = VALUE_BOOL, .boolean = boolean});
    }
    if (target.kind == TARGET_IDENTIFIER) {
        lose_identifier(b, path, "identifier_invalid",
                        "true and false are no identifiers; it was left away.");
        return ERR_OK;
    }
    if (target.kind != TARGET_IGNORED) {
        builder_warn(b, path, "value_unsupported",
                     "true and false do not fit this field; it was left away.");
    }
    return ERR_OK;
}

static err clear_fields(struct builder *b, const enum field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        err e = builder_field(b, fields[i], null_value);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

err build_null(struct builder *b, struct target target, const struct path *path)
{
    static const enum field place[] = {FIELD_CITY, FIELD_STATE, FIELD_COUNTRY, FIELD_POSTAL_CODE,
                                       FIELD_STREET};
    static const enum field person[] = {FIELD_AGE, FIELD_GENDER, FIELD_INCOME, FIELD_EDUCATION,
                                        FIELD_OCCUPATION};
    switch ((enum target_kind)target.kind) {
    case TARGET_FIELD: return builder_field(b, (enum field)target.number, null_value);
    case TARGET_LOCATION: return clear_fields(b, place, ARRAY_COUNT(place));
    case TARGET_DEMOGRAPHICS: return clear_fields(b, person, ARRAY_COUNT(person));
    case TARGET_ATTRIBUTE: return builder_attribute(b, path, null_value);
    case TARGET_IDENTIFIER:
        if (b->is_patch) {
            return builder_identifier(b, target.number, path, SLICE_LITERAL(""));
        }
        return ERR_OK; /* not known; links are not undone by a record */
    case TARGET_IDENTIFIERS:
    case TARGET_TIMESTAMP:
    case TARGET_MESSAGE_ID:
    case TARGET_IGNORED: break;
    }
    return ERR_OK;
}

err build_item(struct builder *b, struct target target, const struct path *path, struct slice text)
{
    if (target.kind == TARGET_FIELD && target.number == FIELD_INTERESTS) {
        return builder_interest(b, path, text);
    }
    if (target.kind == TARGET_IDENTIFIER) {
        return builder_identifier(b, target.number, path, text);
    }
    return builder_add_item(b, path, text);
}

err build_cell(struct builder *b, struct target target, const struct path *path, struct slice text)
{
    if (target.kind != TARGET_ATTRIBUTE) {
        return build_text(b, target, path, text);
    }
    struct slice trimmed = slice_trim(text);
    struct value value = number_of_cell(trimmed);
    return value.kind == VALUE_TEXT ? build_text(b, target, path, text)
                                    : builder_attribute(b, path, value);
}
