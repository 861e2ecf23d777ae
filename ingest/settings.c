#include "ingest/settings.h"

#include <stdio.h>
#include <yyjson.h>

#include "base/hash.h"
#include "base/memory.h"
#include "ingest/limits.h"
#include "json_gate.h"
#include "names.h"
#include "phone.h"
#include "text.h"

enum {
    BLOCKED_ANY = 255,
    SETTINGS_ARENA_BYTES = 32 * 1024 * 1024,
    REPEATED_MIN = 8,
    PHONE_REPEATED_MIN = 7
};

struct blocked {
    uint8_t type;      /* BLOCKED_ANY: every type */
    bool any_end;      /* the entry ended in '*': `text` is the beginning */
    struct slice text; /* lower case */
};

struct source {
    struct slice name;
    uint32_t priority;
};

/* One allocation of each kind; the texts lie in an arena that lives as long as the settings. */
struct settings_tables {
    struct arena arena;
    struct blocked *blocked; /* beginnings first, then a hash table of whole texts */
    size_t beginning_count;
    struct blocked *exact; /* open addressing; text.data NULL is free */
    size_t exact_mask;
    struct source *sources;
    size_t source_count;
};

/* ---- reading: where an error is -------------------------------------------------------------- */

struct reader {
    struct slice json;
    struct error *error;
    struct settings *settings;
};

/* yyjson keeps no positions: look for the key as it is written. Good enough to point at the
 * line. */
static uint64_t position_of(const struct reader *r, struct slice word)
{
    const char *found =
        word.length == 0 ? NULL : memmem(r->json.data, r->json.length, word.data, word.length);
    return found == NULL ? 0 : (uint64_t)(found - r->json.data);
}

static err bad(const struct reader *r, const char *code, struct slice word, const char *why)
{
    struct slice shown = text_cut(word, 64);
    return error_set(r->error, ERR_INVALID, code, position_of(r, word), "Settings: \"%.*s\" %s.",
                     SLICE_ARGS(shown), why);
}

static err no_memory(const struct reader *r)
{
    return error_set(r->error, ERR_MEMORY, "out_of_memory", 0,
                     "There was no memory for the settings; try again later.");
}

/* ---- identifiers ----------------------------------------------------------------------------- */

static void set_defaults(struct settings *settings)
{
    static const struct identifier_rule rules[IDENTIFIER_BUILTIN_COUNT] = {
        [IDENTIFIER_EMAIL] = {"email", 1},          [IDENTIFIER_USER_ID] = {"user_id", 1},
        [IDENTIFIER_PHONE] = {"phone", 5},          [IDENTIFIER_COOKIE] = {"cookie", 200},
        [IDENTIFIER_DEVICE_ID] = {"device_id", 50},
    };
    memcpy(settings->default_country, "US", 3);
    for (uint8_t i = 0; i < IDENTIFIER_BUILTIN_COUNT; i++) {
        settings->identifiers[i] = rules[i];
        settings->priority[i] = i;
    }
    settings->identifier_type_count = IDENTIFIER_BUILTIN_COUNT;
}

