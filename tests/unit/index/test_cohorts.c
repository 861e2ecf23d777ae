/* Tries to break the cohorts against a reference that knows nothing of bitmaps, deltas or hits: it keeps people as plain
 * structs and definitions as JSON text, and after random births, changes, merges, erasures, edits of definitions (several at
 * once, dropped half-way), verdicts that come with the phrase, late, or never, feedback, reclassifications and rebuilds
 * asks for every person and cohort whether the definition says so.
 * Members, cohorts_of_person (with order), phrase hits and names must all agree with it.
 * Seeds: KINDRED_TEST_SEED; a failure names the step. */
#include "unit/test.h"

#include <strings.h>

#include "base/memory.h"
#include "classifier/examples.h"
#include "index/cohorts.h"
#include "ingest/json_reader.h"
#include "unit/classifier/table_classifier.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- the reference's people ------------------------------------------------------------------- */

enum { PEOPLE_MAX = 160, PHRASES = 24, FIELDS = 9, TAGS = 4, COHORTS = 14, DEFINITION_MAX = 3000 };

static const char *const phrase_texts[PHRASES] = {
    "cricket", "Crickets", "crcket", "#Cricket", "football", "footbal", "fantasy football", "college football", "golf",
    "golf course", "gulf course", "Tom Brady", "tom bradi", "tennis", "12345", "C++", "Nike shoes", "running shoes", "shoe",
    "baseball", "basebal", "rugby union", "rugby unoin", "???",
};
static const char *const pattern_texts[] = {
    "cricket", "crockets", "football", "fantasy football", "* football", "golf *", "tom brady", "tennis", "c++", "* shoes",
    "shoes", "baseball", "rugby union", "*ball", "fantasy *", "basebell", "gulf course", "nike", "*o*", "crickets",
};
static const char *const field_names[FIELDS] = {"location.country", "demographics.age", "first_name", "birth_date", "plan.tier",
                                                "score", "vip", "tags", "location.city"};
static const enum field fields_builtin[FIELDS] = {FIELD_COUNTRY, FIELD_AGE, FIELD_FIRST_NAME, FIELD_BIRTH_DATE,
                                                  FIELD_ATTRIBUTE, FIELD_ATTRIBUTE, FIELD_ATTRIBUTE, FIELD_ATTRIBUTE, FIELD_CITY};
static const char *const value_texts[] = {"USA", "usa", "India", "Gold", "gold plus", "12", "Ann", "1990-01-01", "beta", "Beta two"};

struct ref_value {
    enum profile_value_kind kind; /* texts are TEXT or CATEGORY */
    int64_t integer;
    double number;
    bool boolean;
    const char *text;
};

struct ref_person {
    bool alive;
    uint32_t root; /* who this number leads to */
    struct ref_value values[FIELDS];
    const char *tags[TAGS]; /* members of the list attribute "tags"; NULL: none */
    bool interests[PHRASES];
    void *blob;
};

static struct ref_person people[PEOPLE_MAX + 1];

struct ref_cohort {
    bool used;
    char name[32];
    char json[DEFINITION_MAX];
    struct json_document *document;
    uint64_t sequence;
};

static struct ref_cohort ref_cohorts[COHORTS];

/* ---- the world under test --------------------------------------------------------------------- */

static struct table_classifier table;
static bool answered[PHRASES]; /* the phrase has a verdict */
static struct cohort_world world;
static struct cohorts *cohorts;
static uint64_t sequence;

static uint32_t acquire(const char *text)
{
    uint32_t id = 0;
    EXPECT(names_acquire(world.names, slice_from_cstr(text), &id) == ERR_OK);
    return id;
}

static int by_name(const void *a, const void *b)
{
    const struct profile_field *left = a;
    const struct profile_field *right = b;
    return left->name_id < right->name_id ? -1 : left->name_id > right->name_id;
}

static void *make_blob(uint32_t number, const struct ref_person *person, const uint32_t phrase_ids[PHRASES])
{
    struct profile_origin origin = {.sequence = 1};
    struct profile_field fields[FIELDS];
    struct profile_item items[TAGS];
    struct profile_interest interests[PHRASES];
    struct profile profile = {.number = number, .origins = &origin, .origin_count = 1, .fields = fields, .items = items,
                              .interests = interests};
    for (size_t f = 0; f < FIELDS; f++) {
        const struct ref_value *value = &person->values[f];
        if (value->kind == PROFILE_NULL && f % 2 == 0) {
            continue; /* a cleared field may also be there as a null */
        }
        struct profile_field *field = &fields[profile.field_count++];
        *field = (struct profile_field){.value = {.kind = value->kind}};
        field->name_id = fields_builtin[f] == FIELD_ATTRIBUTE ? acquire(field_names[f]) : (uint32_t)fields_builtin[f];
        switch (value->kind) {
        case PROFILE_NULL: break;
        case PROFILE_BOOL: field->value.boolean = value->boolean; break;
        case PROFILE_INTEGER: field->value.integer = value->integer; break;
        case PROFILE_NUMBER: field->value.number = value->number; break;
        case PROFILE_TEXT: field->value.text = slice_from_cstr(value->text); break;
        case PROFILE_CATEGORY: field->value.category_id = acquire(value->text); break;
        }
    }
    qsort(fields, profile.field_count, sizeof *fields, by_name);
    for (size_t t = 0; t < TAGS; t++) {
        if (person->tags[t] != NULL) {
            items[profile.item_count++] =
                (struct profile_item){.name_id = acquire("tags"), .text = slice_from_cstr(person->tags[t])};
        }
    }
    for (size_t p = 0; p < PHRASES; p++) {
        if (person->interests[p]) {
            interests[profile.interest_count++] = (struct profile_interest){.phrase_id = phrase_ids[p]};
        }
    }
    struct buffer out;
    buffer_init(&out, 1 << 20);
    profile_pack(&profile, &out);
    void *blob = malloc(out.length);
    memcpy(blob, out.data, out.length);
    buffer_deinit(&out);
    return blob;
}

