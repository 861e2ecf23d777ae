/* One person changes: only the cohorts that read what changed are asked again. */
#include "base/memory.h"
#include "cohorts_internal.h"

void cohorts_gather_hits(const struct cohorts *cohorts, const struct profile_view *view,
                         uint64_t *hits)
{
    const struct cohorts_state *state = cohorts->state;
    enum { AT_A_TIME = 16 };
    uint32_t ids[AT_A_TIME];
    struct profile_cursor cursor = profile_interests(view);
    for (uint32_t left = view->interest_count; left > 0;) {
        const uint32_t some = profile_interest_ids(&cursor, ids, AT_A_TIME);
        for (uint32_t k = 0; k < some; k++) {
            size_t count = 0;
            const struct rule_hit *found = phrases_hits(cohorts->world.phrases, ids[k], &count);
            for (size_t i = 0; i < count; i++) {
                bitset_put(hits, state->rank[found[i].cohort]);
            }
        }
        left -= some;
    }
}

/* By the definition, for somebody who has a profile. */
static bool belongs(const struct cohorts *cohorts, const struct cohort *cohort, uint32_t number,
                    const struct profile_view *view, bool hit)
{
    if (cohort->exclude != NULL && bitmap_contains(cohort->exclude, number)) {
        return false;
    }
    if (cohort->include != NULL && bitmap_contains(cohort->include, number)) {
        return true;
    }
    if (cohort->reads_phrases ? !hit : !cohort->has_condition) {
        return false;
    }
    return condition_matches(cohort->condition, view, cohorts->world.names);
}

static void set_member(struct cohort *cohort, uint32_t number, bool member)
{
    if (member) {
        (void)bitmap_add(cohort->members, number);
    } else {
        (void)bitmap_remove(cohort->members, number);
    }
}

/* Asks the cohorts in `which` about somebody with this profile and these hits. */
static void evaluate(struct cohorts *cohorts, const uint64_t *which, uint32_t number,
                     const struct profile_view *view, const uint64_t *hits)
{
    const struct cohorts_state *state = cohorts->state;
    for (size_t word = 0; word < state->words; word++) {
        for (uint64_t rest = which[word]; rest != 0; rest &= rest - 1) {
            const uint32_t rank = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
            struct cohort *cohort = state->slots[state->order[rank]];
            set_member(cohort, number,
                       belongs(cohorts, cohort, number, view, bitset_has(hits, rank)));
        }
    }
}

/* ---- list members ---- */

static struct bitmap **item_holders_of(struct cohorts *cohorts, uint32_t name_id)
{
    if (name_id >= cohorts->item_holders_capacity) {
        uint32_t capacity = cohorts->item_holders_capacity ? cohorts->item_holders_capacity : 64;
        while (capacity <= name_id) {
            CHECK(capacity < UINT32_MAX / 2);
            capacity *= 2;
        }
        struct bitmap **grown =
            memory_realloc(cohorts->item_holders, capacity * sizeof(struct bitmap *));
        CHECK(grown != NULL);
        memset(grown + cohorts->item_holders_capacity, 0,
               (capacity - cohorts->item_holders_capacity) * sizeof(struct bitmap *));
        cohorts->item_holders = grown;
        cohorts->item_holders_capacity = capacity;
    }
    return &cohorts->item_holders[name_id];
}

static void add_item_holder(struct cohorts *cohorts, uint32_t name_id, uint32_t number)
{
    struct bitmap **holders = item_holders_of(cohorts, name_id);
    if (*holders == NULL) {
        *holders = bitmap_create();
    }
    (void)bitmap_add(*holders, number);
}

static void remove_item_holder(struct cohorts *cohorts, uint32_t name_id, uint32_t number)
{
    struct bitmap **holders = item_holders_of(cohorts, name_id);
    if (*holders != NULL && bitmap_remove(*holders, number) && bitmap_empty(*holders)) {
        bitmap_destroy(*holders);
        *holders = NULL;
    }
}

/* ---- what differs ---- */

