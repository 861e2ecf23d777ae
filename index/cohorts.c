/* Making, loading and reading; changes are in cohorts_change.c and cohorts_person.c. */
#include "index/cohorts.h"

#include "base/memory.h"
#include "classifier/fold.h"
#include "cohorts_internal.h"

struct cohorts *cohorts_create(const struct cohort_world *world)
{
    struct cohorts *cohorts = memory_zalloc(sizeof *cohorts);
    if (cohorts == NULL) {
        return NULL;
    }
    cohorts->world = *world;
    phrases_expect_version(world->phrases,
                           world->classifier != NULL ? world->classifier->version : 0);
    if (cohorts_state_create(NULL, 0, &cohorts->state) != ERR_OK ||
        cohorts_state_build_rules(cohorts->state) != ERR_OK) {
        cohorts_state_destroy(cohorts->state);
        memory_free(cohorts);
        return NULL;
    }
    cohorts->everybody = bitmap_create();
    return cohorts;
}

void cohorts_destroy(struct cohorts *cohorts)
{
    if (cohorts == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < cohorts->state->slot_count; slot++) {
        cohort_destroy(cohorts->state->slots[slot]);
    }
    rules_destroy(cohorts->state->rules);
    cohorts_state_destroy(cohorts->state);
    for (uint32_t i = 0; i < cohorts->item_holders_capacity; i++) {
        bitmap_destroy(cohorts->item_holders[i]);
    }
    memory_free(cohorts->item_holders);
    bitmap_destroy(cohorts->everybody);
    memory_free(cohorts);
}

/* ---- loading ---- */

static err classify_all(struct cohorts *cohorts)
{
    struct phrases *phrases = cohorts->world.phrases;
    const uint32_t limit = phrases_limit(phrases);
    err e = ERR_OK;
    for (uint32_t id = 0; e == ERR_OK && id < limit; id++) {
        const struct slice text = phrases_text(phrases, id);
        if (text.data != NULL && !phrases_classified(phrases, id)) {
            struct rule_hit hits[RULE_HITS_MAX];
            const struct cohort_question question = cohorts_question(phrases, id);
            e = phrases_classify(phrases, id, hits,
                                 cohorts_state_match(cohorts->state, &question, hits));
        }
    }
    return e;
}

/* All memberships as they follow from the definitions now; owned by caller, by slot. */
static err select_all(const struct cohorts *cohorts, struct bitmap ***out)
{
    const struct cohorts_state *state = cohorts->state;
    const size_t room = (size_t)state->slot_count + 1;
    bool *wanted = memory_zalloc(room * sizeof *wanted);
    struct bitmap **people = memory_zalloc(room * sizeof(struct bitmap *));
    err e = wanted != NULL && people != NULL ? ERR_OK : ERR_MEMORY;
    for (uint32_t slot = 0; e == ERR_OK && slot < state->slot_count; slot++) {
        wanted[slot] = state->slots[slot] != NULL;
    }
    if (e == ERR_OK) {
        e = cohorts_union_holders(cohorts, NULL, wanted, state->slot_count, people);
    }
    for (uint32_t slot = 0; e == ERR_OK && slot < state->slot_count; slot++) {
        if (state->slots[slot] != NULL) {
            people[slot] = cohorts_select(cohorts, state->slots[slot], people[slot]);
        }
    }
    memory_free(wanted);
    if (e != ERR_OK) {
        memory_free(people);
        return e;
    }
    *out = people;
    return ERR_OK;
}

err cohorts_rebuild(struct cohorts *cohorts)
{
    struct bitmap **members = NULL;
    cohorts_survey_people(cohorts);
    for (uint32_t slot = 0; slot < cohorts->state->slot_count; slot++) {
        if (cohorts->state->slots[slot] != NULL) {
            cohort_resolve_people(&cohorts->world, cohorts->state->slots[slot]);
        }
    }
    err e = classify_all(cohorts);
    if (e == ERR_OK) {
        e = select_all(cohorts, &members);
    }
    for (uint32_t slot = 0; e == ERR_OK && slot < cohorts->state->slot_count; slot++) {
        if (cohorts->state->slots[slot] != NULL) {
            bitmap_destroy(cohorts->state->slots[slot]->members);
            cohorts->state->slots[slot]->members = members[slot];
        }
    }
    memory_free(members);
    return e;
}

/* ---- reading ---- */

static const struct cohort *cohort_at(const struct cohorts *cohorts, uint32_t id)
{
    CHECK(id < cohorts->state->slot_count && cohorts->state->slots[id] != NULL);
    return cohorts->state->slots[id];
}