bool settings_identifier_type(const struct settings *settings, struct slice name, uint8_t *type)
{
    for (size_t i = 0; i < settings->identifier_type_count; i++) {
        if (slice_equal_cstr(name, settings->identifiers[i].name)) {
            *type = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool type_name_valid(struct slice name)
{
    if (name.length == 0 || name.length >= sizeof((struct identifier_rule *)0)->name) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && c != '_' && (i == 0 || !ascii_is_digit(c))) {
            return false;
        }
    }
    return true;
}

static err add_type(struct reader *r, struct slice name, uint8_t *type)
{
    struct settings *settings = r->settings;
    if (!type_name_valid(name)) {
        return bad(r, "settings_identifier_name", name,
                   "is no name for an identifier: lower-case letters, digits and _, at most 31");
    }
    if (name_lookup(name).kind != TARGET_ATTRIBUTE) {
        return bad(r, "settings_identifier_name", name,
                   "is the name of a field and cannot be an identifier type");
    }
    if (settings->identifier_type_count == IDENTIFIER_TYPE_MAX) {
        return bad(r, "settings_too_many_identifiers", name,
                   "is one identifier type too many: there may be 16");
    }
    *type = (uint8_t)settings->identifier_type_count++;
    memcpy(settings->identifiers[*type].name, name.data, name.length);
    settings->identifiers[*type].limit_count = 1;
    return ERR_OK;
}

static err read_identifier(struct reader *r, yyjson_val *entry, uint8_t *type)
{
    struct slice name = SLICE_NONE;
    uint64_t limit = UINT64_MAX;
    yyjson_obj_iter iter = yyjson_obj_iter_with(entry);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, "type") && yyjson_is_str(value)) {
            name = yyjson_text(value);
        } else if (yyjson_equals_str(key, "limit") && yyjson_is_uint(value) &&
                   yyjson_get_uint(value) >= 1 && yyjson_get_uint(value) <= UINT32_MAX) {
            limit = yyjson_get_uint(value);
        } else {
            return bad(r, "settings_identifier", yyjson_text(key),
                       "is not understood in an identifier: type (text), limit (1 or more)");
        }
    }
    if (name.data == NULL) {
        return bad(r, "settings_identifier", SLICE_LITERAL("identifiers"),
                   "has an entry without a type");
    }
    if (!settings_identifier_type(r->settings, name, type)) {
        err e = add_type(r, name, type);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (limit != UINT64_MAX) {
        r->settings->identifiers[*type].limit_count = (uint32_t)limit;
    }
    return ERR_OK;
}

/* The order given is the priority; built-in types that are not named come after it. */
static err read_identifiers(struct reader *r, yyjson_val *list)
{
    uint8_t order[IDENTIFIER_TYPE_MAX];
    size_t count = 0;
    uint32_t named = 0;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *entry; (entry = yyjson_arr_iter_next(&iter)) != NULL;) {
        uint8_t type = 0;
        if (!yyjson_is_obj(entry)) {
            return bad(r, "settings_identifier", SLICE_LITERAL("identifiers"),
                       "is a list of objects with type and limit");
        }
        err e = read_identifier(r, entry, &type);
        if (e != ERR_OK) {
            return e;
        }
        if ((named >> type & 1u) != 0) {
            return bad(r, "settings_identifier",
                       slice_from_cstr(r->settings->identifiers[type].name),
                       "is named twice in identifiers");
        }
        named |= UINT32_C(1) << type;
        order[count++] = type;
    }
    for (uint8_t type = 0; type < r->settings->identifier_type_count; type++) {
        if ((named >> type & 1u) == 0) {
            order[count++] = type;
        }
    }
    memcpy(r->settings->priority, order, count);
    return ERR_OK;
}

/* ---- block list ------------------------------------------------------------------------------ */

#define WORD(text)                                                                                 \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static const struct slice blocked_words[] = {
    WORD("null"),  WORD("(null)"), WORD("undefined"), WORD("none"),      WORD("nil"),
    WORD("nan"),   WORD("n/a"),    WORD("na"),        WORD("unknown"),   WORD("anonymous"),
    WORD("guest"), WORD("test"),   WORD("-"),         WORD("--"),        WORD("[object object]"),
    WORD("true"),  WORD("false"),  WORD("not set"),   WORD("(not set)"), WORD("empty"),
};
static const struct slice blocked_emails[] = {
    WORD("test@test.com"), WORD("none@none.com"),       WORD("a@a.com"),
    WORD("no@email.com"),  WORD("noemail@noemail.com"), WORD("na@na.com"),
    WORD("x@x.com"),       WORD("null@null.com"),       WORD("user@domain.com"),
};

enum { BLOCKED_WORD_MAX = sizeof "noemail@noemail.com" - 1 }; /* the longest of both lists */

