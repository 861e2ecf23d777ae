/* A definition changes: everything new is made beside the old, then swapped in.
 *
 *   1. slots      the cohorts after the edits
 *   2. delta      the phrases that came or went; only interests that one of them can touch (rules_touch), or that led to
 *                 an edited cohort, or that an edited cohort's topic or examples want, are matched again
 *   3. hits       the interests' new cohorts
 *   4. members    of the edited cohorts and of those that won or lost an interest: what was, with the holders of the won
 *                 interests and without those of the lost ones that no other interest keeps in; or, where that is
 *                 not enough or not less work, from the start */
#include <stdlib.h>

#include "base/memory.h"
#include "classifier/fold.h"
#include "cohorts_internal.h"

struct member_swap {
    struct cohort *cohort;
    struct bitmap *members;
};

/* Before the commit everything here is what is to come and belongs to the change; the commit swaps
 * each piece with what was, so that the same clean-up fits both. */
struct cohorts_change {
    struct cohorts_state *state;           /* NULL: verdicts only, the definitions stay */
    struct rules *rules;                   /* NULL: the same before and after */
    struct phrases_reclassification *hits; /* NULL: none differs */
    struct cohort **made;
    struct cohort **dropped;
    size_t made_count;
    size_t dropped_count;
    struct member_swap *swaps;
    size_t swap_count;
    uint64_t generation;
    bool committed;
};

/* A cohort wins or loses an interest. */
struct move {
    uint32_t slot;
    uint32_t phrase_id;
    bool won;
};

/* What prepare works with. */
struct preparing {
    struct cohorts *cohorts;
    struct cohorts_change *change;
    struct cohort **slots; /* after the edits */
    uint32_t slot_count;
    uint32_t slot_capacity;
    bool *touched; /* by slot: an edit put or deleted it */
    /* slots that an edit put and that ask the model: a phrase may be new to them by its verdict */
    uint32_t *asking;
    size_t asking_count;
    bool *affected; /* by slot: members are to be computed */
    struct move *moves;
    size_t move_count;
    size_t move_capacity;
    struct rules *delta;
};

static err no_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
}

void cohorts_change_destroy(struct cohorts_change *change)
{
    if (change == NULL) {
        return;
    }
    struct cohort **dead = change->committed ? change->dropped : change->made;
    const size_t dead_count = change->committed ? change->dropped_count : change->made_count;
    for (size_t i = 0; i < dead_count; i++) {
        cohort_destroy(dead[i]);
    }
    for (size_t i = 0; i < change->swap_count; i++) {
        bitmap_destroy(change->swaps[i].members);
    }
    phrases_reclassify_destroy(change->hits);
    rules_destroy(change->rules);
    cohorts_state_destroy(change->state);
    memory_free(change->made);
    memory_free(change->dropped);
    memory_free(change->swaps);
    memory_free(change);
}

/* ---- 1. slots ---- */

static uint32_t find_slot(const struct preparing *preparing, struct slice name)
{
    char bytes[TEXT_FOLD_MAX];
    const struct slice folded = slice_of(bytes, text_fold(slice_trim(name), bytes));
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        const struct cohort *cohort = preparing->slots[slot];
        if (cohort != NULL &&
            slice_equal(slice_of(cohort->folded, cohort->folded_length), folded)) {
            return slot;
        }
    }
    return COHORT_NONE;
}

static uint32_t free_slot(struct preparing *preparing)
{
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        if (preparing->slots[slot] == NULL) {
            return slot;
        }
    }
    CHECK(preparing->slot_count < preparing->slot_capacity);
    return preparing->slot_count++;
}

/* Who stood in the slot goes: an old cohort is dropped by the commit, one made by an earlier edit
 * at once. */
static void vacate(struct preparing *preparing, uint32_t slot)
{
    struct cohorts_change *change = preparing->change;
    struct cohort *cohort = preparing->slots[slot];
    preparing->slots[slot] = NULL;
    for (size_t i = 0; i < change->made_count; i++) {
        if (change->made[i] == cohort) {
            change->made[i] = change->made[--change->made_count];
            cohort_destroy(cohort);
            return;
        }
    }
    change->dropped[change->dropped_count++] = cohort;
}