static void release_names(const void *blob)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_fields(&view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        if (field.name_id >= FIELD_BUILTIN_COUNT) {
            names_release(world.names, field.name_id);
        }
        if (field.value.kind == PROFILE_CATEGORY) {
            names_release(world.names, field.value.category_id);
        }
    }
    cursor = profile_items(&view);
    for (struct profile_item item; profile_item_next(&cursor, &item);) {
        names_release(world.names, item.name_id);
    }
}

static void index_attributes(uint32_t number, const void *blob, bool set)
{
    if (blob == NULL) {
        return;
    }
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_fields(&view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        if (set) {
            attributes_set(world.attributes, field.name_id, &field.value, number);
        } else {
            attributes_clear(world.attributes, field.name_id, &field.value, number);
        }
    }
}

/* The order that cohorts.h asks for. */
static void publish(uint32_t number)
{
    struct ref_person *person = &people[number];
    void *old = person->blob;
    uint32_t ids[PHRASES];
    bool held[PHRASES] = {false};
    for (uint32_t p = 0; p < PHRASES; p++) {
        ids[p] = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        held[p] = ids[p] != PHRASE_NONE && bitmap_contains(phrases_holders(world.phrases, ids[p]), number);
        if (person->alive && person->interests[p]) {
            if (ids[p] == PHRASE_NONE) {
                REQUIRE(phrases_intern(world.phrases, slice_from_cstr(phrase_texts[p]), &ids[p]) == ERR_OK);
                answered[p] = (number + p) % 2 == 0;
                struct verdict verdict;
                table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdict);
                REQUIRE((answered[p] ? cohorts_answer_phrase(cohorts, ids[p], &verdict)
                                     : cohorts_classify_phrase(cohorts, ids[p])) == ERR_OK);
            }
            phrases_add_holder(world.phrases, ids[p], number);
        }
    }
    void *blob = person->alive ? make_blob(number, person, ids) : NULL;
    index_attributes(number, old, false);
    index_attributes(number, blob, true);
    REQUIRE(people_replace(world.people, number, blob) == old);
    cohorts_person_changed(cohorts, number, old, blob);
    for (uint32_t p = 0; p < PHRASES; p++) {
        if (held[p] && !(person->alive && person->interests[p])) {
            phrases_remove_holder(world.phrases, ids[p], number);
        }
    }
    if (old != NULL) {
        release_names(old);
        free(old);
    }
    person->blob = blob;
}

/* ---- the reference's answers ------------------------------------------------------------------ */

static int compare_texts(const char *a, struct slice b)
{
    char folded[200];
    snprintf(folded, sizeof folded, "%.*s", SLICE_ARGS(b));
    return strcasecmp(a, folded);
}

/* -2: not comparable. */
static int compare_values(const struct ref_value *value, json_value with)
{
    const bool numeric = json_type(with) == JSON_INTEGER || json_type(with) == JSON_NUMBER;
    const long double right = json_type(with) == JSON_INTEGER ? (long double)json_integer(with) : (long double)json_double_of(with);
    long double left = 0;
    switch (value->kind) {
    case PROFILE_BOOL: return json_type(with) == JSON_BOOL ? value->boolean - json_true(with) : -2;
    case PROFILE_INTEGER: left = (long double)value->integer; break;
    case PROFILE_NUMBER: left = (long double)value->number; break;
    case PROFILE_TEXT:
    case PROFILE_CATEGORY: {
        if (json_type(with) != JSON_STRING) {
            return -2;
        }
        int order = compare_texts(value->text, json_text(with));
        return order < 0 ? -1 : order > 0;
    }
    case PROFILE_NULL: return -2;
    }
    return !numeric ? -2 : left < right ? -1 : left > right;
}

static bool ref_holds(const struct ref_value *value, struct slice op, json_value with)
{
    if (slice_equal_cstr(op, "in")) {
        for (struct json_iterator each = json_iterate(with); json_next(&each);) {
            if (compare_values(value, each.value) == 0) {
                return true;
            }
        }
        return false;
    }
    if (slice_equal_cstr(op, "exists")) {
        return true;
    }
    const bool textual = value->kind == PROFILE_TEXT || value->kind == PROFILE_CATEGORY;
    if (slice_equal_cstr(op, "contains") || slice_equal_cstr(op, "starts_with")) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "%.*s", SLICE_ARGS(json_text(with)));
        const char *found = textual ? strcasestr(value->text, wanted) : NULL;
        return found != NULL && (slice_equal_cstr(op, "contains") || found == value->text);
    }
    const int order = compare_values(value, with);
    if (slice_equal_cstr(op, "ne")) {
        return order != 0;
    }
    if (order == -2) {
        return false;
    }
    return slice_equal_cstr(op, "eq")    ? order == 0
           : slice_equal_cstr(op, "lt")  ? order < 0
           : slice_equal_cstr(op, "lte") ? order <= 0
           : slice_equal_cstr(op, "gt")  ? order > 0
                                         : order >= 0;
}

static bool ref_leaf(const struct ref_person *person, json_value leaf)
{
    const struct slice name = json_text(json_get(leaf, "field"));
    const struct slice op = json_text(json_get(leaf, "op"));
    bool some = false;
    bool one = false;
    bool all = true;
    for (size_t f = 0; f < FIELDS; f++) {
        if (!slice_equal_cstr(name, field_names[f])) {
            continue;
        }
        struct ref_value values[1 + TAGS];
        size_t count = 0;
        if (person->values[f].kind != PROFILE_NULL) {
            values[count++] = person->values[f];
        }
        for (size_t t = 0; t < TAGS && strcmp(field_names[f], "tags") == 0; t++) {
            if (person->tags[t] != NULL) {
                values[count++] = (struct ref_value){.kind = PROFILE_TEXT, .text = person->tags[t]};
            }
        }
        for (size_t i = 0; i < count; i++) {
            const bool holds = ref_holds(&values[i], op, json_get(leaf, "value"));
            some = true;
            one = one || holds;
            all = all && holds;
        }
    }
    return some && (slice_equal_cstr(op, "ne") ? all : one);
}