static bool is_word(struct slice value, const struct slice *words, size_t count)
{
    if (value.length > BLOCKED_WORD_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (value.length == words[i].length && slice_equal_ignoring_case(value, words[i])) {
            return true;
        }
    }
    return false;
}

/* Zeros only (with hyphens, as in an all-zero UUID), or one character over and over. */
static bool is_repeated(struct slice value, size_t least)
{
    char first = '\0';
    size_t count = 0;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (c == '-') {
            continue;
        }
        if (count > 0 && c != first) {
            return false;
        }
        first = c;
        count++;
    }
    return count > 0 && (first == '0' || count >= least);
}

/* +1 555 555 5555: the digits behind the first four, whatever the calling code. */
static bool is_placeholder_phone(struct slice value)
{
    return value.length > PHONE_REPEATED_MIN + 2 &&
           is_repeated(slice_of(value.data + value.length - PHONE_REPEATED_MIN, PHONE_REPEATED_MIN),
                       PHONE_REPEATED_MIN);
}

static uint64_t blocked_hash(uint8_t type, struct slice text)
{
    return hash64(text, type);
}

static bool in_list(const struct settings_tables *tables, uint8_t type, struct slice lower)
{
    for (size_t i = 0; i < tables->beginning_count; i++) {
        const struct blocked *entry = &tables->blocked[i];
        if ((entry->type == type || entry->type == BLOCKED_ANY) &&
            slice_starts_with(lower, entry->text)) {
            return true;
        }
    }
    const uint8_t types[2] = {type, BLOCKED_ANY};
    for (size_t t = 0; tables->exact != NULL && t < 2; t++) {
        size_t slot = (size_t)blocked_hash(types[t], lower) & tables->exact_mask;
        for (; tables->exact[slot].text.data != NULL; slot = (slot + 1) & tables->exact_mask) {
            if (tables->exact[slot].type == types[t] &&
                slice_equal(tables->exact[slot].text, lower)) {
                return true;
            }
        }
    }
    return false;
}

bool settings_identifier_blocked(const struct settings *settings, uint8_t type, struct slice value)
{
    if (type == IDENTIFIER_EMAIL) {
        if (is_word(value, blocked_emails, ARRAY_COUNT(blocked_emails))) {
            return true;
        }
    } else if (type == IDENTIFIER_PHONE) {
        if (is_placeholder_phone(value)) {
            return true;
        }
    } else if (value.length == 0 || is_word(value, blocked_words, ARRAY_COUNT(blocked_words)) ||
               is_repeated(value, REPEATED_MIN)) {
        return true;
    }
    const struct settings_tables *tables = settings->tables;
    if (tables->beginning_count == 0 && tables->exact == NULL) {
        return false;
    }
    char lower[IDENTIFIER_BYTES_MAX];
    if (value.length > sizeof lower) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        lower[i] = ascii_to_lower(value.data[i]);
    }
    return in_list(tables, type, slice_of(lower, value.length));
}

static err copy_lower(struct reader *r, struct slice text, struct slice *out)
{
    *out = arena_copy(&r->settings->tables->arena, text);
    if (out->data == NULL) {
        return no_memory(r);
    }
    char *to = (char *)(uintptr_t)out->data; /* the copy is ours */
    for (size_t i = 0; i < out->length; i++) {
        to[i] = ascii_to_lower(to[i]);
    }
    return ERR_OK;
}

static size_t count_blocked(yyjson_val *lists)
{
    size_t count = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(lists);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        count += yyjson_arr_size(yyjson_obj_iter_get_val(key));
    }
    return count;
}