static err apply_edit(struct preparing *preparing, struct cohorts_edit *edit, struct error *error)
{
    struct cohort *cohort = NULL;
    const bool put = edit->definition != NULL;
    uint32_t slot =
        find_slot(preparing, put ? cohort_definition_name(edit->definition) : edit->name);
    if (!put && slot == COHORT_NONE) {
        return error_set(error, ERR_NOT_FOUND, "cohort_unknown", 0,
                         "there is no cohort of this name");
    }
    if (put) {
        const struct cohort *before = slot != COHORT_NONE ? preparing->slots[slot] : NULL;
        err e = cohort_create(&preparing->cohorts->world, edit, before, &cohort, error);
        if (e != ERR_OK) {
            return e;
        }
        preparing->change->made[preparing->change->made_count++] = cohort;
    }
    if (slot != COHORT_NONE) {
        vacate(preparing, slot);
    } else {
        slot = free_slot(preparing);
    }
    preparing->slots[slot] = cohort;
    preparing->touched[slot] = true;
    return ERR_OK;
}

static err apply_edits(struct preparing *preparing, struct cohorts_edit *edits, size_t count,
                       struct error *error)
{
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = apply_edit(preparing, &edits[i], error);
    }
    uint32_t cohorts = 0;
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        cohorts += preparing->slots[slot] != NULL;
    }
    if (e == ERR_OK && cohorts > COHORTS_MAX) {
        e = error_set(error, ERR_TOO_LARGE, "cohorts_too_many", 0,
                      "there cannot be more than %d cohorts", COHORTS_MAX);
    }
    return e;
}

/* ---- 2. delta ---- */

struct phrase_side {
    struct slice text;
    bool is_not;
    bool is_new;
};

static int compare_sides(const void *a, const void *b)
{
    const struct phrase_side *left = a;
    const struct phrase_side *right = b;
    if (left->is_not != right->is_not) {
        return left->is_not ? 1 : -1;
    }
    return slice_compare(left->text, right->text);
}

static size_t list_phrases(const struct cohort *cohort, bool is_new, struct phrase_side *out)
{
    size_t counts[2] = {0, 0};
    const struct slice *lists[2] = {NULL, NULL};
    size_t filled = 0;
    if (cohort == NULL) {
        return 0;
    }
    lists[0] = cohort_definition_phrases(cohort->definition, &counts[0]);
    lists[1] = cohort_definition_not_phrases(cohort->definition, &counts[1]);
    for (size_t list = 0; list < 2; list++) {
        for (size_t i = 0; out != NULL && i < counts[list]; i++) {
            out[filled++] = (struct phrase_side){lists[list][i], list == 1, is_new};
        }
    }
    return counts[0] + counts[1];
}

/* Adds the phrases that only one of the two has. */
static err add_difference(struct rules_builder *builder, const struct cohort *before,
                          const struct cohort *after, bool *some)
{
    const size_t count = list_phrases(before, false, NULL) + list_phrases(after, true, NULL);
    struct phrase_side *sides = memory_alloc((count + 1) * sizeof *sides);
    if (sides == NULL) {
        return ERR_MEMORY;
    }
    const size_t before_count = list_phrases(before, false, sides);
    (void)list_phrases(after, true, sides + before_count);
    qsort(sides, count, sizeof *sides, compare_sides);
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count;) {
        bool in_old = false;
        bool in_new = false;
        size_t next = i;
        for (; next < count && compare_sides(&sides[i], &sides[next]) == 0; next++) {
            in_new = in_new || sides[next].is_new;
            in_old = in_old || !sides[next].is_new;
        }
        if (in_old != in_new) {
            *some = true;
            e = rules_builder_add(builder, 0, sides[i].text, NULL);
        }
        i = next;
    }
    memory_free(sides);
    return e;
}

static const struct cohort *old_cohort(const struct preparing *preparing, uint32_t slot)
{
    const struct cohorts_state *state = preparing->cohorts->state;
    return slot < state->slot_count ? state->slots[slot] : NULL;
}