static void note_reader(const struct cohorts *cohorts, uint32_t name_id, uint64_t *which)
{
    const struct cohorts_state *state = cohorts->state;
    if (name_id < FIELD_BUILTIN_COUNT) {
        bitset_add(which, state->readers[name_id], state->words);
    } else if (state->attribute_reader_count > 0) {
        const struct attribute_reader *reader =
            cohorts_state_reader(state, names_text(cohorts->world.names, name_id));
        if (reader != NULL) {
            bitset_add(which, reader->cohorts, state->words);
        }
    }
}

static bool same_value(const struct profile_value *a, const struct profile_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case PROFILE_NULL: return true;
    case PROFILE_BOOL: return a->boolean == b->boolean;
    case PROFILE_INTEGER: return a->integer == b->integer;
    case PROFILE_NUMBER: return memcmp(&a->number, &b->number, sizeof a->number) == 0;
    case PROFILE_TEXT: return slice_equal(a->text, b->text);
    case PROFILE_CATEGORY: return a->category_id == b->category_id;
    }
    return false;
}

/* A cursor and what it stands on; of no profile at all, nothing. */
struct field_walk {
    struct profile_cursor cursor;
    struct profile_field field;
    bool some;
};

static struct field_walk field_walk_begin(const struct profile_view *view)
{
    struct field_walk walk = {0};
    if (view != NULL) {
        walk.cursor = profile_fields(view);
        walk.some = profile_field_next(&walk.cursor, &walk.field);
    }
    return walk;
}

/* Both sides are ascending by name. */
static void note_changed_fields(const struct cohorts *cohorts, const struct profile_view *old_view,
                                const struct profile_view *new_view, uint64_t *which)
{
    struct field_walk before = field_walk_begin(old_view);
    struct field_walk after = field_walk_begin(new_view);
    while (before.some || after.some) {
        const bool take_before =
            before.some && (!after.some || before.field.name_id <= after.field.name_id);
        const bool take_after =
            after.some && (!before.some || after.field.name_id <= before.field.name_id);
        if (!(take_before && take_after && same_value(&before.field.value, &after.field.value))) {
            note_reader(cohorts, take_before ? before.field.name_id : after.field.name_id, which);
        }
        if (take_before) {
            before.some = profile_field_next(&before.cursor, &before.field);
        }
        if (take_after) {
            after.some = profile_field_next(&after.cursor, &after.field);
        }
    }
}

static bool same_items(const struct profile_view *a, const struct profile_view *b)
{
    if (a->item_count != b->item_count) {
        return false;
    }
    struct profile_cursor before = profile_items(a);
    struct profile_cursor after = profile_items(b);
    struct profile_item x;
    struct profile_item y;
    while (profile_item_next(&before, &x) && profile_item_next(&after, &y)) {
        if (x.name_id != y.name_id || !slice_equal(x.text, y.text)) {
            return false;
        }
    }
    return true;
}

/* When any member differs, every list of either side counts as changed. */
static void note_changed_items(struct cohorts *cohorts, uint32_t number,
                               const struct profile_view *old_view,
                               const struct profile_view *new_view, uint64_t *which)
{
    const bool old_has = old_view != NULL && old_view->item_count > 0;
    const bool new_has = new_view != NULL && new_view->item_count > 0;
    if ((!old_has && !new_has) || (old_has && new_has && same_items(old_view, new_view))) {
        return;
    }
    struct profile_item item;
    struct profile_cursor cursor;
    if (old_has) {
        for (cursor = profile_items(old_view); profile_item_next(&cursor, &item);) {
            remove_item_holder(cohorts, item.name_id, number);
            note_reader(cohorts, item.name_id, which);
        }
    }
    if (new_has) {
        for (cursor = profile_items(new_view); profile_item_next(&cursor, &item);) {
            add_item_holder(cohorts, item.name_id, number);
            note_reader(cohorts, item.name_id, which);
        }
    }
}

/* ---- changes ---- */

