#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t MESSAGE_WINDOW_US = 7ll * 24 * 3600 * 1000000;

static void *room_for(void *items, size_t count, size_t *room, size_t item_bytes)
{
    if (count < *room) {
        return items;
    }
    *room = *room ? *room * 2 : 4;
    void *bigger = realloc(items, *room * item_bytes);
    if (bigger == NULL) {
        abort();
    }
    return bigger;
}
#define PUSH(items, count, room, ...)                                                              \
    ((items) = room_for((items), (count), &(room), sizeof *(items)),                               \
     (items)[(count)++] = (__VA_ARGS__))

static void copy_text(char out[REF_TEXT], struct slice text)
{
    if (text.length >= REF_TEXT) {
        abort();
    }
    if (text.length > 0) {
        memcpy(out, text.data, text.length);
    }
    out[text.length] = '\0';
}

/* Newer by event time, then by priority of the source, then by sequence. */
static bool newer(const struct ref_origin *a, const struct ref_origin *b)
{
    return a->at_us != b->at_us         ? a->at_us > b->at_us
           : a->priority != b->priority ? a->priority > b->priority
                                        : a->sequence > b->sequence;
}

/* The record's own time, but never after it was received. */
static struct ref_origin origin_of(const struct reference *ref, int64_t event_us, uint64_t sequence,
                                   int64_t received_us, struct slice source)
{
    struct ref_origin origin = {event_us != 0 && event_us < received_us ? event_us : received_us,
                                settings_source_priority(ref->settings, source), sequence};
    return origin;
}

/* ---- people and identifiers ------------------------------------------------------------------ */

struct ref_person *ref_person(const struct reference *ref, uint32_t number)
{
    return number == 0 || number > ref->person_count ? NULL : &ref->people[number - 1];
}

static uint32_t top(const struct reference *ref, uint32_t number)
{
    while (ref_person(ref, number)->parent != 0) {
        number = ref_person(ref, number)->parent;
    }
    return number;
}

uint32_t ref_root(const struct reference *ref, uint32_t number)
{
    if (ref_person(ref, number) == NULL) {
        return 0;
    }
    number = top(ref, number);
    return ref_person(ref, number)->alive ? number : 0;
}

static struct ref_identifier *id_of(const struct ref_person *person, uint8_t type,
                                    const char *value)
{
    for (size_t i = 0; i < person->id_count; i++) {
        if (person->ids[i].type == type && strcmp(person->ids[i].value, value) == 0) {
            return &person->ids[i];
        }
    }
    return NULL;
}

static uint32_t holder_of(const struct reference *ref, uint8_t type, const char *value)
{
    for (size_t p = 0; p < ref->person_count; p++) {
        const struct ref_person *person = &ref->people[p];
        const struct ref_identifier *id = person->alive ? id_of(person, type, value) : NULL;
        if (id != NULL && id->current) {
            return person->number;
        }
    }
    return 0;
}

uint32_t ref_find(const struct reference *ref, uint8_t type, struct slice value)
{
    char text[REF_TEXT];
    copy_text(text, value);
    return holder_of(ref, type, text);
}

/* ---- who is it? ------------------------------------------------------------------------------ */

struct group {
    uint32_t members[64]; /* the first is the person, the others merge into them */
    size_t count;
};

static uint32_t limit_of(const struct reference *ref, uint8_t type)
{
    return ref->settings->identifiers[type].limit_count;
}

/* The record's more telling identifiers (before `upto`) cannot be this person's when the person has
 * another one of a type of which there is only one. */
static bool can_be(const struct reference *ref, uint32_t number, const struct record *record,
                   size_t upto)
{
    const struct ref_person *person = ref_person(ref, number);
    for (size_t i = 0; i < upto; i++) {
        char value[REF_TEXT];
        copy_text(value, record->identifiers[i].value);
        for (size_t k = 0; limit_of(ref, record->identifiers[i].type) == 1 && k < person->id_count;
             k++) {
            if (person->ids[k].current && person->ids[k].type == record->identifiers[i].type &&
                strcmp(person->ids[k].value, value) != 0) {
                return false;
            }
        }
    }
    return true;
}

/* Two may become one when everything they, those already merging and the record so far hold stays
 * within each limit. */