/* preparing->delta stays NULL when the same phrases are there as before. */
static err build_delta(struct preparing *preparing)
{
    struct rules_builder *builder = rules_builder_create();
    bool some = false;
    err e = builder != NULL ? ERR_OK : ERR_MEMORY;
    for (uint32_t slot = 0; e == ERR_OK && slot < preparing->slot_count; slot++) {
        if (preparing->touched[slot]) {
            e = add_difference(builder, old_cohort(preparing, slot), preparing->slots[slot], &some);
        }
    }
    if (e == ERR_OK && some) {
        e = rules_build(builder, &preparing->delta);
    }
    rules_builder_destroy(builder);
    return e;
}

static bool same_list(const struct slice *a, size_t a_count, const struct slice *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = slice_equal(a[i], b[i]);
    }
    return same;
}

/* Are all phrases of all slots the same, in the same order? Then the rules stay. */
static bool same_phrases(const struct preparing *preparing)
{
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        const struct cohort *before = old_cohort(preparing, slot);
        const struct cohort *after = preparing->slots[slot];
        if (before == after) {
            continue;
        }
        if (before == NULL || after == NULL) {
            const struct cohort *only = before != NULL ? before : after;
            if (list_phrases(only, false, NULL) > 0) {
                return false;
            }
            continue;
        }
        size_t a = 0;
        size_t b = 0;
        const struct slice *x = cohort_definition_phrases(before->definition, &a);
        const struct slice *y = cohort_definition_phrases(after->definition, &b);
        if (!same_list(x, a, y, b)) {
            return false;
        }
        x = cohort_definition_not_phrases(before->definition, &a);
        y = cohort_definition_not_phrases(after->definition, &b);
        if (!same_list(x, a, y, b)) {
            return false;
        }
    }
    return true;
}

static err make_state(struct preparing *preparing)
{
    struct cohorts_change *change = preparing->change;
    const struct cohorts_state *old = preparing->cohorts->state;
    err e = cohorts_state_create(preparing->slots, preparing->slot_count, &change->state);
    if (e != ERR_OK) {
        return e;
    }
    if (same_phrases(preparing)) {
        change->state->rules = old->rules;
        uint32_t common =
            old->slot_count < preparing->slot_count ? old->slot_count : preparing->slot_count;
        memcpy(change->state->pattern_base, old->pattern_base, common * sizeof *old->pattern_base);
        return ERR_OK;
    }
    e = cohorts_state_build_rules(change->state);
    change->rules = change->state->rules;
    return e;
}

/* ---- 3. hits ---- */

static err add_move(struct preparing *preparing, uint32_t slot, uint32_t phrase_id, bool won)
{
    if (preparing->move_count == preparing->move_capacity) {
        const size_t capacity = preparing->move_capacity > 0 ? preparing->move_capacity * 2 : 256;
        struct move *grown = memory_realloc(preparing->moves, capacity * sizeof *grown);
        if (grown == NULL) {
            return ERR_MEMORY;
        }
        preparing->moves = grown;
        preparing->move_capacity = capacity;
    }
    preparing->moves[preparing->move_count++] = (struct move){slot, phrase_id, won};
    preparing->affected[slot] = true;
    return ERR_OK;
}

/* Cohorts that only one list has win or lose this phrase's holders. Both ascend. */
static err note_moves(struct preparing *preparing, uint32_t phrase_id, const struct rule_hit *a,
                      size_t a_count, const struct rule_hit *b, size_t b_count)
{
    size_t i = 0;
    size_t j = 0;
    err e = ERR_OK;
    while (e == ERR_OK && (i < a_count || j < b_count)) {
        if (j == b_count || (i < a_count && a[i].cohort < b[j].cohort)) {
            e = add_move(preparing, a[i++].cohort, phrase_id, false);
        } else if (i == a_count || b[j].cohort < a[i].cohort) {
            e = add_move(preparing, b[j++].cohort, phrase_id, true);
        } else {
            i++;
            j++;
        }
    }
    return e;
}

static bool leads_to_touched(const struct preparing *preparing, const struct rule_hit *hits,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (preparing->touched[hits[i].cohort]) {
            return true;
        }
    }
    return false;
}

static bool edited_model_wants(const struct preparing *preparing,
                               const struct cohort_question *question)
{
    struct rule_hit hit;
    for (size_t i = 0; i < preparing->asking_count; i++) {
        const uint32_t slot = preparing->asking[i];
        if (cohort_model_hit(preparing->slots[slot], slot, question, &hit)) {
            return true;
        }
    }
    return false;
}