static err add_blocked(struct reader *r, uint8_t type, yyjson_val *item)
{
    struct settings_tables *tables = r->settings->tables;
    if (!yyjson_is_str(item) || yyjson_get_len(item) == 0) {
        return bad(r, "settings_blocked", SLICE_LITERAL("blocked"),
                   "holds lists of texts that are not empty");
    }
    struct blocked entry = {.type = type};
    err e = copy_lower(r, slice_trim(yyjson_text(item)), &entry.text);
    if (e != ERR_OK) {
        return e;
    }
    const char *star =
        entry.text.length == 0 ? NULL : memchr(entry.text.data, '*', entry.text.length);
    if (star != NULL) {
        if (star != entry.text.data + entry.text.length - 1 || entry.text.length == 1) {
            return bad(r, "settings_blocked", yyjson_text(item),
                       "may have * at its end only, behind something");
        }
        entry.text.length--;
        tables->blocked[tables->beginning_count++] = entry;
        return ERR_OK;
    }
    size_t slot = (size_t)blocked_hash(type, entry.text) & tables->exact_mask;
    while (tables->exact[slot].text.data != NULL) {
        slot = (slot + 1) & tables->exact_mask;
    }
    tables->exact[slot] = entry;
    return ERR_OK;
}

static err read_blocked(struct reader *r, yyjson_val *lists)
{
    struct settings_tables *tables = r->settings->tables;
    size_t count = count_blocked(lists);
    size_t slots = 16;
    while (slots < count * 2) {
        slots *= 2;
    }
    tables->exact_mask = slots - 1;
    tables->blocked = arena_zalloc(&tables->arena, (count + 1) * sizeof *tables->blocked);
    tables->exact = arena_zalloc(&tables->arena, slots * sizeof *tables->exact);
    if (tables->blocked == NULL || tables->exact == NULL) {
        return no_memory(r);
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(lists);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        uint8_t type = BLOCKED_ANY;
        struct slice name = yyjson_text(key);
        if (!slice_equal_cstr(name, "*") && !settings_identifier_type(r->settings, name, &type)) {
            return bad(r, "settings_blocked", name,
                       "is no identifier type; use one, or \"*\" for all");
        }
        yyjson_val *list = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_arr(list)) {
            return bad(r, "settings_blocked", name, "needs a list of texts");
        }
        yyjson_arr_iter items = yyjson_arr_iter_with(list);
        for (yyjson_val *item; (item = yyjson_arr_iter_next(&items)) != NULL;) {
            err e = add_blocked(r, type, item);
            if (e != ERR_OK) {
                return e;
            }
        }
    }
    return ERR_OK;
}

/* ---- sources --------------------------------------------------------------------------------- */

static err read_sources(struct reader *r, yyjson_val *object)
{
    struct settings_tables *tables = r->settings->tables;
    size_t count = yyjson_obj_size(object);
    tables->sources = arena_alloc(&tables->arena, (count + 1) * sizeof *tables->sources);
    if (tables->sources == NULL) {
        return no_memory(r);
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_uint(value) || yyjson_get_uint(value) > UINT32_MAX) {
            return bad(r, "settings_source", yyjson_text(key),
                       "needs a priority from 0 to 4294967295");
        }
        struct slice name = arena_copy(&tables->arena, yyjson_text(key));
        if (name.data == NULL) {
            return no_memory(r);
        }
        tables->sources[tables->source_count++] =
            (struct source){name, (uint32_t)yyjson_get_uint(value)};
    }
    return ERR_OK;
}

uint32_t settings_source_priority(const struct settings *settings, struct slice source)
{
    const struct settings_tables *tables = settings->tables;
    for (size_t i = 0; i < tables->source_count; i++) {
        if (slice_equal(tables->sources[i].name, source)) {
            return tables->sources[i].priority;
        }
    }
    return 0;
}

/* ---- the document ---------------------------------------------------------------------------- */

static err read_country(struct reader *r, yyjson_val *value)
{
    struct slice country = yyjson_is_str(value) ? yyjson_text(value) : SLICE_NONE;
    char code[3] = "";
    for (size_t i = 0; country.length == 2 && i < 2; i++) {
        code[i] = (char)(ascii_is_letter(country.data[i]) ? country.data[i] & ~0x20 : 0);
    }
    if (country.length != 2 || !phone_country_known(code)) {
        return bad(r, "settings_country", SLICE_LITERAL("default_country"),
                   "needs a two-letter country code of ISO 3166-1");
    }
    memcpy(r->settings->default_country, code, sizeof code);
    return ERR_OK;
}