static bool fits(const struct reference *ref, const struct group *group, uint32_t other,
                 const struct record *record, size_t upto)
{
    struct ref_identifier all[4096];
    size_t count = 0;
    uint32_t per_type[IDENTIFIER_TYPE_MAX] = {0};
    for (size_t m = 0; m <= group->count + upto; m++) {
        struct ref_identifier one = {.current = true};
        const struct ref_identifier *ids = &one;
        size_t id_count = 1;
        if (m <= group->count) {
            const struct ref_person *person =
                ref_person(ref, m < group->count ? group->members[m] : other);
            ids = person->ids;
            id_count = person->id_count;
        } else {
            one.type = record->identifiers[m - group->count - 1].type;
            copy_text(one.value, record->identifiers[m - group->count - 1].value);
        }
        for (size_t i = 0; i < id_count; i++) {
            size_t k = 0;
            while (k < count &&
                   !(all[k].type == ids[i].type && strcmp(all[k].value, ids[i].value) == 0)) {
                k++;
            }
            if (ids[i].current && k == count && count < 4096) {
                all[count++] = ids[i];
                per_type[ids[i].type]++;
            }
        }
    }
    for (uint8_t type = 0; type < IDENTIFIER_TYPE_MAX; type++) {
        if (per_type[type] > 0 && per_type[type] > limit_of(ref, type)) {
            return false;
        }
    }
    return true;
}

static void resolve(const struct reference *ref, const struct record *record, struct group *group)
{
    group->count = 0;
    for (size_t i = 0; i < record->identifier_count; i++) {
        uint32_t owner = ref_find(ref, record->identifiers[i].type, record->identifiers[i].value);
        bool known = owner == 0;
        for (size_t m = 0; m < group->count; m++) {
            known |= group->members[m] == owner;
        }
        if (!known && (group->count == 0 ? can_be(ref, owner, record, i)
                                         : fits(ref, group, owner, record, i))) {
            group->members[group->count++] = owner;
        }
    }
}

void ref_fold(const char *text, size_t length, char out[REF_TEXT])
{
    static const char *const accents[] = {"\xc3\xa9", "e", "\xc3\xad", "i",
                                          "\xc3\xb3", "o", "\xc3\x89", "e"};
    size_t to = 0;
    for (size_t i = 0; i < length && to + 1 < REF_TEXT; i++) {
        char c = text[i];
        for (size_t a = 0; a + 1 < sizeof accents / sizeof accents[0] && i + 1 < length; a += 2) {
            if (memcmp(text + i, accents[a], 2) == 0) {
                c = accents[a + 1][0];
                i++;
                break;
            }
        }
        out[to++] = c == '-' ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[to] = '\0';
}

/* ---- what is said about a person ------------------------------------------------------------- */

static void drop(struct ref_facts *facts, size_t at)
{
    memmove(&facts->at[at], &facts->at[at + 1], (facts->count - at - 1) * sizeof *facts->at);
    facts->count--;
}

/* A value or a clear takes the members of the list that are older than itself. */
static void drop_older(struct ref_facts *facts, const char *name, const struct ref_origin *origin)
{
    for (size_t i = facts->count; i > 0; i--) {
        if ((name == NULL || strcmp(facts->at[i - 1].name, name) == 0) &&
            newer(origin, &facts->at[i - 1].origin)) {
            drop(facts, i - 1);
        }
    }
}

static const struct ref_fact *fact_named(const struct ref_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (strcmp(facts->at[i].name, name) == 0) {
            return &facts->at[i];
        }
    }
    return NULL;
}

static bool has_items(const struct ref_person *person, const char *name)
{
    return fact_named(&person->items, name) != NULL;
}

const struct ref_fact *ref_field(const struct ref_person *person, const char *name)
{
    const struct ref_fact *fact = fact_named(&person->fields, name);
    return fact != NULL && fact->text[0] != '\0' && !has_items(person, name) ? fact : NULL;
}

/* The newest value stays; what was a list before is gone, what becomes a list later hides it. */
static void say_field(struct ref_person *person, const struct ref_fact *fact)
{
    struct ref_fact *old = (struct ref_fact *)(uintptr_t)fact_named(&person->fields, fact->name);
    if (old != NULL && !newer(&fact->origin, &old->origin)) {
        return;
    }
    drop_older(&person->items, fact->name, &fact->origin);
    if (strcmp(fact->name, "interests") == 0) {
        drop_older(&person->interests, NULL, &fact->origin);
    }
    if (old != NULL) {
        *old = *fact;
    } else {
        PUSH(person->fields.at, person->fields.count, person->fields.room, *fact);
    }
}

/* Lists are united; a member keeps its newest mention; one that is older than a clear or value of
 * the name is not heard. */