static err put_hits(struct preparing *preparing, uint32_t id, const struct rule_hit *hits,
                    size_t count)
{
    struct phrases *phrases = preparing->cohorts->world.phrases;
    struct cohorts_change *change = preparing->change;
    size_t old_count = 0;
    const struct rule_hit *old = phrases_hits(phrases, id, &old_count);
    if (phrases_classified(phrases, id) && cohorts_same_hits(old, old_count, hits, count)) {
        return ERR_OK;
    }
    if (change->hits == NULL) {
        change->hits = phrases_reclassify_begin(phrases);
        if (change->hits == NULL) {
            return ERR_MEMORY;
        }
    }
    err e = note_moves(preparing, id, old, old_count, hits, count);
    return e == ERR_OK ? phrases_reclassify_put(change->hits, id, hits, count) : e;
}

static err rematch_phrase(struct preparing *preparing, uint32_t id)
{
    const struct phrases *phrases = preparing->cohorts->world.phrases;
    struct cohort_question question = cohorts_question(phrases, id);
    size_t old_count = 0;
    const struct rule_hit *old = phrases_hits(phrases, id, &old_count);
    if (phrases_classified(phrases, id) && !leads_to_touched(preparing, old, old_count) &&
        (preparing->delta == NULL || !rules_touch(preparing->delta, question.text)) &&
        !edited_model_wants(preparing, &question)) {
        return ERR_OK;
    }
    if (phrases_classified(phrases, id)) {
        question.before = old;
        question.before_count = old_count;
        question.edited = preparing->touched;
    }
    struct rule_hit hits[RULE_HITS_MAX];
    return put_hits(preparing, id, hits,
                    cohorts_state_match(preparing->change->state, &question, hits));
}

static err rematch(struct preparing *preparing)
{
    const struct phrases *phrases = preparing->cohorts->world.phrases;
    const uint32_t limit = phrases_limit(phrases);
    err e = ERR_OK;
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        if (preparing->touched[slot] && preparing->slots[slot] != NULL &&
            preparing->slots[slot]->asks_model) {
            preparing->asking[preparing->asking_count++] = slot;
        }
    }
    for (uint32_t id = 0; e == ERR_OK && id < limit; id++) {
        if (phrases_text(phrases, id).data != NULL) {
            e = rematch_phrase(preparing, id);
        }
    }
    return e;
}

/* ---- 4. members ---- */

static int compare_moves(const void *a, const void *b)
{
    const struct move *left = a;
    const struct move *right = b;
    return left->slot != right->slot
               ? (left->slot < right->slot ? -1 : 1)
               : (left->phrase_id > right->phrase_id) - (left->phrase_id < right->phrase_id);
}

static bool is_union_of_phrases(const struct cohort *cohort)
{
    return cohort != NULL && cohort->reads_phrases && !cohort->has_condition &&
           cohort->include == NULL && cohort->exclude == NULL;
}

/* Looking at one holder of a lost interest costs about what 200 holders cost in a union. */
enum { LOST_HOLDERS_MAX = 8192 };

static bool can_follow_moves(const struct preparing *preparing, uint32_t slot,
                             const struct move *moves, size_t count)
{
    uint64_t lost = 0;
    if (!is_union_of_phrases(old_cohort(preparing, slot)) ||
        !is_union_of_phrases(preparing->slots[slot])) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        lost += moves[i].won ? 0
                             : bitmap_count(phrases_holders(preparing->cohorts->world.phrases,
                                                            moves[i].phrase_id));
    }
    return lost <= LOST_HOLDERS_MAX;
}

struct lost_walk {
    const struct preparing *preparing;
    struct bitmap *members;
    uint32_t slot;
};