static err read_member(struct reader *r, yyjson_val *key, yyjson_val *value)
{
    if (yyjson_equals_str(key, "default_country")) {
        return read_country(r, value);
    }
    if (yyjson_equals_str(key, "identifiers")) {
        return yyjson_is_arr(value)
                   ? read_identifiers(r, value)
                   : bad(r, "settings_identifier", yyjson_text(key), "needs a list");
    }
    if (yyjson_equals_str(key, "blocked")) {
        return yyjson_is_obj(value)
                   ? ERR_OK
                   : bad(r, "settings_blocked", yyjson_text(key), "needs an object");
    }
    if (yyjson_equals_str(key, "sources")) {
        return yyjson_is_obj(value)
                   ? read_sources(r, value)
                   : bad(r, "settings_source", yyjson_text(key), "needs an object");
    }
    return bad(r, "settings_unknown_key", yyjson_text(key),
               "is not a setting; there are default_country, identifiers, blocked, sources");
}

static err read_document(struct reader *r, yyjson_val *root)
{
    if (!yyjson_is_obj(root)) {
        return bad(r, "settings_syntax", SLICE_LITERAL("settings"), "must be a JSON object");
    }
    struct json_gate gate = {.unlimited = true};
    struct record_error problem;
    if (json_gate_object(&gate, root, 1, SLICE_LITERAL(""), &problem) != ERR_OK) {
        return bad(r, problem.code, slice_from_cstr(problem.field),
                   "stands twice, or there are too many keys");
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        err e = read_member(r, key, yyjson_obj_iter_get_val(key));
        if (e != ERR_OK) {
            return e;
        }
    }
    /* Last, because it may name identifier types that stand behind it. */
    yyjson_val *blocked = yyjson_obj_get(root, "blocked");
    return blocked == NULL ? ERR_OK : read_blocked(r, blocked);
}

static err parse_into(struct reader *r)
{
    struct arena arena;
    arena_init(&arena, SETTINGS_ARENA_BYTES);
    yyjson_doc *doc;
    struct record_error problem = {0};
    err e = json_parse(&arena, r->json, &doc, &problem);
    if (e == ERR_OK) {
        e = read_document(r, yyjson_doc_get_root(doc));
    } else if (e == ERR_MEMORY) {
        e = no_memory(r);
    } else {
        e = error_set(r->error, e, "settings_syntax", problem.position,
                      "Settings are not valid JSON at byte %llu.",
                      (unsigned long long)problem.position);
    }
    arena_deinit(&arena);
    return e;
}

err settings_parse(struct slice json, struct settings **out, struct error *error)
{
    *out = NULL;
    struct reader reader = {.json = json, .error = error};
    if (json.length > SETTINGS_BYTES_MAX) {
        return error_set(error, ERR_TOO_LARGE, "settings_too_large", SETTINGS_BYTES_MAX,
                         "Settings may have 2 MiB.");
    }
    struct settings *settings = memory_zalloc(sizeof *settings);
    if (settings == NULL) {
        return no_memory(&reader);
    }
    settings->tables = memory_zalloc(sizeof *settings->tables);
    if (settings->tables == NULL) {
        memory_free(settings);
        return no_memory(&reader);
    }
    arena_init(&settings->tables->arena, SETTINGS_ARENA_BYTES);
    set_defaults(settings);
    reader.settings = settings;
    err e = parse_into(&reader);
    if (e != ERR_OK) {
        settings_destroy(settings);
        return e;
    }
    *out = settings;
    return ERR_OK;
}

void settings_destroy(struct settings *settings)
{
    if (settings != NULL) {
        arena_deinit(&settings->tables->arena);
        memory_free(settings->tables);
        memory_free(settings);
    }
}
