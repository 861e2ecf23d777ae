/* cohorts_internal.h: what the cohorts*.c files share.
 *
 *   struct cohorts ─▶ state ─┬─ slots: id ─▶ struct cohort (definition, members, resolved include and exclude)
 *                            ├─ order, rank: ids by name
 *                            ├─ rules over all cohorts' phrases, and vetoes over the not_phrases of those that ask the
 *                            │  classifier, too
 *                            └─ which cohorts read which field, as bitsets over ranks
 *
 * A commit replaces the whole state and, for cohorts whose definition stays, swaps members. Struct
 * cohort itself is shared by the old and the new state where the definition stays. An id is a
 * slot's index; a freed slot is used again.
 *
 * Sets of cohorts are bitsets over ranks, so that going through one gives the order of names. */
#ifndef KINDRED_INDEX_COHORTS_INTERNAL_H
#define KINDRED_INDEX_COHORTS_INTERNAL_H

#include "base/arena.h"
#include "base/check.h"
#include "classifier/fold.h"
#include "cohort_condition.h"
#include "index/cohorts.h"

enum { COHORT_WORDS_MAX = COHORTS_MAX / 64 };
_Static_assert(COHORTS_MAX % 64 == 0, "bitsets are whole words");

struct cohort_examples; /* cohorts_examples.c */

struct cohort {
    struct cohort_definition *definition;
    struct cohort_examples *examples; /* NULL: none, or there is no classifier */
    int topic;                        /* the classifier's; -1: none */
    bool asks_model;                  /* phrases may belong by topic or examples */
    const struct condition *condition;
    char *folded; /* the name without case */
    size_t folded_length;
    uint64_t sequence;
    int64_t changed_at_us;
    struct bitmap *members;
    struct bitmap *include; /* roots; NULL when the definition lists nobody */
    struct bitmap *exclude;
    bool reads_phrases;
    bool has_condition;
};

/* The cohorts whose condition reads this attribute. */
struct attribute_reader {
    struct slice path; /* borrowed from a definition of this state */
    uint64_t *cohorts;
};

struct cohorts_state {
    struct arena arena; /* every array here */
    struct rules *rules;
    /* not_phrases of model_slots, as if they were phrases; NULL: there are none */
    struct rules *vetoes;
    uint32_t *model_slots; /* cohorts that ask the model, ascending */
    uint32_t model_count;
    struct cohort **slots;
    uint32_t slot_count;
    uint32_t count;
    uint32_t *order;        /* rank ─▶ slot */
    uint32_t *rank;         /* slot ─▶ rank */
    uint32_t *pattern_base; /* slot ─▶ number of its first pattern in rules */
    size_t words;           /* of each bitset below */
    /* membership does not follow from a phrase's hit: look into the bitmap */
    uint64_t *ask_always;
    uint64_t *ask_if_hit;      /* a hit is needed but not enough */
    uint64_t *explicit_people; /* with an include or exclude list */
    uint64_t *born;            /* what a new person without any field may belong to */
    uint64_t *readers[FIELD_BUILTIN_COUNT];
    struct attribute_reader *attribute_readers; /* ascending by path */
    size_t attribute_reader_count;
};

struct cohorts {
    struct cohort_world world;
    struct cohorts_state *state;
    struct bitmap *everybody; /* who has a profile */
    /* by name id: who has members in a list-valued attribute; NULL: nobody */
    struct bitmap **item_holders;
    uint32_t item_holders_capacity;
    uint64_t generation;
};

/* ---- bitsets ---- */

static inline void bitset_put(uint64_t *set, uint32_t rank)
{
    set[rank / 64] |= UINT64_C(1) << (rank % 64);
}
static inline bool bitset_has(const uint64_t *set, uint32_t rank)
{
    return set[rank / 64] >> (rank % 64) & 1;
}
static inline void bitset_add(uint64_t *set, const uint64_t *more, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        set[i] |= more[i];
    }
}

/* ---- cohorts_state.c ---- */

/* Takes the edit's definition on success. The list of people is resolved through the union-find.
 * `before` is what it replaces, or NULL. */