static void forget_person(struct cohorts *cohorts, uint32_t number, const uint64_t *old_hits)
{
    const struct cohorts_state *state = cohorts->state;
    (void)bitmap_remove(cohorts->everybody, number);
    for (size_t word = 0; word < state->words; word++) {
        for (uint64_t rest = old_hits[word] | state->ask_always[word] | state->ask_if_hit[word];
             rest != 0; rest &= rest - 1) {
            const uint32_t rank = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
            set_member(state->slots[state->order[rank]], number, false);
        }
    }
}

void cohorts_person_changed(struct cohorts *cohorts, uint32_t number, const void *old_blob,
                            const void *new_blob)
{
    const struct cohorts_state *state = cohorts->state;
    struct profile_view views[2];
    const struct profile_view *old_view = NULL;
    const struct profile_view *new_view = NULL;
    uint64_t old_hits[COHORT_WORDS_MAX];
    uint64_t new_hits[COHORT_WORDS_MAX];
    uint64_t which[COHORT_WORDS_MAX];
    const size_t set_bytes = state->words * sizeof(uint64_t);
    memset(old_hits, 0, set_bytes);
    memset(new_hits, 0, set_bytes);
    memset(which, 0, set_bytes);
    if (old_blob != NULL) {
        profile_view_open(old_blob, &views[0]);
        old_view = &views[0];
        cohorts_gather_hits(cohorts, old_view, old_hits);
    }
    if (new_blob != NULL) {
        profile_view_open(new_blob, &views[1]);
        new_view = &views[1];
        cohorts_gather_hits(cohorts, new_view, new_hits);
    }
    note_changed_items(cohorts, number, old_view, new_view, which);
    if (new_view == NULL) {
        forget_person(cohorts, number, old_hits);
        return;
    }
    for (size_t word = 0; word < state->words; word++) {
        which[word] |= old_hits[word] ^ new_hits[word];
    }
    note_changed_fields(cohorts, old_view, new_view, which);
    if (old_view == NULL) {
        (void)bitmap_add(cohorts->everybody, number);
        bitset_add(which, state->born, state->words);
    }
    evaluate(cohorts, which, number, new_view, new_hits);
}

/* Asks these cohorts about somebody whose profile is the one in people.h. */
static void evaluate_now(struct cohorts *cohorts, const uint64_t *which, uint32_t number)
{
    const void *blob = people_blob(cohorts->world.people, number);
    if (blob == NULL || !bitmap_contains(cohorts->everybody, number)) {
        return;
    }
    struct profile_view view;
    uint64_t hits[COHORT_WORDS_MAX];
    memset(hits, 0, cohorts->state->words * sizeof(uint64_t));
    profile_view_open(blob, &view);
    cohorts_gather_hits(cohorts, &view, hits);
    evaluate(cohorts, which, number, &view, hits);
}

void cohorts_person_merged(struct cohorts *cohorts, uint32_t loser, uint32_t winner)
{
    const struct cohorts_state *state = cohorts->state;
    uint64_t which[COHORT_WORDS_MAX];
    memset(which, 0, state->words * sizeof(uint64_t));
    bool some = false;
    for (size_t word = 0; word < state->words; word++) {
        for (uint64_t rest = state->explicit_people[word]; rest != 0; rest &= rest - 1) {
            const uint32_t rank = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
            struct cohort *cohort = state->slots[state->order[rank]];
            bool moved = false;
            if (cohort->include != NULL && bitmap_remove(cohort->include, loser)) {
                moved = bitmap_add(cohort->include, winner) || moved;
            }
            if (cohort->exclude != NULL && bitmap_remove(cohort->exclude, loser)) {
                moved = bitmap_add(cohort->exclude, winner) || moved;
            }
            if (moved) {
                bitset_put(which, rank);
                some = true;
            }
        }
    }
    if (some) {
        evaluate_now(cohorts, which, winner);
    }
}

/* ---- a phrase is classified ---- */

struct holder_walk {
    struct cohorts *cohorts;
    const uint64_t *which;
};

