/* Who is in a cohort, for everybody at once.
 *
 * A condition over all people gives two sets: `yes`, who fulfil it for certain, and `possible`, who
 * might. They differ by those with values that no bitmap can compare; only these, and of these only
 * who is left after everything else, are looked at one by one.
 *
 *   leaf   yes: from the bitmaps; possible: yes and whoever has a loose value or list members in the field
 *   all    yes: intersection of yes, possible: intersection of possible        any: the same with unions
 *   not    yes: everybody without possible, possible: everybody without yes */
#include "base/memory.h"
#include "cohorts_internal.h"

struct bounds {
    struct bitmap *yes;
    struct bitmap *possible; /* NULL: the same as yes */
};

static void or_if_some(struct bitmap *set, const struct bitmap *more)
{
    if (more != NULL) {
        bitmap_or(set, more);
    }
}

/* ---- leaves ---- */

struct category_walk {
    const struct condition_node *leaf;
    const struct names *names;
    struct bitmap *yes;
};

static void visit_category(void *context, uint32_t category_id, const struct bitmap *people)
{
    struct category_walk *walk = context;
    const struct profile_value value = {.kind = PROFILE_CATEGORY, .category_id = category_id};
    if (condition_value_holds(walk->leaf, &value, walk->names)) {
        bitmap_or(walk->yes, people);
    }
}

static enum comparison comparison_of(enum condition_op op)
{
    switch (op) {
    case OP_NE: return COMPARE_NE;
    case OP_LT: return COMPARE_LT;
    case OP_LTE: return COMPARE_LTE;
    case OP_GT: return COMPARE_GT;
    case OP_GTE: return COMPARE_GTE;
    default: return COMPARE_EQ;
    }
}

/* Whole numbers against a fraction: turn it into the whole number that splits them the same way. */
static struct bitmap *compare_with_fraction(const struct attributes *attributes, uint32_t name_id,
                                            enum condition_op op, double number)
{
    const struct bitmap *integers = attributes_integers(attributes, name_id);
    if (integers == NULL) {
        return bitmap_create();
    }
    const bool above_all = number >= 9223372036854775808.0;
    const bool below_all = number < -9223372036854775808.0;
    const int64_t whole = above_all || below_all ? 0 : (int64_t)number;
    const bool exact = !above_all && !below_all && (double)whole == number;
    if (exact) {
        return attributes_compare(attributes, name_id, comparison_of(op), whole);
    }
    const int64_t floor = whole - ((double)whole > number); /* of a number in range */
    switch (op) {
    case OP_LT:
    case OP_LTE:
        return above_all   ? bitmap_copy(integers)
               : below_all ? bitmap_create()
                           : attributes_compare(attributes, name_id, COMPARE_LTE, floor);
    case OP_GT:
    case OP_GTE:
        return below_all   ? bitmap_copy(integers)
               : above_all ? bitmap_create()
                           : attributes_compare(attributes, name_id, COMPARE_GT, floor);
    case OP_NE: return bitmap_copy(integers);
    default: return bitmap_create();
    }
}

static void or_integers(const struct attributes *attributes, uint32_t name_id,
                        const struct condition_node *leaf, struct bitmap *yes)
{
    if (leaf->op == OP_EXISTS) {
        or_if_some(yes, attributes_integers(attributes, name_id));
        return;
    }
    for (size_t i = 0; i < leaf->value_count; i++) {
        const struct value *value = &leaf->values[i].value;
        struct bitmap *people = NULL;
        if (value->kind == VALUE_INTEGER && leaf->op != OP_CONTAINS && leaf->op != OP_STARTS_WITH) {
            people =
                attributes_compare(attributes, name_id, comparison_of(leaf->op), value->integer);
        } else if (value->kind == VALUE_NUMBER) {
            people = compare_with_fraction(attributes, name_id, leaf->op, value->number);
        } else if (leaf->op == OP_NE) {
            or_if_some(yes, attributes_integers(attributes, name_id));
        }
        or_if_some(yes, people);
        bitmap_destroy(people);
    }
}