static bool ref_condition(const struct ref_person *person, json_value node)
{
    if (json_get(node, "not") != NULL) {
        return !ref_condition(person, json_get(node, "not"));
    }
    const bool all = json_get(node, "all") != NULL;
    if (!all && json_get(node, "any") == NULL) {
        return ref_leaf(person, node);
    }
    for (struct json_iterator each = json_iterate(json_get(node, all ? "all" : "any")); json_next(&each);) {
        if (ref_condition(person, each.value) != all) {
            return !all;
        }
    }
    return all;
}

static bool ref_lists(json_value list, uint32_t number)
{
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        const uint32_t listed = (uint32_t)atoi(json_text(each.value).data + 1);
        if (listed <= people_last(world.people) && people[listed].root == number) {
            return true;
        }
    }
    return false;
}

/* How each phrase comes to each cohort, made anew from the definitions' JSON; method 0: it does not. */
struct ref_hit {
    uint8_t method;
    float confidence;
    struct slice text;
};
static struct ref_hit ref_hits[PHRASES][COHORTS];

static void ref_rules(void)
{
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    static struct rule_hit hits[RULE_HITS_MAX];
    for (uint32_t c = 0; c < COHORTS; c++) {
        if (ref_cohorts[c].used) {
            json_value root = json_root(ref_cohorts[c].document);
            json_value list = json_get(root, "phrases");
            for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
                REQUIRE(rules_builder_add(builder, c, json_text(each.value), NULL) == ERR_OK);
            }
            list = json_get(root, "not_phrases");
            for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
                REQUIRE(rules_builder_add_not(builder, c, json_text(each.value), NULL) == ERR_OK);
            }
        }
    }
    REQUIRE(rules_build(builder, &rules) == ERR_OK);
    for (uint32_t p = 0; p < PHRASES; p++) {
        const size_t count = rules_match(rules, slice_from_cstr(phrase_texts[p]), hits);
        for (size_t i = 0; i < count; i++) {
            /* The text must outlive the rules: the JSON has it. */
            json_value list = json_get(json_root(ref_cohorts[hits[i].cohort].document), "phrases");
            struct ref_hit *hit = &ref_hits[p][hits[i].cohort];
            *hit = (struct ref_hit){hits[i].method, hits[i].confidence, SLICE_NONE};
            for (struct json_iterator each = json_iterate(list); json_next(&each);) {
                if (hit->text.data == NULL && slice_equal(json_text(each.value), rules_pattern_text(rules, hits[i].pattern))) {
                    hit->text = json_text(each.value);
                }
            }
        }
    }
    rules_destroy(rules);
    rules_builder_destroy(builder);
}

/* Does this one pattern speak about the phrase (never by typo)? */
static bool ref_speaks(struct slice pattern, struct slice phrase)
{
    static struct rule_hit hits[RULE_HITS_MAX];
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    EXPECT(rules_builder_add(builder, 0, pattern, NULL) == ERR_OK && rules_build(builder, &rules) == ERR_OK);
    const size_t count = rules_match(rules, phrase, hits);
    rules_destroy(rules);
    rules_builder_destroy(builder);
    return count > 0 && hits[0].method != RULE_TYPO;
}

static bool ref_lists_phrase(json_value list, struct slice phrase, struct slice *text)
{
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        char a[PHRASE_FOLD_MAX];
        char b[PHRASE_FOLD_MAX];
        const size_t length = phrase_fold(phrase, a);
        if (length > 0 && slice_equal(slice_of(a, length), slice_of(b, phrase_fold(json_text(each.value), b)))) {
            *text = json_text(each.value);
            return true;
        }
    }
    return false;
}

static size_t ref_embeddings(json_value list, int8_t (*out)[EMBEDDING_SIZE])
{
    size_t count = 0;
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        struct verdict verdict;
        table_verdict(&table, json_text(each.value), &verdict);
        memcpy(out[count++], verdict.embedding, EMBEDDING_SIZE);
    }
    return count;
}

static float ref_likeness(json_value root, const struct verdict *verdict)
{
    static int8_t positives[64][EMBEDDING_SIZE];
    static int8_t negatives[64][EMBEDDING_SIZE];
    static const int8_t nothing[EMBEDDING_SIZE];
    struct examples_scorer scorer;
    const size_t positive_count = ref_embeddings(json_get(root, "examples"), positives);
    const size_t negative_count = ref_embeddings(json_get(root, "not_examples"), negatives);
    if (positive_count == 0 || memcmp(verdict->embedding, nothing, EMBEDDING_SIZE) == 0) {
        return 0;
    }
    examples_fit((const int8_t(*)[EMBEDDING_SIZE])positives, positive_count, (const int8_t(*)[EMBEDDING_SIZE])negatives,
                 negative_count, &scorer);
    return examples_score(&scorer, verdict->embedding);
}

static void ref_model(uint32_t p, uint32_t c)
{
    json_value root = json_root(ref_cohorts[c].document);
    const struct slice phrase = slice_from_cstr(phrase_texts[p]);
    struct ref_hit *hit = &ref_hits[p][c];
    json_value list = json_get(root, "not_phrases");
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        if (ref_speaks(json_text(each.value), phrase)) {
            return;
        }
    }
    if (ref_lists_phrase(json_get(root, "examples"), phrase, &hit->text)) {
        *hit = (struct ref_hit){HIT_EXAMPLE, 1, hit->text};
        return;
    }
    struct slice ignored;
    if (!answered[p] || ref_lists_phrase(json_get(root, "not_examples"), phrase, &ignored)) {
        return;
    }
    struct verdict verdict;
    table_verdict(&table, phrase, &verdict);
    json_value least = json_get(root, "min_confidence");
    for (size_t i = 0; json_get(root, "topic") != NULL && i < verdict.topic_count; i++) {
        const struct slice topic = json_text(json_get(root, "topic"));
        const float confidence = (float)verdict.topics[i].confidence / (float)VERDICT_CONFIDENCE_ONE;
        if (slice_equal_ignoring_case(table_topics[verdict.topics[i].topic], topic) &&
            confidence >= (least != NULL ? (float)json_double_of(least) : 0)) {
            *hit = (struct ref_hit){HIT_TOPIC, confidence, topic};
        }
    }
    const float likeness = ref_likeness(root, &verdict);
    if (likeness >= 0.5F && likeness > hit->confidence) {
        *hit = (struct ref_hit){HIT_SIMILAR, likeness, SLICE_NONE};
    }
}