uint32_t cohorts_count(const struct cohorts *cohorts)
{
    return cohorts->state->count;
}

uint32_t cohorts_find(const struct cohorts *cohorts, struct slice name)
{
    return cohorts_state_find(cohorts->state, name);
}

uint32_t cohorts_at(const struct cohorts *cohorts, uint32_t rank)
{
    CHECK(rank < cohorts->state->count);
    return cohorts->state->order[rank];
}

const struct cohort_definition *cohorts_definition(const struct cohorts *cohorts, uint32_t id)
{
    return cohort_at(cohorts, id)->definition;
}

uint64_t cohorts_sequence(const struct cohorts *cohorts, uint32_t id)
{
    return cohort_at(cohorts, id)->sequence;
}

int64_t cohorts_changed_at_us(const struct cohorts *cohorts, uint32_t id)
{
    return cohort_at(cohorts, id)->changed_at_us;
}

const struct bitmap *cohorts_members(const struct cohorts *cohorts, uint32_t id)
{
    return cohort_at(cohorts, id)->members;
}

uint64_t cohorts_generation(const struct cohorts *cohorts)
{
    return cohorts->generation;
}

size_t cohorts_of_person(const struct cohorts *cohorts, const struct profile_view *view,
                         uint32_t *out, size_t max)
{
    const struct cohorts_state *state = cohorts->state;
    uint64_t hits[COHORT_WORDS_MAX];
    memset(hits, 0, state->words * sizeof(uint64_t));
    cohorts_gather_hits(cohorts, view, hits);
    size_t count = 0;
    for (size_t word = 0; word < state->words; word++) {
        for (uint64_t rest = hits[word] | state->ask_always[word]; rest != 0; rest &= rest - 1) {
            const uint32_t rank = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
            const uint32_t id = state->order[rank];
            const bool ask =
                bitset_has(state->ask_always, rank) || bitset_has(state->ask_if_hit, rank);
            if (ask && !bitmap_contains(state->slots[id]->members, view->number)) {
                continue;
            }
            if (count == max) {
                return count;
            }
            out[count++] = id;
        }
    }
    return count;
}

size_t cohorts_explain_phrase(const struct cohorts *cohorts, struct slice phrase,
                              const struct verdict *verdict, struct rule_hit hits[RULE_HITS_MAX])
{
    const struct phrases *phrases = cohorts->world.phrases;
    struct cohort_question question = {.text = phrase, .verdict = verdict};
    if (cohorts->state->model_count == 0) {
        /* rules look at the text alone */
        return cohorts_state_match(cohorts->state, &question, hits);
    }
    const uint32_t id = verdict == NULL ? phrases_find(phrases, phrase) : PHRASE_NONE;
    if (id != PHRASE_NONE) {
        question = cohorts_question(phrases, id);
    } else {
        question.fold_key = phrase_fold_key(phrase);
        question.version =
            cohorts->world.classifier != NULL ? cohorts->world.classifier->version : 0;
    }
    return cohorts_state_match(cohorts->state, &question, hits);
}

size_t cohorts_match_phrase(const struct cohorts *cohorts, struct slice phrase,
                            struct rule_hit hits[RULE_HITS_MAX])
{
    return cohorts_explain_phrase(cohorts, phrase, NULL, hits);
}

const char *hit_method_name(uint8_t method)
{
    switch ((enum hit_method)method) {
    case HIT_EXACT: return "exact";
    case HIT_WILDCARD: return "wildcard";
    case HIT_TYPO: return "typo";
    case HIT_EXAMPLE: return "example";
    case HIT_SIMILAR: return "similar";
    case HIT_TOPIC: return "topic";
    }
    return "unknown";
}

const char *hit_decided_by(uint8_t method)
{
    return method <= HIT_TYPO ? "rule" : method == HIT_EXAMPLE ? "example" : "model";
}

struct slice cohorts_hit_text(const struct cohorts *cohorts, const struct rule_hit *hit)
{
    const struct cohort_definition *definition = cohort_at(cohorts, hit->cohort)->definition;
    size_t count = 0;
    const struct slice *examples = cohort_definition_examples(definition, &count);
    switch ((enum hit_method)hit->method) {
    case HIT_EXAMPLE: return hit->pattern < count ? examples[hit->pattern] : SLICE_NONE;
    case HIT_TOPIC: return cohort_definition_topic(definition);
    case HIT_SIMILAR: return SLICE_NONE;
    default: return cohorts_pattern_text(cohorts, hit->cohort, hit->pattern);
    }
}

