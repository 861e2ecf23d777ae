/* One consistent set of cohorts and what is derived from their definitions. */
#include <stdlib.h>

#include "base/memory.h"
#include "classifier/fold.h"
#include "cohorts_internal.h"

enum { STATE_BYTES_MAX = 256 * 1024 * 1024 };

/* ---- one cohort ---- */

static err check_numbers(const struct cohort_person *people, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (people[i].number == PERSON_NONE) {
            return error_set(error, ERR_INVALID, "cohort_person_unresolved", i,
                             "include and exclude are to be person numbers by now");
        }
    }
    return ERR_OK;
}

static struct bitmap *resolve(const struct cohort_world *world, const struct cohort_person *people,
                              size_t count)
{
    if (count == 0) {
        return NULL;
    }
    struct bitmap *roots = bitmap_create();
    for (size_t i = 0; i < count; i++) {
        const uint32_t number = people[i].number;
        (void)bitmap_add(roots, number <= people_last(world->people)
                                    ? people_find_shared(world->people, number)
                                    : number);
    }
    return roots;
}

void cohort_resolve_people(const struct cohort_world *world, struct cohort *cohort)
{
    size_t count = 0;
    const struct cohort_person *people = cohort_definition_include(cohort->definition, &count);
    bitmap_destroy(cohort->include);
    cohort->include = resolve(world, people, count);
    people = cohort_definition_exclude(cohort->definition, &count);
    bitmap_destroy(cohort->exclude);
    cohort->exclude = resolve(world, people, count);
}

static void note_model(const struct cohort_world *world, struct cohort *cohort)
{
    size_t phrases = 0;
    size_t examples = 0;
    const struct slice topic = cohort_definition_topic(cohort->definition);
    (void)cohort_definition_phrases(cohort->definition, &phrases);
    (void)cohort_definition_examples(cohort->definition, &examples);
    cohort->topic = cohorts_topic(world->classifier, topic);
    cohort->reads_phrases = phrases > 0 || examples > 0 || topic.data != NULL;
    cohort->asks_model = cohort->topic >= 0 || examples > 0;
}