static uint64_t hits_seen[HIT_TOPIC + 1];

static void ref_match_phrases(void)
{
    memset(ref_hits, 0, sizeof ref_hits);
    ref_rules();
    for (uint32_t p = 0; p < PHRASES; p++) {
        size_t count = 0;
        for (uint32_t c = 0; c < COHORTS; c++) {
            if (ref_cohorts[c].used && ref_hits[p][c].method == 0) {
                ref_model(p, c);
            }
            count += ref_hits[p][c].method != 0;
            hits_seen[ref_hits[p][c].method]++;
        }
        /* What is stored for the phrase must be the same, with texts that are the cohort's own. */
        const uint32_t id = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        size_t stored_count = 0;
        if (id == PHRASE_NONE) {
            continue;
        }
        const struct rule_hit *stored = phrases_hits(world.phrases, id, &stored_count);
        REQUIRE(phrases_classified(world.phrases, id) && stored_count == count, ": '%s'", phrase_texts[p]);
        REQUIRE(phrases_is_pending(world.phrases, id) == !answered[p], ": '%s'", phrase_texts[p]);
        struct verdict verdict;
        table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdict);
        REQUIRE(bitmap_contains(phrases_unclassified(world.phrases), id) ==
                (answered[p] && verdict.topic_count == 0 && count == 0));
        for (uint32_t c = 0; c < COHORTS; c++) {
            const struct ref_hit *hit = &ref_hits[p][c];
            const uint32_t cohort = cohorts_find(cohorts, slice_from_cstr(ref_cohorts[c].name));
            bool found = hit->method == 0;
            for (size_t j = 0; hit->method != 0 && j < stored_count; j++) {
                found = found || (stored[j].cohort == cohort && stored[j].method == hit->method &&
                                  stored[j].confidence == hit->confidence &&
                                  slice_equal(cohorts_hit_text(cohorts, &stored[j]), hit->text));
            }
            REQUIRE(found, ": '%s' in %s by %s: %s", phrase_texts[p], ref_cohorts[c].name, hit_method_name(hit->method),
                    ref_cohorts[c].json);
        }
    }
}

static bool ref_member(uint32_t c, uint32_t number)
{
    const struct ref_person *person = &people[number];
    json_value root = json_root(ref_cohorts[c].document);
    if (!person->alive || ref_lists(json_get(root, "exclude"), number)) {
        return false;
    }
    if (ref_lists(json_get(root, "include"), number)) {
        return true;
    }
    const bool phrases = json_count(json_get(root, "phrases")) > 0 || json_get(root, "topic") != NULL ||
                         json_count(json_get(root, "examples")) > 0;
    json_value where = json_get(root, "where");
    bool hit = false;
    for (size_t p = 0; p < PHRASES; p++) {
        hit = hit || (person->interests[p] && ref_hits[p][c].method != 0);
    }
    if (!phrases && where == NULL) {
        return false;
    }
    return (!phrases || hit) && (where == NULL || ref_condition(person, where));
}

static void expect_same(int step)
{
    static uint32_t ids[COHORTS_MAX];
    uint32_t count = 0;
    const uint32_t last = people_last(world.people);
    ref_match_phrases();
    for (uint32_t c = 0; c < COHORTS; c++) {
        count += ref_cohorts[c].used;
        const uint32_t id = cohorts_find(cohorts, slice_from_cstr(ref_cohorts[c].name));
        REQUIRE((id != COHORT_NONE) == ref_cohorts[c].used, ": step %d", step);
        if (!ref_cohorts[c].used) {
            continue;
        }
        REQUIRE(cohorts_sequence(cohorts, id) == ref_cohorts[c].sequence);
        uint64_t members = 0;
        for (uint32_t number = 1; number <= last; number++) {
            const bool wanted = ref_member(c, number);
            members += wanted;
            REQUIRE(bitmap_contains(cohorts_members(cohorts, id), number) == wanted,
                    ": step %d, person %u should %sbe in %s: %s", step, number, wanted ? "" : "not ", ref_cohorts[c].name,
                    ref_cohorts[c].json);
        }
        REQUIRE(bitmap_count(cohorts_members(cohorts, id)) == members, ": step %d", step);
    }
    REQUIRE(cohorts_count(cohorts) == count);
    for (uint32_t rank = 1; rank < count; rank++) {
        REQUIRE(slice_compare(cohort_definition_name(cohorts_definition(cohorts, cohorts_at(cohorts, rank - 1))),
                              cohort_definition_name(cohorts_definition(cohorts, cohorts_at(cohorts, rank)))) < 0);
    }
    for (uint32_t number = 1; number <= last; number++) {
        if (!people[number].alive) {
            continue;
        }
        struct profile_view view;
        profile_view_open(people[number].blob, &view);
        const size_t found = cohorts_of_person(cohorts, &view, ids, COHORTS_MAX);
        size_t at = 0;
        for (uint32_t rank = 0; rank < count; rank++) {
            const bool in = bitmap_contains(cohorts_members(cohorts, cohorts_at(cohorts, rank)), number);
            REQUIRE(!in || (at < found && ids[at] == cohorts_at(cohorts, rank)), ": step %d person %u", step, number);
            at += in;
        }
        REQUIRE(at == found, ": step %d person %u", step, number);
        REQUIRE(cohorts_of_person(cohorts, &view, ids, 1) == (found > 0));
    }
    const char *reason = "";
    REQUIRE(cohorts_validate(cohorts, &reason), ": step %d: %s", step, reason);
}