static void say_member(struct ref_person *person, struct ref_facts *members,
                       const struct ref_fact *fact)
{
    const struct ref_fact *field =
        fact_named(&person->fields, members == &person->items ? fact->name : "interests");
    if (field != NULL && newer(&field->origin, &fact->origin)) {
        return;
    }
    for (size_t i = 0; i < members->count; i++) {
        struct ref_fact *known = &members->at[i];
        /* An interest's name is its fold: one that differs in case only takes the spelling of the
         * newest. */
        if (strcmp(known->name, fact->name) == 0 &&
            (members == &person->interests || strcmp(known->text, fact->text) == 0)) {
            if (newer(&fact->origin, &known->origin)) {
                *known = *fact;
            }
            return;
        }
    }
    PUSH(members->at, members->count, members->room, *fact);
}

static void value_text(const struct value *value, char out[REF_TEXT])
{
    switch (value->kind) {
    case VALUE_NULL: out[0] = '\0'; break;
    case VALUE_BOOL: snprintf(out, REF_TEXT, "%s", value->boolean ? "true" : "false"); break;
    case VALUE_INTEGER: snprintf(out, REF_TEXT, "%lld", (long long)value->integer); break;
    case VALUE_NUMBER: snprintf(out, REF_TEXT, "%g", value->number); break;
    case VALUE_TEXT: snprintf(out, REF_TEXT, "\"%.*s\"", SLICE_ARGS(value->text)); break;
    }
}

static void say_record(struct ref_person *person, const struct record *record,
                       const struct ref_origin *origin, int64_t received_us)
{
    struct ref_fact fact = {.origin = *origin};
    for (size_t i = 0; i < record->field_count; i++) {
        const struct record_field *field = &record->fields[i];
        copy_text(fact.name, field->field == FIELD_ATTRIBUTE
                                 ? field->name
                                 : slice_from_cstr(field_path(field->field)));
        value_text(&field->value, fact.text);
        say_field(person, &fact);
    }
    for (size_t i = 0; i < record->item_count; i++) {
        struct ref_fact clear = {.origin = *origin};
        copy_text(clear.name, record->items[i].name);
        copy_text(fact.name, record->items[i].name);
        copy_text(fact.text, record->items[i].text);
        if (record->replace_lists) {
            say_field(person, &clear);
        }
        say_member(person, &person->items, &fact);
    }
    for (size_t i = 0; i < record->interest_count; i++) {
        struct ref_fact clear = {.name = "interests", .origin = *origin};
        if (record->replace_lists) {
            say_field(person, &clear);
        }
        copy_text(fact.text, record->interests[i]);
        ref_fold(fact.text, strlen(fact.text), fact.name);
        say_member(person, &person->interests, &fact);
    }
    person->updated_at_us = received_us;
}

/* ---- merging --------------------------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void link_id(struct ref_person *person, const struct ref_identifier *id)
{
    struct ref_identifier *known = id_of(person, id->type, id->value);
    if (known == NULL) {
        PUSH(person->ids, person->id_count, person->id_room, *id);
        return;
    }
    if (newer(&id->seen, &known->seen)) {
        known->seen = id->seen;
    }
    known->current |= id->current;
}

/* Where more numbers were merged before stays; of equals the lower number. */
static uint32_t merge(struct reference *ref, uint32_t a, uint32_t b)
{
    struct ref_person *x = ref_person(ref, a);
    struct ref_person *y = ref_person(ref, b);
    struct ref_person *to = x->tree != y->tree ? (x->tree > y->tree ? x : y) : (a < b ? x : y);
    struct ref_person *from = to == x ? y : x;
    for (size_t i = 0; i < from->id_count; i++) {
        link_id(to, &from->ids[i]);
    }
    for (size_t i = 0; i < from->fields.count; i++) {
        say_field(to, &from->fields.at[i]);
    }
    for (size_t i = 0; i < from->items.count; i++) {
        say_member(to, &to->items, &from->items.at[i]);
    }
    for (size_t i = 0; i < from->interests.count; i++) {
        say_member(to, &to->interests, &from->interests.at[i]);
    }
    for (size_t i = 0; i < from->sequence_count; i++) {
        PUSH(to->sequences, to->sequence_count, to->sequence_room, from->sequences[i]);
    }
    qsort(to->sequences, to->sequence_count, sizeof *to->sequences, compare_u64);
    to->created_at_us =
        from->created_at_us < to->created_at_us ? from->created_at_us : to->created_at_us;
    to->updated_at_us =
        from->updated_at_us > to->updated_at_us ? from->updated_at_us : to->updated_at_us;
    to->tree += from->tree;
    from->parent = to->number;
    from->alive = false;
    return to->number;
}

/* ---- records, corrections, erasures ---------------------------------------------------------- */

/* An identifier of somebody else moves when the record is newer than their last sight of it;
 * otherwise it stays theirs and is only in this person's history. */