static struct bounds select_leaf(const struct cohorts *cohorts, const struct condition_node *leaf)
{
    const struct attributes *attributes = cohorts->world.attributes;
    const uint32_t name_id = condition_name_id(leaf, cohorts->world.names);
    struct bounds bounds = {bitmap_create(), NULL};
    if (name_id == NAME_NONE) {
        return bounds;
    }
    if (!attributes_indexes(name_id, PROFILE_TEXT)) {
        bounds.possible = bitmap_copy(cohorts->everybody);
        return bounds;
    }
    struct category_walk walk = {leaf, cohorts->world.names, bounds.yes};
    attributes_each_category(attributes, name_id, visit_category, &walk);
    or_integers(attributes, name_id, leaf, bounds.yes);
    for (int truth = 0; truth < 2; truth++) {
        const struct profile_value value = {.kind = PROFILE_BOOL, .boolean = truth != 0};
        if (condition_value_holds(leaf, &value, cohorts->world.names)) {
            or_if_some(bounds.yes, attributes_bool(attributes, name_id, truth != 0));
        }
    }
    const struct bitmap *loose = attributes_loose(attributes, name_id);
    const struct bitmap *items =
        name_id < cohorts->item_holders_capacity ? cohorts->item_holders[name_id] : NULL;
    if (items != NULL && leaf->op == OP_NE) {
        bitmap_and_not(bounds.yes, items); /* one of the members may be equal */
    }
    if (loose != NULL || items != NULL) {
        bounds.possible = bitmap_copy(bounds.yes);
        or_if_some(bounds.possible, loose);
        or_if_some(bounds.possible, items);
    }
    return bounds;
}

/* ---- trees ---- */

/* `to` takes `with` in; `with` is freed. */
static void combine(struct bounds *to, struct bounds with,
                    void (*operation)(struct bitmap *a, const struct bitmap *b))
{
    if (to->possible == NULL && with.possible != NULL) {
        to->possible = bitmap_copy(to->yes);
    }
    if (to->possible != NULL) {
        operation(to->possible, with.possible != NULL ? with.possible : with.yes);
    }
    operation(to->yes, with.yes);
    bitmap_destroy(with.yes);
    bitmap_destroy(with.possible);
}

static struct bounds complement(const struct cohorts *cohorts, struct bounds of)
{
    struct bounds result = {bitmap_copy(cohorts->everybody), NULL};
    bitmap_and_not(result.yes, of.possible != NULL ? of.possible : of.yes);
    if (of.possible != NULL) {
        result.possible = bitmap_copy(cohorts->everybody);
        bitmap_and_not(result.possible, of.yes);
    }
    bitmap_destroy(of.yes);
    bitmap_destroy(of.possible);
    return result;
}

static struct bounds select_node(const struct cohorts *cohorts, const struct condition *condition,
                                 uint32_t at)
{
    const struct condition_node *node = &condition->nodes[at];
    if (node->kind == CONDITION_LEAF) {
        return select_leaf(cohorts, node);
    }
    struct bounds bounds = select_node(cohorts, condition, at + 1);
    if (node->kind == CONDITION_NOT) {
        return complement(cohorts, bounds);
    }
    for (uint32_t child = condition->nodes[at + 1].end; child < node->end;
         child = condition->nodes[child].end) {
        combine(&bounds, select_node(cohorts, condition, child),
                node->kind == CONDITION_ALL ? bitmap_and : bitmap_or);
    }
    return bounds;
}

/* ---- cohorts ---- */

struct scan {
    const struct cohorts *cohorts;
    const struct condition *condition;
    struct bitmap *members;
};

static bool scan_person(void *context, uint32_t number)
{
    struct scan *scan = context;
    const void *blob = people_blob(scan->cohorts->world.people, number);
    if (blob != NULL) {
        struct profile_view view;
        profile_view_open(blob, &view);
        if (condition_matches(scan->condition, &view, scan->cohorts->world.names)) {
            (void)bitmap_add(scan->members, number);
        }
    }
    return true;
}

