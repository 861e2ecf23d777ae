/* interests.h: what the classifier says about interests, on its way to the writer and back out to
 * people.
 *
 *   worker   parses records ─▶ engine_phrases_to_classify ─▶ classify ─▶ engine_offer_verdicts ─▶ submit the records:
 *            the writer finds the verdict when it meets the new phrase, so the cohort is there when the 2xx is
 *   backlog  engine_pending_phrases ─▶ classify ─▶ SUBMIT_VERDICTS: what a flood left behind, and everything after a change
 *            of the model's version (older verdicts go on answering until then)
 *
 * Nothing here is in the log: a verdict is a pure function of phrase and version, and is asked for
 * again when it is lost. Verdicts are checkpointed with their phrase, so a start does not ask
 * again.
 *
 * Offered verdicts wait in a cache of fixed size, and leave it when the phrase is met. When it is
 * full, old ones are lost: the phrase is then pending, which is late and not wrong. An erasure
 * empties it, so that no erased person's words stay there.
 *
 * Threading: "any", "reader" and "writer" as in engine.h. Without a classifier nothing is pending
 * and nothing is offered. */
#ifndef KINDRED_ENGINE_INTERESTS_H
#define KINDRED_ENGINE_INTERESTS_H

#include "engine/engine.h"

enum {
    VERDICT_SLOTS_DEFAULT = 65536,
    /* a good size for engine_pending_phrases and SUBMIT_VERDICTS; not a limit */
    VERDICT_BATCH = 256,
    UNCLASSIFIED_MAX = 1000,
};

/* By engine_options.classifier. */
struct phrase_verdict {
    struct slice phrase; /* as the record has it (struct record's interests), not folded */
    struct verdict verdict;
};

/* ---- on the way in --------------------------------------------------------------------------- */

/* Of the texts at *from and behind: those that nobody has classified (neither known with any
 * verdict nor offered), each once; their places into `out`, at most `room`. *from moves behind what
 * was looked at: call again until it is `count`. fresh: a verdict of an older version does not
 * count (for a cohort's examples). Reader. */
size_t engine_phrases_to_classify(const struct engine *engine, const struct slice *texts,
                                  size_t count, bool fresh, size_t *from, uint32_t *out,
                                  size_t room);
/* Copied. Before the records (or the definition, for its examples) are submitted. Any. */
void engine_offer_verdicts(struct engine *engine, const struct phrase_verdict *verdicts,
                           size_t count);
/* What is known of the phrase: stored or offered; false: nothing. *version (may be NULL) says whose
 * it is: only one of the classifier's own may be given to engine_explain_phrase, which finds a
 * stored one by itself. Reader. */
bool engine_phrase_verdict(const struct engine *engine, struct slice phrase, struct verdict *out,
                           uint64_t *version);
/* The texts of "examples" and "not_examples" in a definition's JSON, "positive" and "negative" in
 * feedback's; wherever they are no texts, or the JSON is none, fewer: the commit says what is
 * wrong. In the arena. Any. */
err engine_example_texts(struct slice json, struct arena *arena, struct slice **out,
                         size_t *count) MUST_USE;

/* ---- the backlog ----------------------------------------------------------------------------- */

/* Copies the texts of pending phrases into the arena, in the order of ids from *cursor on, and
 * moves *cursor; at the end it goes round. Returns how many (0: none is pending). Reader. */
size_t engine_pending_phrases(const struct engine *engine, uint32_t *cursor, struct arena *arena,
                              struct slice *out, size_t room);
/* Classifies everything pending, here and now. For commands, tests and engine_verify. Writer, no
 * readers. */
err engine_classify_pending(struct engine *engine, struct error *error) MUST_USE;

/* ---- answers --------------------------------------------------------------------------------- */

/* Which cohorts any phrase falls in, ascending by id, with this verdict of the classifier's; NULL:
 * with the one it has, if it has one. See cohorts.h: hit_decided_by, hit_method_name,
 * cohorts_hit_text. Reader. */
size_t engine_explain_phrase(const struct engine *engine, struct slice phrase,
                             const struct verdict *verdict, struct rule_hit hits[RULE_HITS_MAX]);
/* One hit's members "decided_by", "method", "pattern" or "example" or "topic", and "confidence",
 * into an open object. Reader. */
void engine_write_hit(const struct engine *engine, const struct rule_hit *hit,
                      struct json_writer *json);
/* [{"cohort": …, and the members above}, …], in the order of names. Reader. */
void engine_write_phrase_cohorts(const struct engine *engine, struct slice phrase,
                                 const struct verdict *verdict, struct json_writer *json);

/* Phrases that the classifier found no topic for and that are in no cohort, those with most holders
 * first: what people follow and nobody has a word for yet (drift). In steps, each inside the gate
 * by itself:
 *     struct unclassified_scan scan = {.limit = 50};
 *     do { enter; more = engine_unclassified_step(engine, &scan, 2000); leave; } while (more);
 *     enter; count = engine_unclassified_end(engine, &scan, &arena, out); leave; */
struct unclassified_phrase {
    struct slice phrase;
    uint64_t holders;
};
struct unclassified_scan {
    size_t limit; /* at most UNCLASSIFIED_MAX */
    /* the scan's own */
    uint32_t next;
    size_t count;
    struct {
        uint64_t holders;
        uint32_t id;
    } heap[UNCLASSIFIED_MAX]; /* the least on top */
};
/* Looks at most at `budget` phrases; true when there are more. Reader. */
bool engine_unclassified_step(const struct engine *engine, struct unclassified_scan *scan,
                              size_t budget);
/* Up to scan->limit; texts in the arena. Reader. */
size_t engine_unclassified_end(const struct engine *engine, struct unclassified_scan *scan,
                               struct arena *arena, struct unclassified_phrase *out);

/* Every phrase, for comparing models: open an engine with the new classifier (read_only), and each
 * phrase's hits are still those by the old verdicts, while engine_explain_phrase with a new verdict
 * says what is to come. Borrowed until the gate is left. Reader. */
struct engine_phrase {
    struct slice phrase;
    const struct bitmap *holders;
    const struct verdict *verdict; /* NULL: none yet */
    uint64_t version;              /* of the verdict */
    bool pending;
    const struct rule_hit *hits;
    size_t hit_count;
};
/* *cursor begins at 0; false at the end. */
bool engine_next_phrase(const struct engine *engine, uint32_t *cursor, struct engine_phrase *out);

#endif