err cohort_create(const struct cohort_world *world, struct cohorts_edit *edit,
                  const struct cohort *before, struct cohort **out, struct error *error) MUST_USE;
void cohort_destroy(struct cohort *cohort);
/* Include and exclude anew; frees the old ones. */
void cohort_resolve_people(const struct cohort_world *world, struct cohort *cohort);

/* A state with these slots (copied) and no rules. */
err cohorts_state_create(struct cohort *const *slots, uint32_t slot_count,
                         struct cohorts_state **out) MUST_USE;
/* Not the cohorts and not the rules; the vetoes, yes. */
void cohorts_state_destroy(struct cohorts_state *state);
/* The rules of all phrases of these slots; fills state->pattern_base. */
err cohorts_state_build_rules(struct cohorts_state *state) MUST_USE;
const struct attribute_reader *cohorts_state_reader(const struct cohorts_state *state,
                                                    struct slice path);
uint32_t cohorts_state_find(const struct cohorts_state *state, struct slice name);
/* Vetoes from the definitions; nothing where no cohort that asks the model has not_phrases. */
err cohorts_state_build_vetoes(struct cohorts_state *state) MUST_USE;

/* A phrase, known or not, and what the classifier says about it. */
struct cohort_question {
    struct slice text;
    uint64_t fold_key;
    uint64_t version;              /* who said it */
    const struct verdict *verdict; /* NULL: nobody has said anything yet */
    /* While definitions change: where this very verdict led before, and which slots are edited;
     * NULL: ask every cohort. What the model says to the others is the same as before. */
    const struct rule_hit *before;
    size_t before_count;
    const bool *edited;
};
struct cohort_question cohorts_question(const struct phrases *phrases, uint32_t id);
/* All hits, ascending by cohort, patterns counted per cohort: rules first; where no rule speaks,
 * examples and the model. */
size_t cohorts_state_match(const struct cohorts_state *state,
                           const struct cohort_question *question,
                           struct rule_hit hits[RULE_HITS_MAX]);

bool cohorts_same_hits(const struct rule_hit *a, size_t a_count, const struct rule_hit *b,
                       size_t b_count);

/* ---- cohorts_examples.c ---- */

/* Embeddings of the examples, and the scorer. row: what cohorts_encode_examples wrote, or
 * SLICE_NONE. */
err cohort_learn(const struct cohort_world *world, struct cohort *cohort,
                 const struct cohort *before, struct slice row) MUST_USE;
void cohort_examples_destroy(struct cohort_examples *examples);
/* By example, topic or likeness, if no rule says otherwise. */
bool cohort_model_hit(const struct cohort *cohort, uint32_t slot,
                      const struct cohort_question *question, struct rule_hit *hit);

/* ---- cohorts_select.c ---- */

/* All who are in the cohort by its definition. phrase_people: holders of its phrases, owned by the
 * callee; NULL is nobody. Owned by caller. */
struct bitmap *cohorts_select(const struct cohorts *cohorts, const struct cohort *cohort,
                              struct bitmap *phrase_people);
/* The phrase's hits, as they are or (reclassification not NULL) as they will be. */
const struct rule_hit *cohorts_hits_of(const struct cohorts *cohorts,
                                       const struct phrases_reclassification *reclassification,
                                       uint32_t phrase_id, size_t *count);
/* For each slot with wanted[slot], the union of the holders of its phrases into people[slot].
 * reclassification NULL: the hits that phrases have. */
err cohorts_union_holders(const struct cohorts *cohorts,
                          const struct phrases_reclassification *reclassification,
                          const bool *wanted, uint32_t slot_count, struct bitmap **people) MUST_USE;

/* ---- cohorts_person.c ---- */

/* The ranks that the interests lead to. */
void cohorts_gather_hits(const struct cohorts *cohorts, const struct profile_view *view,
                         uint64_t *hits);
/* Everybody who has a profile and who holds list members, from the blobs. */
void cohorts_survey_people(struct cohorts *cohorts);

#endif