/* ---- random operations ------------------------------------------------------------------------ */

static struct ref_value random_value(struct prng *prng)
{
    static const double numbers[] = {0.5, -1.5, 18, 2.5, 1e300};
    struct ref_value value = {.kind = (enum profile_value_kind)prng_below(prng, 6)};
    value.integer = prng_below(prng, 2) == 0 ? (int64_t)prng_below(prng, 7) - 3 : (int64_t)prng_below(prng, 4) * 6;
    value.number = numbers[prng_below(prng, ARRAY_COUNT(numbers))];
    value.boolean = prng_below(prng, 2) == 0;
    value.text = value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
    return value;
}

static void change_person(struct prng *prng, struct ref_person *person)
{
    for (size_t n = 1 + prng_below(prng, 3); n > 0; n--) {
        const uint64_t what = prng_below(prng, 10);
        if (what < 4) {
            const size_t phrase = prng_below(prng, PHRASES);
            person->interests[phrase] = !person->interests[phrase];
        } else if (what < 9) {
            person->values[prng_below(prng, FIELDS)] = random_value(prng);
        } else {
            person->tags[prng_below(prng, TAGS)] =
                prng_below(prng, 2) == 0 ? NULL : value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
        }
    }
}

static uint32_t random_living(struct prng *prng)
{
    for (int tries = 0; tries < 50 && people_last(world.people) > 0; tries++) {
        const uint32_t number = 1 + (uint32_t)prng_below(prng, people_last(world.people));
        if (people[number].alive) {
            return number;
        }
    }
    return PERSON_NONE;
}

static void merge(struct prng *prng)
{
    const uint32_t a = random_living(prng);
    const uint32_t b = random_living(prng);
    if (a == PERSON_NONE || b == PERSON_NONE || a == b) {
        return;
    }
    const uint32_t winner = people_union(world.people, a, b);
    const uint32_t loser = winner == a ? b : a;
    cohorts_person_merged(cohorts, loser, winner);
    for (uint32_t number = 1; number <= people_last(world.people); number++) {
        people[number].root = people[number].root == loser ? winner : people[number].root;
    }
    for (size_t p = 0; p < PHRASES; p++) {
        people[winner].interests[p] = people[winner].interests[p] || people[loser].interests[p];
    }
    for (size_t f = 0; f < FIELDS; f++) {
        if (people[winner].values[f].kind == PROFILE_NULL) {
            people[winner].values[f] = people[loser].values[f];
        }
    }
    people[loser].alive = false;
    publish(loser);
    publish(winner);
}

static size_t put(char *out, size_t at, const char *format, ...) PRINTF_LIKE(3, 4);
static size_t put(char *out, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out + at, DEFINITION_MAX - at, format, args);
    va_end(args);
    CHECK(length >= 0 && (size_t)length < DEFINITION_MAX - at);
    return at + (size_t)length;
}

static size_t put_value(struct prng *prng, char *out, size_t at, bool text, bool ordered)
{
    static const char *const numbers[] = {"0", "6", "12", "5.5", "-1.5", "18.0", "1e300", "-6", "2.5", "-1e30"};
    const uint64_t kind = text ? 0 : prng_below(prng, ordered ? 2 : 3);
    if (kind == 0) {
        const char *value = value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
        return put(out, at, "\"%.*s\"", text ? 1 + (int)prng_below(prng, 4) : 20, value);
    }
    return kind == 1 ? put(out, at, "%s", numbers[prng_below(prng, ARRAY_COUNT(numbers))])
                     : put(out, at, "%s", prng_below(prng, 2) == 0 ? "true" : "false");
}

static size_t put_condition(struct prng *prng, char *out, size_t at, int depth)
{
    static const char *const ops[] = {"eq", "ne", "lt", "lte", "gt", "gte", "in", "exists", "contains", "starts_with"};
    const uint64_t kind = prng_below(prng, depth > 0 ? 6 : 3);
    if (kind == 3) {
        at = put(out, at, "{\"not\":");
        at = put_condition(prng, out, at, depth - 1);
        return put(out, at, "}");
    }
    if (kind > 3) {
        at = put(out, at, "{\"%s\":[", kind == 4 ? "all" : "any");
        for (size_t n = 1 + prng_below(prng, 2), i = 0; i < n; i++) {
            at = put(out, at, i > 0 ? "," : "");
            at = put_condition(prng, out, at, depth - 1);
        }
        return put(out, at, "]}");
    }
    const uint64_t op = prng_below(prng, ARRAY_COUNT(ops));
    at = put(out, at, "{\"field\":\"%s\",\"op\":\"%s\"", field_names[prng_below(prng, FIELDS)], ops[op]);
    if (op == 6) {
        at = put(out, at, ",\"value\":[");
        at = put_value(prng, out, at, false, false);
        at = put(out, at, ",");
        at = put_value(prng, out, at, false, false);
        at = put(out, at, "]");
    } else if (op != 7) {
        at = put(out, at, ",\"value\":");
        at = put_value(prng, out, at, op > 7, op >= 2 && op <= 5);
    }
    return put(out, at, "}");
}

static size_t put_patterns(struct prng *prng, char *out, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at = put(out, at, "%s\"%s\"", i > 0 ? "," : "", pattern_texts[prng_below(prng, ARRAY_COUNT(pattern_texts))]);
    }
    return at;
}

/* Each phrase stands at most once, and in one list. */
static size_t put_examples(struct prng *prng, char *out, size_t at, const char *first, const char *second, bool more)
{
    const char *lists[2] = {first, second};
    const size_t begin = prng_below(prng, PHRASES - 1); /* not "???", which folds to nothing */
    size_t used = 0;
    for (size_t list = 0; list < 2; list++) {
        const size_t count = prng_below(prng, 4) + (list == 0);
        at = put(out, at, "%s\"%s\":[", more || list > 0 ? "," : "", lists[list]);
        for (size_t i = 0; i < count; i++, used++) {
            /* In steps of two: the two that fold alike are never both in. */
            at = put(out, at, "%s\"%s\"", i > 0 ? "," : "", phrase_texts[(begin + 2 * used) % (PHRASES - 1)]);
        }
        at = put(out, at, "]");
    }
    return at;
}