/* Does another interest keep the person in? */
static bool visit_lost(void *context, uint32_t number)
{
    struct lost_walk *walk = context;
    const struct cohorts *cohorts = walk->preparing->cohorts;
    const void *blob = people_blob(cohorts->world.people, number);
    if (blob != NULL) {
        struct profile_view view;
        profile_view_open(blob, &view);
        struct profile_cursor cursor = profile_interests(&view);
        for (struct profile_interest interest; profile_interest_next(&cursor, &interest);) {
            size_t count = 0;
            const struct rule_hit *hits =
                cohorts_hits_of(cohorts, walk->preparing->change->hits, interest.phrase_id, &count);
            for (size_t i = 0; i < count; i++) {
                if (hits[i].cohort == walk->slot) {
                    return true;
                }
            }
        }
    }
    (void)bitmap_remove(walk->members, number);
    return true;
}

static struct bitmap *follow_moves(const struct preparing *preparing, uint32_t slot,
                                   const struct move *moves, size_t count)
{
    const struct phrases *phrases = preparing->cohorts->world.phrases;
    struct bitmap *members = bitmap_copy(old_cohort(preparing, slot)->members);
    struct lost_walk walk = {preparing, members, slot};
    for (size_t i = 0; i < count; i++) {
        if (moves[i].won) {
            bitmap_or(members, phrases_holders(phrases, moves[i].phrase_id));
        } else {
            bitmap_each(phrases_holders(phrases, moves[i].phrase_id), visit_lost, &walk);
        }
    }
    return members;
}

static void set_members(struct preparing *preparing, uint32_t slot, struct bitmap *members)
{
    struct cohort *cohort = preparing->slots[slot];
    if (preparing->touched[slot]) {
        cohort->members = members;
    } else {
        preparing->change->swaps[preparing->change->swap_count++] =
            (struct member_swap){cohort, members};
    }
}

/* What can follow its moves is done here and no longer affected. */
static void follow_all_moves(struct preparing *preparing)
{
    size_t at = 0;
    if (preparing->move_count > 0) {
        qsort(preparing->moves, preparing->move_count, sizeof *preparing->moves, compare_moves);
    }
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        const size_t begin = at;
        while (at < preparing->move_count && preparing->moves[at].slot == slot) {
            at++;
        }
        const struct move *moves = at > begin ? preparing->moves + begin : NULL;
        if (preparing->affected[slot] && can_follow_moves(preparing, slot, moves, at - begin)) {
            set_members(preparing, slot, follow_moves(preparing, slot, moves, at - begin));
            preparing->affected[slot] = false;
        }
    }
}

static err compute_members(struct preparing *preparing)
{
    struct cohorts *cohorts = preparing->cohorts;
    size_t affected = 0;
    for (uint32_t slot = 0; slot < preparing->slot_count; slot++) {
        preparing->affected[slot] = preparing->slots[slot] != NULL &&
                                    (preparing->affected[slot] || preparing->touched[slot]);
        affected += preparing->affected[slot];
    }
    struct bitmap **people = memory_zalloc((preparing->slot_count + 1) * sizeof(struct bitmap *));
    preparing->change->swaps = memory_zalloc((affected + 1) * sizeof *preparing->change->swaps);
    err e = people != NULL && preparing->change->swaps != NULL ? ERR_OK : ERR_MEMORY;
    if (e == ERR_OK) {
        follow_all_moves(preparing);
        e = cohorts_union_holders(cohorts, preparing->change->hits, preparing->affected,
                                  preparing->slot_count, people);
    }
    for (uint32_t slot = 0; e == ERR_OK && slot < preparing->slot_count; slot++) {
        if (preparing->affected[slot]) {
            set_members(preparing, slot,
                        cohorts_select(cohorts, preparing->slots[slot], people[slot]));
        }
    }
    memory_free(people);
    return e;
}

/* ---- all of it ---- */