struct slice cohorts_pattern_text(const struct cohorts *cohorts, uint32_t id, uint32_t pattern)
{
    size_t count = 0;
    const struct slice *phrases =
        cohort_definition_phrases(cohort_at(cohorts, id)->definition, &count);
    return pattern < count ? phrases[pattern] : SLICE_NONE;
}

/* ---- the nearest name ---- */

/* Edit distance (Levenshtein 1966) on bytes, one row; names are short. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[PHRASE_FOLD_MAX + 1];
    for (size_t j = 0; j <= b.length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b.length];
}

struct slice cohorts_nearest(const struct cohorts *cohorts, struct slice name)
{
    char wanted_bytes[PHRASE_FOLD_MAX];
    char known_bytes[PHRASE_FOLD_MAX];
    const struct slice wanted = slice_of(wanted_bytes, phrase_fold(name, wanted_bytes));
    struct slice nearest = SLICE_NONE;
    size_t nearest_distance = wanted.length / 3 + 2; /* one more than is still near */
    if (wanted.length == 0) {
        return SLICE_NONE;
    }
    for (uint32_t rank = 0; rank < cohorts->state->count; rank++) {
        const struct slice known_name =
            cohort_definition_name(cohorts->state->slots[cohorts->state->order[rank]]->definition);
        const struct slice known = slice_of(known_bytes, phrase_fold(known_name, known_bytes));
        size_t distance = edit_distance(wanted, known);
        /* "tech" means "Technology": a beginning is as good as two edits. */
        if (wanted.length >= 3 && slice_starts_with(known, wanted) && distance > 2) {
            distance = 2;
        }
        if (distance < nearest_distance && distance < known.length) {
            nearest_distance = distance;
            nearest = known_name;
        }
    }
    return nearest;
}

/* ---- the invariant ---- */

struct person_check {
    const struct cohorts *cohorts;
    bool holds;
};

static bool check_person(void *context, uint32_t number)
{
    struct person_check *check = context;
    const struct cohorts_state *state = check->cohorts->state;
    const void *blob = people_blob(check->cohorts->world.people, number);
    if (blob == NULL) {
        check->holds = false;
        return false;
    }
    static _Thread_local uint32_t ids[COHORTS_MAX];
    struct profile_view view;
    profile_view_open(blob, &view);
    const size_t count = cohorts_of_person(check->cohorts, &view, ids, COHORTS_MAX);
    size_t at = 0;
    for (uint32_t rank = 0; rank < state->count; rank++) {
        const bool listed = at < count && ids[at] == state->order[rank];
        at += listed;
        if (listed != bitmap_contains(state->slots[state->order[rank]]->members, number)) {
            check->holds = false;
        }
    }
    check->holds = check->holds && at == count;
    return check->holds;
}

/* Every phrase leads to what the rules, and its verdict, make of it now. */
static bool check_hits(const struct cohorts *cohorts)
{
    const struct phrases *phrases = cohorts->world.phrases;
    struct rule_hit hits[RULE_HITS_MAX];
    bool same = true;
    for (uint32_t id = 0; same && id < phrases_limit(phrases); id++) {
        if (phrases_text(phrases, id).data == NULL || !phrases_classified(phrases, id)) {
            continue;
        }
        size_t kept_count = 0;
        const struct rule_hit *kept = phrases_hits(phrases, id, &kept_count);
        const struct cohort_question question = cohorts_question(phrases, id);
        same = cohorts_same_hits(kept, kept_count, hits,
                                 cohorts_state_match(cohorts->state, &question, hits));
    }
    return same;
}

bool cohorts_validate(const struct cohorts *cohorts, const char **reason)
{
    struct bitmap **members = NULL;
    struct person_check check = {cohorts, true};
    if (!check_hits(cohorts)) {
        *reason = "a phrase does not lead where the rules and its verdict lead it";
        return false;
    }
    if (select_all(cohorts, &members) != ERR_OK) {
        *reason = "out of memory";
        return false;
    }
    bool holds = true;
    for (uint32_t slot = 0; slot < cohorts->state->slot_count; slot++) {
        if (cohorts->state->slots[slot] != NULL) {
            holds = holds && bitmap_equal(members[slot], cohorts->state->slots[slot]->members);
            bitmap_destroy(members[slot]);
        }
    }
    memory_free(members);
    if (!holds) {
        *reason = "a cohort's members are not what its definition says";
        return false;
    }
    bitmap_each(cohorts->everybody, check_person, &check);
    if (!check.holds) {
        *reason = "a person's cohorts are not those that count the person";
        return false;
    }
    return true;
}