static size_t put_people(struct prng *prng, char *out, size_t at, const char *member)
{
    if (prng_below(prng, 4) != 0) {
        return at;
    }
    at = put(out, at, ",\"%s\":[", member);
    for (size_t n = 1 + prng_below(prng, 3), i = 0; i < n; i++) {
        at = put(out, at, "%s\"p%llu\"", i > 0 ? "," : "", (unsigned long long)(1 + prng_below(prng, people_last(world.people) + 5)));
    }
    return put(out, at, "]");
}

static void random_definition(struct prng *prng, char *out)
{
    size_t at = put(out, 0, "{\"description\":\"d\"");
    if (prng_below(prng, 4) > 0) {
        at = put(out, at, ",\"phrases\":[");
        at = put_patterns(prng, out, at, prng_below(prng, 7));
        at = put(out, at, "],\"not_phrases\":[");
        at = put_patterns(prng, out, at, prng_below(prng, 3));
        at = put(out, at, "]");
    }
    if (prng_below(prng, 3) == 0) {
        static const char *const topics[] = {"Sports", "music", "FOOD & drink", "Astrology"};
        at = put(out, at, ",\"topic\":\"%s\"", topics[prng_below(prng, ARRAY_COUNT(topics))]);
        if (prng_below(prng, 2) == 0) {
            at = put(out, at, ",\"min_confidence\":0.%u", 5 + (unsigned)prng_below(prng, 5));
        }
    }
    if (prng_below(prng, 3) == 0) {
        at = put_examples(prng, out, at, "examples", "not_examples", true);
    }
    if (prng_below(prng, 3) == 0) {
        at = put(out, at, ",\"where\":");
        at = put_condition(prng, out, at, 3);
    }
    at = put_people(prng, out, at, "include");
    at = put_people(prng, out, at, "exclude");
    (void)put(out, at, "}");
}

/* Half the time keep the old one's text but for an appended phrase or a new description. */
static void vary_definition(struct prng *prng, char *out, const struct ref_cohort *old)
{
    const char *list = old->used ? strstr(old->json, "\"phrases\":[\"") : NULL;
    if (list == NULL || prng_below(prng, 2) == 0) {
        random_definition(prng, out);
        return;
    }
    const size_t head = (size_t)(list - old->json) + strlen("\"phrases\":[");
    if (strlen(old->json) + 40 > DEFINITION_MAX) {
        random_definition(prng, out);
        return;
    }
    snprintf(out, DEFINITION_MAX, "%.*s\"%s\",%s", (int)head, old->json,
             pattern_texts[prng_below(prng, ARRAY_COUNT(pattern_texts))], old->json + head);
}

static void correct_definition(struct prng *prng, const struct cohort_definition *definition, char *out)
{
    char feedback[DEFINITION_MAX];
    struct buffer text;
    struct error error = {0};
    buffer_init(&text, DEFINITION_MAX);
    size_t at = put(feedback, 0, "{");
    at = put_examples(prng, feedback, at, "positive", "negative", false);
    (void)put(feedback, at, "}");
    REQUIRE(cohort_definition_correct(definition, slice_from_cstr(feedback), &text, &error) == ERR_OK && !text.failed, ": %s",
            error.message);
    (void)put(out, 0, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_deinit(&text);
}

/* Verdicts for phrases that wait: one by one, or several at once, some of which are thrown away. */
static void answer_phrases(struct prng *prng)
{
    struct cohorts_answer answers[PHRASES];
    struct verdict verdicts[PHRASES];
    bool taken[PHRASES] = {false};
    size_t count = 0;
    const bool together = prng_below(prng, 2) == 0;
    const bool commit = prng_below(prng, 4) > 0;
    for (uint32_t p = 0; p < PHRASES; p++) {
        const uint32_t id = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        if (id == PHRASE_NONE || prng_below(prng, 3) > 0) {
            continue;
        }
        table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdicts[count]);
        if (!together) {
            EXPECT(cohorts_answer_phrase(cohorts, id, &verdicts[count]) == ERR_OK);
            answered[p] = true;
        } else {
            answers[count] = (struct cohorts_answer){id, &verdicts[count]};
            taken[p] = true;
            count++;
        }
    }
    struct cohorts_change *change = NULL;
    if (together) {
        REQUIRE(cohorts_prepare_verdicts(cohorts, answers, count, &change, NULL) == ERR_OK);
        if (commit) {
            cohorts_commit(cohorts, change);
        }
        cohorts_change_destroy(change);
        for (uint32_t p = 0; p < PHRASES; p++) {
            answered[p] = answered[p] || (taken[p] && commit);
        }
    }
}