static struct bitmap *apply_condition(const struct cohorts *cohorts, const struct cohort *cohort,
                                      struct bitmap *base)
{
    struct bounds bounds = select_node(cohorts, cohort->condition, 0);
    if (bounds.possible != NULL) {
        bitmap_and_not(bounds.possible, bounds.yes);
    }
    if (base != NULL) {
        bitmap_and(bounds.yes, base);
        if (bounds.possible != NULL) {
            bitmap_and(bounds.possible, base);
        }
    }
    if (bounds.possible != NULL) {
        struct scan scan = {cohorts, cohort->condition, bounds.yes};
        bitmap_each(bounds.possible, scan_person, &scan);
    }
    bitmap_destroy(bounds.possible);
    bitmap_destroy(base);
    return bounds.yes;
}

struct bitmap *cohorts_select(const struct cohorts *cohorts, const struct cohort *cohort,
                              struct bitmap *phrase_people)
{
    struct bitmap *members = phrase_people;
    if (!cohort->reads_phrases) {
        bitmap_destroy(members);
        members = NULL;
    } else if (members == NULL) {
        members = bitmap_create();
    }
    if (cohort->has_condition) {
        members = apply_condition(cohorts, cohort, members);
    } else if (members == NULL) {
        members = bitmap_create();
    }
    if (cohort->include != NULL) {
        struct bitmap *living = bitmap_copy(cohort->include);
        bitmap_and(living, cohorts->everybody);
        bitmap_or(members, living);
        bitmap_destroy(living);
    }
    if (cohort->exclude != NULL) {
        bitmap_and_not(members, cohort->exclude);
    }
    return members;
}

const struct rule_hit *cohorts_hits_of(const struct cohorts *cohorts,
                                       const struct phrases_reclassification *reclassification,
                                       uint32_t phrase_id, size_t *count)
{
    return reclassification != NULL ? phrases_reclassify_hits(reclassification, phrase_id, count)
                                    : phrases_hits(cohorts->world.phrases, phrase_id, count);
}

err cohorts_union_holders(const struct cohorts *cohorts,
                          const struct phrases_reclassification *reclassification,
                          const bool *wanted, uint32_t slot_count, struct bitmap **people)
{
    const struct phrases *phrases = cohorts->world.phrases;
    const uint32_t limit = phrases_limit(phrases);
    /* A counting sort of (slot, phrase) pairs: ends[slot] counts, then is where the slot's part
     * ends. */
    size_t *ends = memory_zalloc((slot_count + 1) * sizeof *ends);
    const struct bitmap **sets = NULL;
    size_t total = 0;
    if (ends == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t id = 0; id < limit; id++) {
        size_t count = 0;
        const struct rule_hit *hits = cohorts_hits_of(cohorts, reclassification, id, &count);
        for (size_t i = 0; i < count; i++) {
            ends[hits[i].cohort] += wanted[hits[i].cohort];
        }
    }
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        total += ends[slot];
        ends[slot] = total;
    }
    sets = memory_alloc((total + 1) * sizeof *sets);
    if (sets == NULL) {
        memory_free(ends);
        return ERR_MEMORY;
    }
    for (uint32_t id = 0; id < limit; id++) {
        size_t count = 0;
        const struct rule_hit *hits = cohorts_hits_of(cohorts, reclassification, id, &count);
        for (size_t i = 0; i < count; i++) {
            if (wanted[hits[i].cohort]) {
                sets[--ends[hits[i].cohort]] = phrases_holders(phrases, id);
            }
        }
    }
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        const size_t end = slot + 1 < slot_count ? ends[slot + 1] : total;
        if (wanted[slot]) {
            people[slot] = bitmap_or_many(sets + ends[slot], end - ends[slot]);
        }
    }
    memory_free(sets);
    memory_free(ends);
    return ERR_OK;
}