err cohort_create(const struct cohort_world *world, struct cohorts_edit *edit,
                  const struct cohort *before, struct cohort **out, struct error *error)
{
    struct cohort_definition *definition = edit->definition;
    size_t include_count = 0;
    size_t exclude_count = 0;
    const struct cohort_person *include = cohort_definition_include(definition, &include_count);
    const struct cohort_person *exclude = cohort_definition_exclude(definition, &exclude_count);
    err e = check_numbers(include, include_count, error);
    if (e == ERR_OK) {
        e = check_numbers(exclude, exclude_count, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    char folded[TEXT_FOLD_MAX];
    const size_t folded_length = text_fold(cohort_definition_name(definition), folded);
    struct cohort *cohort = memory_zalloc(sizeof *cohort);
    char *copy = memory_alloc(folded_length + 1);
    if (cohort == NULL || copy == NULL) {
        memory_free(cohort);
        memory_free(copy);
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    memcpy(copy, folded, folded_length);
    cohort->definition = definition;
    cohort->condition = cohort_definition_condition(definition);
    cohort->folded = copy;
    cohort->folded_length = folded_length;
    cohort->has_condition = cohort_definition_has_condition(definition);
    cohort->sequence = edit->sequence;
    cohort->changed_at_us = edit->changed_at_us;
    note_model(world, cohort);
    e = cohort_learn(world, cohort, before, edit->examples);
    if (e != ERR_OK) {
        cohort->definition = NULL;
        cohort_destroy(cohort);
        return error_set(error, e, "out_of_memory", 0, "out of memory");
    }
    edit->definition = NULL;
    cohort_resolve_people(world, cohort);
    *out = cohort;
    return ERR_OK;
}

void cohort_destroy(struct cohort *cohort)
{
    if (cohort != NULL) {
        cohort_definition_destroy(cohort->definition);
        cohort_examples_destroy(cohort->examples);
        memory_free(cohort->folded);
        bitmap_destroy(cohort->members);
        bitmap_destroy(cohort->include);
        bitmap_destroy(cohort->exclude);
        memory_free(cohort);
    }
}

/* ---- the state ---- */

static struct slice folded_name(const struct cohort *cohort)
{
    return slice_of(cohort->folded, cohort->folded_length);
}

struct ranked {
    const struct cohort *cohort;
    uint32_t slot;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    return slice_compare(folded_name(left->cohort), folded_name(right->cohort));
}

static err rank_by_name(struct cohorts_state *state)
{
    struct ranked *ranked = memory_alloc((state->count + 1) * sizeof *ranked);
    if (ranked == NULL) {
        return ERR_MEMORY;
    }
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < state->slot_count; slot++) {
        if (state->slots[slot] != NULL) {
            ranked[count++] = (struct ranked){state->slots[slot], slot};
        }
    }
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (uint32_t rank = 0; rank < count; rank++) {
        state->order[rank] = ranked[rank].slot;
        state->rank[ranked[rank].slot] = rank;
    }
    memory_free(ranked);
    return ERR_OK;
}

static int compare_readers(const void *a, const void *b)
{
    const struct attribute_reader *left = a;
    const struct attribute_reader *right = b;
    return slice_compare(left->path, right->path);
}

/* One entry per attribute leaf, sorted, then those of equal path put into one. */
static err collect_attribute_readers(struct cohorts_state *state)
{
    size_t leaves = 0;
    for (uint32_t rank = 0; rank < state->count; rank++) {
        leaves += state->slots[state->order[rank]]->condition->count;
    }
    state->attribute_readers =
        arena_zalloc(&state->arena, (leaves + 1) * sizeof *state->attribute_readers);
    if (state->attribute_readers == NULL) {
        return ERR_MEMORY;
    }
    struct attribute_reader *readers = state->attribute_readers;
    size_t count = 0;
    for (uint32_t rank = 0; rank < state->count; rank++) {
        const struct condition *condition = state->slots[state->order[rank]]->condition;
        for (uint32_t i = 0; i < condition->count; i++) {
            const struct condition_node *node = &condition->nodes[i];
            if (node->kind == CONDITION_LEAF && node->field == FIELD_ATTRIBUTE) {
                readers[count].path = node->path;
                readers[count].cohorts =
                    arena_zalloc(&state->arena, state->words * sizeof(uint64_t));
                if (readers[count].cohorts == NULL) {
                    return ERR_MEMORY;
                }
                bitset_put(readers[count++].cohorts, rank);
            }
        }
    }
    qsort(readers, count, sizeof *readers, compare_readers);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && slice_equal(readers[kept - 1].path, readers[i].path)) {
            bitset_add(readers[kept - 1].cohorts, readers[i].cohorts, state->words);
        } else {
            readers[kept++] = readers[i];
        }
    }
    state->attribute_reader_count = kept;
    return ERR_OK;
}

static void note_cohort(struct cohorts_state *state, uint32_t rank)
{
    const struct cohort *cohort = state->slots[state->order[rank]];
    const struct condition *condition = cohort->condition;
    if (cohort->include != NULL || (cohort->has_condition && !cohort->reads_phrases)) {
        bitset_put(state->ask_always, rank);
    } else if (cohort->has_condition || cohort->exclude != NULL) {
        bitset_put(state->ask_if_hit, rank);
    }
    if (cohort->include != NULL || cohort->exclude != NULL) {
        bitset_put(state->explicit_people, rank);
    }
    if (cohort->include != NULL ||
        (cohort->has_condition && !cohort->reads_phrases && condition_matches_nothing(condition))) {
        bitset_put(state->born, rank);
    }
    for (uint32_t i = 0; i < condition->count; i++) {
        if (condition->nodes[i].kind == CONDITION_LEAF &&
            condition->nodes[i].field < FIELD_BUILTIN_COUNT) {
            bitset_put(state->readers[condition->nodes[i].field], rank);
        }
    }
}