static void claim(struct reference *ref, uint32_t number, const struct record_identifier *item,
                  const struct ref_origin *origin)
{
    struct ref_identifier id = {.type = item->type, .current = true, .seen = *origin};
    copy_text(id.value, item->value);
    uint32_t owner = holder_of(ref, id.type, id.value);
    if (owner != 0 && owner != number) {
        struct ref_identifier *theirs = id_of(ref_person(ref, owner), id.type, id.value);
        id.current = newer(origin, &theirs->seen);
        theirs->current = !id.current;
    }
    link_id(ref_person(ref, number), &id);
}

/* Beyond a type's limit the one not seen for longest gives way; of those last seen in one entry the
 * first by its bytes. */
static void keep_limit(const struct reference *ref, struct ref_person *person, uint8_t type)
{
    for (;;) {
        uint32_t count = 0;
        struct ref_identifier *oldest = NULL;
        for (size_t i = 0; i < person->id_count; i++) {
            struct ref_identifier *id = &person->ids[i];
            if (id->type == type && id->current) {
                count++;
                bool older = oldest == NULL || newer(&oldest->seen, &id->seen);
                bool same = oldest != NULL && oldest->seen.sequence == id->seen.sequence;
                oldest = older || (same && strcmp(id->value, oldest->value) < 0) ? id : oldest;
            }
        }
        if (count <= limit_of(ref, type)) {
            return;
        }
        oldest->current = false;
    }
}

/* A message id seen within the window names the person and says nothing new. One of a person erased
 * since is new. */
static uint32_t seen_before(struct reference *ref, const char *id, int64_t now_us)
{
    for (size_t i = 0; id[0] != '\0' && i < ref->message_count; i++) {
        if (strcmp(ref->messages[i].id, id) == 0 &&
            ref->messages[i].at_us >= now_us - MESSAGE_WINDOW_US) {
            uint32_t number = ref_root(ref, ref->messages[i].number);
            if (number != 0) {
                return number;
            }
        }
    }
    return 0;
}

uint32_t ref_record(struct reference *ref, const struct record *record, uint64_t sequence,
                    int64_t received_us, struct slice source)
{
    struct ref_message message = {.at_us = received_us};
    copy_text(message.id, record->message_id);
    uint32_t number = seen_before(ref, message.id, received_us);
    bool repeat = number != 0;
    if (!repeat) {
        struct ref_origin origin =
            origin_of(ref, record->event_time_us, sequence, received_us, source);
        struct group group;
        resolve(ref, record, &group);
        if (group.count == 0) {
            number = (uint32_t)ref->person_count + 1;
            PUSH(ref->people, ref->person_count, ref->person_room,
                 (struct ref_person){
                     .number = number, .tree = 1, .alive = true, .created_at_us = received_us});
        }
        for (size_t m = 0; m < group.count; m++) {
            number = m == 0 ? group.members[0] : merge(ref, number, group.members[m]);
        }
        for (size_t i = 0; i < record->identifier_count; i++) {
            claim(ref, number, &record->identifiers[i], &origin);
        }
        for (size_t i = 0; i < record->identifier_count; i++) {
            keep_limit(ref, ref_person(ref, number), record->identifiers[i].type);
        }
        say_record(ref_person(ref, number), record, &origin, received_us);
        if (message.id[0] != '\0') {
            message.number = number;
            PUSH(ref->messages, ref->message_count, ref->message_room, message);
        }
    }
    struct ref_person *person = ref_person(ref, number);
    PUSH(person->sequences, person->sequence_count, person->sequence_room, sequence);
    return number;
}

void ref_patch(struct reference *ref, uint32_t number, const struct record *patch,
               uint64_t sequence, int64_t received_us, struct slice source)
{
    struct ref_person *person = ref_person(ref, ref_root(ref, number));
    struct ref_origin origin = origin_of(ref, 0, sequence, received_us, source);
    say_record(person, patch, &origin, received_us);
    PUSH(person->sequences, person->sequence_count, person->sequence_room, sequence);
}

static void empty(struct ref_person *person)
{
    free(person->ids);
    free(person->fields.at);
    free(person->items.at);
    free(person->interests.at);
    free(person->sequences);
}

void ref_erase(struct reference *ref, uint32_t number)
{
    struct ref_person *person = ref_person(ref, number);
    empty(person);
    *person = (struct ref_person){.number = number, .tree = person->tree};
}

void ref_clear(struct reference *ref)
{
    for (size_t i = 0; i < ref->person_count; i++) {
        empty(&ref->people[i]);
    }
    free(ref->people);
    free(ref->messages);
    *ref = (struct reference){.settings = ref->settings};
}