static err allocate(struct preparing *preparing, size_t edit_count)
{
    const struct cohorts_state *state = preparing->cohorts->state;
    preparing->slot_count = state->slot_count;
    preparing->slot_capacity = state->slot_count + (uint32_t)edit_count;
    const size_t room = (size_t)preparing->slot_capacity + 1;
    preparing->slots = memory_zalloc(room * sizeof(struct cohort *));
    preparing->touched = memory_zalloc(room * sizeof *preparing->touched);
    preparing->affected = memory_zalloc(room * sizeof *preparing->affected);
    preparing->asking = memory_zalloc(room * sizeof *preparing->asking);
    preparing->change = memory_zalloc(sizeof *preparing->change);
    if (preparing->slots == NULL || preparing->touched == NULL || preparing->affected == NULL ||
        preparing->asking == NULL || preparing->change == NULL) {
        return ERR_MEMORY;
    }
    preparing->change->generation = preparing->cohorts->generation;
    preparing->change->made = memory_zalloc((edit_count + 1) * sizeof(struct cohort *));
    preparing->change->dropped = memory_zalloc((edit_count + 1) * sizeof(struct cohort *));
    for (uint32_t slot = 0; slot < state->slot_count; slot++) {
        preparing->slots[slot] = state->slots[slot];
    }
    return preparing->change->made != NULL && preparing->change->dropped != NULL ? ERR_OK
                                                                                 : ERR_MEMORY;
}

static err end_preparing(struct preparing *preparing, err e, struct cohorts_change **out,
                         struct error *error)
{
    rules_destroy(preparing->delta);
    memory_free(preparing->slots);
    memory_free(preparing->touched);
    memory_free(preparing->affected);
    memory_free(preparing->asking);
    memory_free(preparing->moves);
    if (e != ERR_OK) {
        cohorts_change_destroy(preparing->change);
        return e == ERR_MEMORY ? no_memory(error) : e;
    }
    *out = preparing->change;
    return ERR_OK;
}

err cohorts_prepare(struct cohorts *cohorts, struct cohorts_edit *edits, size_t count,
                    struct cohorts_change **out, struct error *error)
{
    struct preparing preparing = {.cohorts = cohorts};
    CHECK(count <= UINT32_MAX / 2 - COHORTS_MAX);
    err e = allocate(&preparing, count);
    if (e == ERR_OK) {
        e = apply_edits(&preparing, edits, count, error);
    }
    if (e == ERR_OK) {
        e = build_delta(&preparing);
    }
    if (e == ERR_OK) {
        e = make_state(&preparing);
    }
    if (e == ERR_OK) {
        e = rematch(&preparing);
    }
    if (e == ERR_OK) {
        e = compute_members(&preparing);
    }
    for (size_t i = 0; i < count; i++) {
        cohort_definition_destroy(edits[i].definition);
        edits[i].definition = NULL;
    }
    return end_preparing(&preparing, e, out, error);
}

err cohorts_prepare_verdicts(struct cohorts *cohorts, const struct cohorts_answer *answers,
                             size_t count, struct cohorts_change **out, struct error *error)
{
    struct preparing preparing = {.cohorts = cohorts};
    struct phrases *phrases = cohorts->world.phrases;
    err e = allocate(&preparing, 0);
    if (e == ERR_OK) {
        preparing.change->hits = phrases_reclassify_begin(phrases);
        e = preparing.change->hits != NULL ? ERR_OK : ERR_MEMORY;
    }
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct rule_hit hits[RULE_HITS_MAX];
        struct cohort_question question = cohorts_question(phrases, answers[i].phrase_id);
        question.verdict = answers[i].verdict;
        question.version = cohorts->world.classifier->version;
        e = phrases_reclassify_verdict(preparing.change->hits, answers[i].phrase_id,
                                       question.version, question.verdict);
        if (e == ERR_OK) {
            e = put_hits(&preparing, answers[i].phrase_id, hits,
                         cohorts_state_match(cohorts->state, &question, hits));
        }
    }
    if (e == ERR_OK) {
        e = compute_members(&preparing);
    }
    return end_preparing(&preparing, e, out, error);
}

void cohorts_commit(struct cohorts *cohorts, struct cohorts_change *change)
{
    CHECK(!change->committed && change->generation == cohorts->generation);
    if (change->state != NULL) {
        struct cohorts_state *old = cohorts->state;
        cohorts->state = change->state;
        change->state = old;
        if (change->rules != NULL) {
            change->rules = old->rules;
        }
    }
    if (change->hits != NULL) {
        phrases_reclassify_commit(cohorts->world.phrases, change->hits);
    }
    for (size_t i = 0; i < change->swap_count; i++) {
        struct bitmap *members = change->swaps[i].cohort->members;
        change->swaps[i].cohort->members = change->swaps[i].members;
        change->swaps[i].members = members;
    }
    change->committed = true;
    cohorts->generation++;
}