static void edit_definitions(struct prng *prng)
{
    struct cohorts_edit edits[4];
    static struct ref_cohort planned[COHORTS];
    memcpy(planned, ref_cohorts, sizeof planned);
    struct json_document *documents[4] = {NULL};
    const bool commit = prng_below(prng, 5) > 0;
    const bool missing = prng_below(prng, 10) == 0;
    size_t count = 1 + prng_below(prng, 3);
    for (size_t i = 0; i < count; i++) {
        const uint32_t c = (uint32_t)prng_below(prng, COHORTS);
        const bool delete = planned[c].used && prng_below(prng, 3) == 0;
        /* Names compare without case; the reference's spelling is the last one put. */
        edits[i] = (struct cohorts_edit){.name = slice_from_cstr(ref_cohorts[c].name), .sequence = ++sequence, .changed_at_us = 5};
        if (delete) {
            planned[c].used = false;
            continue;
        }
        static struct ref_cohort before;
        before = planned[c];
        const uint32_t id = cohorts_find(cohorts, edits[i].name);
        if (i == 0 && id != COHORT_NONE && prng_below(prng, 3) == 0) {
            correct_definition(prng, cohorts_definition(cohorts, id), planned[c].json);
        } else {
            vary_definition(prng, planned[c].json, &before);
        }
        planned[c].used = true;
        planned[c].sequence = sequence;
        struct error error = {0};
        REQUIRE(cohort_definition_parse(edits[i].name, slice_from_cstr(planned[c].json), &edits[i].definition, &error) == ERR_OK,
                ": %s", error.message);
        REQUIRE(json_read(slice_from_cstr(planned[c].json), &documents[i], NULL) == ERR_OK);
        planned[c].document = documents[i];
    }
    if (missing) {
        edits[count++] = (struct cohorts_edit){.name = SLICE_LITERAL("never there")};
    }
    struct cohorts_change *change = NULL;
    const uint64_t generation = cohorts_generation(cohorts);
    err e = cohorts_prepare(cohorts, edits, count, &change, NULL);
    REQUIRE(e == (missing ? ERR_NOT_FOUND : ERR_OK));
    if (e == ERR_OK && commit) {
        cohorts_commit(cohorts, change);
        EXPECT(cohorts_generation(cohorts) == generation + 1);
        for (uint32_t c = 0; c < COHORTS; c++) {
            const bool replaced = ref_cohorts[c].document != planned[c].document || !planned[c].used;
            if (ref_cohorts[c].used && replaced) {
                json_document_destroy(ref_cohorts[c].document);
            }
            ref_cohorts[c] = planned[c];
            ref_cohorts[c].document = planned[c].used ? planned[c].document : NULL;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(documents); i++) {
        bool kept = false;
        for (uint32_t c = 0; c < COHORTS; c++) {
            kept = kept || (documents[i] != NULL && ref_cohorts[c].document == documents[i]);
        }
        if (!kept) {
            json_document_destroy(documents[i]);
        }
    }
    cohorts_change_destroy(change);
}

static void one_step(struct prng *prng)
{
    uint32_t number = random_living(prng);
    const uint64_t what = prng_below(prng, 40);
    if ((what < 6 || number == PERSON_NONE) && people_last(world.people) < PEOPLE_MAX) {
        REQUIRE(people_add(world.people, &number) == ERR_OK);
        people[number] = (struct ref_person){.alive = true, .root = number};
        change_person(prng, &people[number]);
        publish(number);
    } else if (number == PERSON_NONE) {
        return;
    } else if (what < 28) {
        change_person(prng, &people[number]);
        publish(number);
    } else if (what < 29) {
        memset(people[number].interests, 0, sizeof people[number].interests);
        people[number].alive = false;
        publish(number);
    } else if (what < 31) {
        merge(prng);
    } else if (what < 32) {
        const uint32_t id = phrases_find(world.phrases, slice_from_cstr(phrase_texts[prng_below(prng, PHRASES)]));
        if (id != PHRASE_NONE) {
            /* As if the answer had come late: forgotten, then asked again. */
            EXPECT(phrases_classify(world.phrases, id, NULL, 0) == ERR_OK);
            EXPECT(cohorts_rebuild(cohorts) == ERR_OK);
            EXPECT(cohorts_classify_phrase(cohorts, id) == ERR_OK);
        }
    } else if (what < 33) {
        EXPECT(cohorts_rebuild(cohorts) == ERR_OK);
    } else if (what < 35) {
        answer_phrases(prng);
    } else {
        edit_definitions(prng);
    }
}

static void world_create(void)
{
    world = (struct cohort_world){.people = people_create(), .phrases = phrases_create(seed), .attributes = attributes_create(),
                                  .names = names_create(seed)};
    table_classifier_init(&table, 1, NULL, 0);
    world.classifier = &table.door;
    memset(answered, 0, sizeof answered);
    cohorts = cohorts_create(&world);
    memset(people, 0, sizeof people);
    memset(ref_cohorts, 0, sizeof ref_cohorts);
    for (uint32_t c = 0; c < COHORTS; c++) {
        snprintf(ref_cohorts[c].name, sizeof ref_cohorts[c].name, "%s %u", c % 2 == 0 ? "Cohort" : "Topic", c);
    }
}

static void world_destroy(void)
{
    cohorts_destroy(cohorts);
    for (uint32_t number = 1; number <= PEOPLE_MAX; number++) {
        free(people[number].blob);
    }
    for (uint32_t c = 0; c < COHORTS; c++) {
        json_document_destroy(ref_cohorts[c].document);
    }
    people_destroy(world.people, NULL);
    phrases_destroy(world.phrases);
    attributes_destroy(world.attributes);
    names_destroy(world.names);
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    for (int round = 0; round < 8; round++) {
        world_create();
        for (int step = 1; step <= 1200 && atomic_load(&test_failures_here) == 0; step++) {
            one_step(&prng);
            if (step % 4 == 0 || step < 50) {
                expect_same(step);
            }
        }
        world_destroy();
    }
    for (uint8_t method = 0; method <= HIT_TOPIC; method++) {
        EXPECT(hits_seen[method] > 0, ": nothing came by %s", hit_method_name(method));
    }
}

/* ---- by hand ---------------------------------------------------------------------------------- */

static err put_cohort(const char *name, const char *json)
{
    struct cohorts_edit edit = {.name = slice_from_cstr(name), .sequence = ++sequence};
    struct cohorts_change *change = NULL;
    struct error error = {0};
    err e = json == NULL ? ERR_OK : cohort_definition_parse(edit.name, slice_from_cstr(json), &edit.definition, &error);
    if (e == ERR_OK) {
        e = cohorts_prepare(cohorts, &edit, 1, &change, &error);
    }
    if (e == ERR_OK) {
        cohorts_commit(cohorts, change);
    }
    cohorts_change_destroy(change);
    return e;
}

static void test_names(void)
{
    world_create();
    EXPECT(cohorts_count(cohorts) == 0 && cohorts_find(cohorts, SLICE_LITERAL("x")) == COHORT_NONE);
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("sports")).data == NULL);
    EXPECT(put_cohort("Sports", "{}") == ERR_OK && put_cohort("Technology", "{}") == ERR_OK);
    EXPECT(put_cohort("Home & Garden", "{}") == ERR_OK && put_cohort("Mode à Paris", "{}") == ERR_OK);
    const uint32_t sports = cohorts_find(cohorts, SLICE_LITERAL("SPORTS"));
    REQUIRE(sports != COHORT_NONE);
    EXPECT(cohorts_find(cohorts, SLICE_LITERAL("MODE À PARIS")) != COHORT_NONE);
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("sprots")), "Sports"));
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("tech")), "Technology"));
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("home and gardn")), "Home & Garden"));
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("astrophysics")).data == NULL);
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("??")).data == NULL);
    /* A new spelling of the name replaces the cohort, under the same id. */
    EXPECT(put_cohort("SPORTS", "{\"phrases\": [\"golf\"]}") == ERR_OK && cohorts_count(cohorts) == 4);
    EXPECT(cohorts_find(cohorts, SLICE_LITERAL("sports")) == sports);
    EXPECT(slice_equal_cstr(cohort_definition_name(cohorts_definition(cohorts, sports)), "SPORTS"));
    struct rule_hit *hits = calloc(RULE_HITS_MAX, sizeof *hits);
    EXPECT(cohorts_match_phrase(cohorts, SLICE_LITERAL("Golf"), hits) == 1 && hits[0].cohort == sports);
    EXPECT(slice_equal_cstr(cohorts_pattern_text(cohorts, sports, hits[0].pattern), "golf"));
    free(hits);
    EXPECT(put_cohort("sPorts", NULL) == ERR_OK && cohorts_count(cohorts) == 3);
    EXPECT(put_cohort("sPorts", NULL) == ERR_NOT_FOUND);
    EXPECT(put_cohort("x", "{\"include\": [{\"email\": \"a@b.c\"}]}") == ERR_INVALID);
    EXPECT(cohorts_count(cohorts) == 3);
    world_destroy();
}