static err fill_state(struct cohorts_state *state, struct cohort *const *slots)
{
    struct arena *arena = &state->arena;
    for (uint32_t slot = 0; slot < state->slot_count; slot++) {
        state->count += slots[slot] != NULL;
    }
    CHECK(state->count <= COHORTS_MAX);
    state->words = (state->count + 63) / 64;
    const size_t set_bytes = (state->words + 1) * sizeof(uint64_t);
    state->slots = arena_zalloc(arena, (state->slot_count + 1) * sizeof *state->slots);
    state->order = arena_zalloc(arena, (state->count + 1) * sizeof *state->order);
    state->rank = arena_zalloc(arena, (state->slot_count + 1) * sizeof *state->rank);
    state->pattern_base =
        arena_zalloc(arena, (state->slot_count + 1) * sizeof *state->pattern_base);
    state->model_slots = arena_zalloc(arena, (state->count + 1) * sizeof *state->model_slots);
    state->ask_always = arena_zalloc(arena, set_bytes);
    state->ask_if_hit = arena_zalloc(arena, set_bytes);
    state->explicit_people = arena_zalloc(arena, set_bytes);
    state->born = arena_zalloc(arena, set_bytes);
    bool all = state->slots && state->order && state->rank && state->pattern_base &&
               state->model_slots && state->ask_always && state->ask_if_hit &&
               state->explicit_people && state->born;
    for (int field = 0; field < FIELD_BUILTIN_COUNT; field++) {
        state->readers[field] = arena_zalloc(arena, set_bytes);
        all = all && state->readers[field] != NULL;
    }
    if (!all) {
        return ERR_MEMORY;
    }
    for (uint32_t slot = 0; slot < state->slot_count; slot++) {
        state->slots[slot] = slots[slot];
        if (slots[slot] != NULL && slots[slot]->asks_model) {
            state->model_slots[state->model_count++] = slot;
        }
    }
    err e = rank_by_name(state);
    for (uint32_t rank = 0; e == ERR_OK && rank < state->count; rank++) {
        note_cohort(state, rank);
    }
    return e == ERR_OK ? collect_attribute_readers(state) : e;
}

err cohorts_state_create(struct cohort *const *slots, uint32_t slot_count,
                         struct cohorts_state **out)
{
    struct cohorts_state *state = memory_zalloc(sizeof *state);
    if (state == NULL) {
        return ERR_MEMORY;
    }
    arena_init(&state->arena, STATE_BYTES_MAX);
    state->slot_count = slot_count;
    err e = fill_state(state, slots);
    if (e == ERR_OK) {
        e = cohorts_state_build_vetoes(state);
    }
    if (e != ERR_OK) {
        cohorts_state_destroy(state);
        return e;
    }
    *out = state;
    return ERR_OK;
}

void cohorts_state_destroy(struct cohorts_state *state)
{
    if (state != NULL) {
        rules_destroy(state->vetoes);
        arena_deinit(&state->arena);
        memory_free(state);
    }
}

err cohorts_state_build_rules(struct cohorts_state *state)
{
    struct rules_builder *builder = rules_builder_create();
    if (builder == NULL) {
        return ERR_MEMORY;
    }
    err e = ERR_OK;
    uint32_t patterns = 0;
    for (uint32_t slot = 0; slot < state->slot_count; slot++) {
        state->pattern_base[slot] = patterns;
        if (state->slots[slot] == NULL) {
            continue;
        }
        size_t count = 0;
        const struct slice *phrases =
            cohort_definition_phrases(state->slots[slot]->definition, &count);
        for (size_t i = 0; e == ERR_OK && i < count; i++, patterns++) {
            e = rules_builder_add(builder, slot, phrases[i], NULL);
        }
        phrases = cohort_definition_not_phrases(state->slots[slot]->definition, &count);
        for (size_t i = 0; e == ERR_OK && i < count; i++, patterns++) {
            e = rules_builder_add_not(builder, slot, phrases[i], NULL);
        }
    }
    if (e == ERR_OK) {
        e = rules_build(builder, &state->rules);
    }
    rules_builder_destroy(builder);
    return e;
}

const struct attribute_reader *cohorts_state_reader(const struct cohorts_state *state,
                                                    struct slice path)
{
    const struct attribute_reader wanted = {.path = path};
    return state->attribute_reader_count == 0
               ? NULL
               : bsearch(&wanted, state->attribute_readers, state->attribute_reader_count,
                         sizeof wanted, compare_readers);
}