static bool visit_holder(void *context, uint32_t number)
{
    struct holder_walk *walk = context;
    evaluate_now(walk->cohorts, walk->which, number);
    return true;
}

/* Cohorts that only one of the lists has: everybody stays in, or out of, the others. */
static bool note_moved(const struct cohorts_state *state, const struct rule_hit *a, size_t a_count,
                       const struct rule_hit *b, size_t b_count, uint64_t *which)
{
    bool some = false;
    size_t i = 0;
    size_t j = 0;
    while (i < a_count || j < b_count) {
        if (i < a_count && j < b_count && a[i].cohort == b[j].cohort) {
            i++;
            j++;
            continue;
        }
        const bool first = j == b_count || (i < a_count && a[i].cohort < b[j].cohort);
        bitset_put(which, state->rank[first ? a[i++].cohort : b[j++].cohort]);
        some = true;
    }
    return some;
}

static err classify(struct cohorts *cohorts, uint32_t phrase_id, const struct verdict *verdict)
{
    const struct cohorts_state *state = cohorts->state;
    struct phrases *phrases = cohorts->world.phrases;
    struct rule_hit hits[RULE_HITS_MAX];
    uint64_t which[COHORT_WORDS_MAX];
    memset(which, 0, state->words * sizeof(uint64_t));
    struct cohort_question question = cohorts_question(phrases, phrase_id);
    if (verdict != NULL) {
        question.verdict = verdict;
        question.version = cohorts->world.classifier->version;
    }
    const size_t count = cohorts_state_match(state, &question, hits);
    size_t old_count = 0;
    const struct rule_hit *old = phrases_hits(phrases, phrase_id, &old_count);
    const bool moved = note_moved(state, old, old_count, hits, count, which);
    err e = verdict != NULL
                ? phrases_answer(phrases, phrase_id, question.version, verdict, hits, count)
                : phrases_classify(phrases, phrase_id, hits, count);
    if (e == ERR_OK && moved && !bitmap_empty(phrases_holders(phrases, phrase_id))) {
        struct holder_walk walk = {cohorts, which};
        bitmap_each(phrases_holders(phrases, phrase_id), visit_holder, &walk);
        cohorts->generation++;
    }
    return e;
}

err cohorts_classify_phrase(struct cohorts *cohorts, uint32_t phrase_id)
{
    return classify(cohorts, phrase_id, NULL);
}

err cohorts_answer_phrase(struct cohorts *cohorts, uint32_t phrase_id,
                          const struct verdict *verdict)
{
    return classify(cohorts, phrase_id, verdict);
}

/* ---- everybody ---- */

void cohorts_survey_people(struct cohorts *cohorts)
{
    enum { AHEAD = 16 };
    const struct people *people = cohorts->world.people;
    const uint32_t last = people_last(people);
    for (uint32_t i = 0; i < cohorts->item_holders_capacity; i++) {
        bitmap_destroy(cohorts->item_holders[i]);
        cohorts->item_holders[i] = NULL;
    }
    bitmap_destroy(cohorts->everybody);
    cohorts->everybody = bitmap_create();
    uint32_t run = 0; /* first of a row of people who are there */
    for (uint32_t number = 1; number <= last && number != 0; number++) {
        if (number + AHEAD <= last) {
            people_prefetch(people, number + AHEAD);
        }
        const void *blob = people_blob(people, number);
        if (blob == NULL) {
            bitmap_add_range(cohorts->everybody, run != 0 ? run : number, number);
            run = 0;
            continue;
        }
        run = run != 0 ? run : number;
        struct profile_view view;
        profile_view_open(blob, &view);
        struct profile_cursor cursor = profile_items(&view);
        for (struct profile_item item; view.item_count > 0 && profile_item_next(&cursor, &item);) {
            add_item_holder(cohorts, item.name_id, number);
        }
    }
    if (run != 0) {
        bitmap_add_range(cohorts->everybody, run, last + 1);
    }
    bitmap_optimise(cohorts->everybody);
}