static void test_too_many(void)
{
    world_create();
    struct cohorts_edit *edits = calloc(COHORTS_MAX + 1, sizeof *edits);
    struct cohorts_change *change = NULL;
    char name[32];
    for (int extra = 1; extra >= 0; extra--) {
        for (uint32_t i = 0; i < COHORTS_MAX + (uint32_t)extra; i++) {
            snprintf(name, sizeof name, "c%u", i);
            REQUIRE(cohort_definition_parse(slice_from_cstr(name), SLICE_LITERAL("{\"phrases\": [\"golf\"]}"),
                                            &edits[i].definition, NULL) == ERR_OK);
        }
        err e = cohorts_prepare(cohorts, edits, COHORTS_MAX + (size_t)extra, &change, NULL);
        REQUIRE(e == (extra ? ERR_TOO_LARGE : ERR_OK));
    }
    cohorts_commit(cohorts, change);
    cohorts_change_destroy(change);
    free(edits);
    /* One phrase in all of them. */
    uint32_t number = 0;
    REQUIRE(people_add(world.people, &number) == ERR_OK);
    people[number] = (struct ref_person){.alive = true, .root = number};
    people[number].interests[8] = true; /* golf */
    publish(number);
    static uint32_t ids[COHORTS_MAX];
    struct profile_view view;
    profile_view_open(people[number].blob, &view);
    EXPECT(cohorts_of_person(cohorts, &view, ids, COHORTS_MAX) == COHORTS_MAX);
    EXPECT(bitmap_count(cohorts_members(cohorts, ids[COHORTS_MAX - 1])) == 1);
    const char *reason = "";
    EXPECT(cohorts_validate(cohorts, &reason), ": %s", reason);
    world_destroy();
}

static void test_failing_memory(void)
{
    static const char *const jsons[] = {
        "{\"phrases\": [\"cricket\", \"golf *\"]}",
        "{\"phrases\": [\"football\"], \"where\": {\"any\": [{\"field\": \"plan.tier\", \"op\": \"eq\", \"value\": \"gold\"},"
        "{\"field\": \"tags\", \"op\": \"exists\"}]}, \"include\": [\"p1\"], \"exclude\": [\"p2\"]}",
    };
    world_create();
    for (uint32_t n = 1; n <= 3; n++) {
        uint32_t number = 0;
        REQUIRE(people_add(world.people, &number) == ERR_OK);
        people[number] = (struct ref_person){.alive = true, .root = number};
        memset(people[number].interests, 1, sizeof people[number].interests);
        people[number].tags[0] = "beta";
        publish(number);
    }
    struct cohorts *made_before = cohorts;
    for (uint64_t n = 1;; n++) {
        /* Every block from here on: the cohorts themselves, two changes, one of them not committed. */
        failing_memory_begin(n);
        err e = ERR_MEMORY;
        struct cohorts_change *change = NULL;
        cohorts = cohorts_create(&world);
        if (cohorts != NULL) {
            e = ERR_OK;
            cohorts_destroy(cohorts);
        }
        for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(jsons); i++) {
            struct cohorts_edit edit = {.definition = NULL};
            e = cohort_definition_parse(SLICE_LITERAL("a"), slice_from_cstr(jsons[i]), &edit.definition, NULL);
            if (e == ERR_OK) {
                e = cohorts_prepare(made_before, &edit, 1, &change, NULL);
                EXPECT(edit.definition == NULL);
            }
            if (e == ERR_OK) {
                cohorts_change_destroy(change);
            }
        }
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, ": %lld at %llu", (long long)end.live_blocks, (unsigned long long)n);
        EXPECT(cohorts_count(made_before) == 0);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY, ": %d at %llu", e, (unsigned long long)n);
    }
    cohorts = made_before;
    world_destroy();
}

int main(void)
{
    seed = test_seed();
    RUN(test_random);
    RUN(test_names);
    RUN(test_too_many);
    RUN(test_failing_memory);
    return test_summary();
}