uint32_t cohorts_state_find(const struct cohorts_state *state, struct slice name)
{
    char bytes[TEXT_FOLD_MAX];
    const struct slice folded = slice_of(bytes, text_fold(slice_trim(name), bytes));
    uint32_t low = 0;
    uint32_t high = state->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = slice_compare(folded_name(state->slots[state->order[middle]]), folded);
        if (order == 0) {
            return state->order[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return COHORT_NONE;
}

/* ---- what a phrase leads to ---- */

err cohorts_state_build_vetoes(struct cohorts_state *state)
{
    struct rules_builder *builder = NULL;
    err e = ERR_OK;
    for (uint32_t m = 0; e == ERR_OK && m < state->model_count; m++) {
        size_t count = 0;
        const uint32_t slot = state->model_slots[m];
        const struct slice *phrases =
            cohort_definition_not_phrases(state->slots[slot]->definition, &count);
        if (count > 0 && builder == NULL && (builder = rules_builder_create()) == NULL) {
            e = ERR_MEMORY;
        }
        for (size_t i = 0; e == ERR_OK && i < count; i++) {
            e = rules_builder_add(builder, slot, phrases[i], NULL);
        }
    }
    if (e == ERR_OK && builder != NULL) {
        e = rules_build(builder, &state->vetoes);
    }
    rules_builder_destroy(builder);
    return e;
}

struct cohort_question cohorts_question(const struct phrases *phrases, uint32_t id)
{
    struct cohort_question question = {.text = phrases_text(phrases, id),
                                       .fold_key = phrases_fold_key(phrases, id)};
    question.verdict = phrases_verdict(phrases, id, &question.version);
    return question;
}

static int compare_hits(const void *a, const void *b)
{
    const struct rule_hit *left = a;
    const struct rule_hit *right = b;
    return (left->cohort > right->cohort) - (left->cohort < right->cohort);
}

/* Cohorts that no rule has spoken about. A "not" pattern never works by typo (rules.h), so neither
 * does a veto. */
static size_t add_model_hits(const struct cohorts_state *state,
                             const struct cohort_question *question, struct rule_hit *hits,
                             size_t count)
{
    struct rule_hit vetoes[RULE_HITS_MAX];
    const size_t ruled = count;
    const size_t veto_count =
        state->vetoes != NULL ? rules_match(state->vetoes, question->text, vetoes) : 0;
    size_t r = 0;
    size_t v = 0;
    size_t b = 0;
    for (uint32_t m = 0; m < state->model_count; m++) {
        const uint32_t slot = state->model_slots[m];
        while (r < ruled && hits[r].cohort < slot) {
            r++;
        }
        while (v < veto_count && vetoes[v].cohort < slot) {
            v++;
        }
        const bool vetoed =
            v < veto_count && vetoes[v].cohort == slot && vetoes[v].method != RULE_TYPO;
        if (vetoed || (r < ruled && hits[r].cohort == slot)) {
            continue;
        }
        if (question->edited != NULL && !question->edited[slot]) {
            while (b < question->before_count && question->before[b].cohort < slot) {
                b++;
            }
            const struct rule_hit *was =
                b < question->before_count && question->before[b].cohort == slot
                    ? &question->before[b]
                    : NULL;
            if (was == NULL ||
                was->method > HIT_TYPO) { /* no rule had spoken: the model had its say */
                if (was != NULL) {
                    hits[count++] = *was;
                }
                continue;
            }
        }
        count += cohort_model_hit(state->slots[slot], slot, question, &hits[count]);
    }
    if (count > ruled) {
        qsort(hits, count, sizeof *hits, compare_hits);
    }
    return count;
}

size_t cohorts_state_match(const struct cohorts_state *state,
                           const struct cohort_question *question,
                           struct rule_hit hits[RULE_HITS_MAX])
{
    const size_t count = rules_match(state->rules, question->text, hits);
    for (size_t i = 0; i < count; i++) {
        hits[i].pattern -= state->pattern_base[hits[i].cohort];
    }
    /* One a cohort at the most, and there cannot be more cohorts than room. */
    return state->model_count > 0 && count < RULE_HITS_MAX
               ? add_model_hits(state, question, hits, count)
               : count;
}

bool cohorts_same_hits(const struct rule_hit *a, size_t a_count, const struct rule_hit *b,
                       size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = a[i].cohort == b[i].cohort && a[i].method == b[i].method &&
               a[i].pattern == b[i].pattern && a[i].confidence == b[i].confidence;
    }
    return same;
}
