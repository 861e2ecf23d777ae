/* interests.c: what others ask about phrases and verdicts. Nothing here changes the state. */
#include "engine/interests.h"

#include <stdlib.h>

#include "ingest/json_reader.h"
#include "internal.h"

/* ---- on the way in ---- */

static bool needs_verdict(const struct engine *engine, struct slice text, bool fresh)
{
    const uint32_t id = phrases_find(engine->phrases, text);
    const bool known =
        id != PHRASE_NONE && (fresh ? !phrases_is_pending(engine->phrases, id)
                                    : phrases_verdict(engine->phrases, id, NULL) != NULL);
    return !known && !verdict_cache_find(engine->verdicts, text, NULL);
}

size_t engine_phrases_to_classify(const struct engine *engine, const struct slice *texts,
                                  size_t count, bool fresh, size_t *from, uint32_t *out,
                                  size_t room)
{
    size_t found = 0;
    if (engine->options.classifier == NULL) {
        *from = count;
        return 0;
    }
    while (*from < count && found < room) {
        const size_t at = (*from)++;
        bool twice = false;
        for (size_t i = 0; i < found && !twice; i++) {
            twice = slice_equal(texts[out[i]], texts[at]);
        }
        if (!twice && needs_verdict(engine, texts[at], fresh)) {
            out[found++] = (uint32_t)at;
        }
    }
    return found;
}

void engine_offer_verdicts(struct engine *engine, const struct phrase_verdict *verdicts,
                           size_t count)
{
    for (size_t i = 0; engine->options.classifier != NULL && i < count; i++) {
        check_verdict(engine, &verdicts[i].verdict);
        verdict_cache_put(engine->verdicts, verdicts[i].phrase, &verdicts[i].verdict);
    }
}

bool engine_phrase_verdict(const struct engine *engine, struct slice phrase, struct verdict *out,
                           uint64_t *version)
{
    const uint32_t id = phrases_find(engine->phrases, phrase);
    uint64_t said_by = 0;
    const struct verdict *verdict =
        id != PHRASE_NONE ? phrases_verdict(engine->phrases, id, &said_by) : NULL;
    bool found = verdict != NULL;
    if (found) {
        *out = *verdict;
    } else if (verdict_cache_find(engine->verdicts, phrase, out)) {
        found = true;
        said_by = engine->options.classifier->version; /* nobody else can have offered it */
    }
    if (version != NULL) {
        *version = said_by;
    }
    return found;
}

err engine_example_texts(struct slice json, struct arena *arena, struct slice **out, size_t *count)
{
    static const char *const members[] = {"examples", "not_examples", "positive", "negative"};
    struct json_document *document = NULL;
    *out = NULL;
    *count = 0;
    err e = json_read(json, &document, NULL);
    if (e != ERR_OK) {
        return e == ERR_MEMORY ? e : ERR_OK;
    }
    size_t most = 0;
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        json_value list = json_get(json_root(document), members[i]);
        most += list != NULL && json_type(list) == JSON_ARRAY ? json_count(list) : 0;
    }
    *out = arena_alloc(arena, (most + 1) * sizeof **out);
    e = *out != NULL ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(members); i++) {
        json_value list = json_get(json_root(document), members[i]);
        if (list == NULL || json_type(list) != JSON_ARRAY) {
            continue;
        }
        for (struct json_iterator each = json_iterate(list); e == ERR_OK && json_next(&each);) {
            /* As cohort_definition_parse reads it, or it would be another text. */
            const struct slice text = slice_trim(json_text(each.value));
            if (text.length > 0 && text.length <= RULE_PATTERN_MAX) {
                (*out)[*count] = arena_copy(arena, text);
                e = (*out)[(*count)++].data != NULL ? ERR_OK : ERR_MEMORY;
            }
        }
    }
    json_document_destroy(document);
    return e;
}

/* ---- the backlog ---- */

size_t engine_pending_phrases(const struct engine *engine, uint32_t *cursor, struct arena *arena,
                              struct slice *out, size_t room)
{
    const struct bitmap *pending = phrases_pending(engine->phrases);
    uint32_t ids[VERDICT_BATCH];
    size_t found = 0;
    bool round = false; /* began anew once */
    while (found < room) {
        const size_t part = room - found < VERDICT_BATCH ? room - found : VERDICT_BATCH;
        const size_t count = bitmap_page_from(pending, *cursor, ids, part);
        for (size_t i = 0; i < count; i++) {
            out[found] = arena_copy(arena, phrases_text(engine->phrases, ids[i]));
            if (out[found].data == NULL) {
                return found;
            }
            found++;
            *cursor = ids[i] + 1; /* ids are far below the top */
        }
        if (count < part) {
            *cursor = 0;
            if (found > 0 || round) {
                break;
            }
            round = true;
        }
    }
    return found;
}

/* ---- answers ---- */

size_t engine_explain_phrase(const struct engine *engine, struct slice phrase,
                             const struct verdict *verdict, struct rule_hit hits[RULE_HITS_MAX])
{
    return cohorts_explain_phrase(engine->cohorts, phrase, verdict, hits);
}

void engine_write_hit(const struct engine *engine, const struct rule_hit *hit,
                      struct json_writer *json)
{
    const struct slice text = cohorts_hit_text(engine->cohorts, hit);
    json_member_cstr(json, "decided_by", hit_decided_by(hit->method));
    json_member_cstr(json, "method", hit_method_name(hit->method));
    if (text.data != NULL) {
        json_member_string(json,
                           hit->method == HIT_TOPIC     ? "topic"
                           : hit->method == HIT_EXAMPLE ? "example"
                                                        : "pattern",
                           text);
    }
    json_key(json, "confidence");
    /* A float's own digits (0.95), not those of the double it becomes. */
    json_double(json, (double)(int)(hit->confidence * 100.0f + 0.5f) / 100.0);
}

struct named_hit {
    struct slice name;
    const struct rule_hit *hit;
};

static int compare_named_hits(const void *a, const void *b)
{
    const struct named_hit *x = a;
    const struct named_hit *y = b;
    return slice_compare(x->name, y->name);
}

void engine_write_phrase_cohorts(const struct engine *engine, struct slice phrase,
                                 const struct verdict *verdict, struct json_writer *json)
{
    struct rule_hit hits[RULE_HITS_MAX];
    const size_t count = engine_explain_phrase(engine, phrase, verdict, hits);
    struct named_hit *named = memory_alloc((count + 1) * sizeof *named);
    if (named == NULL) {
        json->out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        named[i] = (struct named_hit){
            cohort_definition_name(cohorts_definition(engine->cohorts, hits[i].cohort)), &hits[i]};
    }
    qsort(named, count, sizeof *named, compare_named_hits);
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(json);
        json_member_string(json, "cohort", named[i].name);
        engine_write_hit(engine, named[i].hit, json);
        json_object_end(json);
    }
    json_array_end(json);
    memory_free(named);
}

/* ---- what nobody has a word for yet ---- */

static bool is_less(const struct unclassified_scan *scan, size_t a, size_t b)
{
    return scan->heap[a].holders != scan->heap[b].holders
               ? scan->heap[a].holders < scan->heap[b].holders
               : scan->heap[a].id > scan->heap[b].id;
}

static void swap(struct unclassified_scan *scan, size_t a, size_t b)
{
    const uint64_t holders = scan->heap[a].holders;
    const uint32_t id = scan->heap[a].id;
    scan->heap[a] = scan->heap[b];
    scan->heap[b].holders = holders;
    scan->heap[b].id = id;
}

static void sift_down(struct unclassified_scan *scan)
{
    size_t at = 0;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < scan->count; child++) {
            least = is_less(scan, child, least) ? child : least;
        }
        if (least == at) {
            return;
        }
        swap(scan, at, least);
        at = least;
    }
}

static void keep_most_held(struct unclassified_scan *scan, uint32_t id, uint64_t holders)
{
    const size_t limit = scan->limit < UNCLASSIFIED_MAX ? scan->limit : UNCLASSIFIED_MAX;
    if (scan->count < limit) {
        size_t at = scan->count++;
        scan->heap[at].holders = holders;
        scan->heap[at].id = id;
        for (; at > 0 && is_less(scan, at, (at - 1) / 2); at = (at - 1) / 2) {
            swap(scan, at, (at - 1) / 2);
        }
    } else if (limit > 0 && holders > scan->heap[0].holders) {
        scan->heap[0].holders = holders;
        scan->heap[0].id = id;
        sift_down(scan);
    }
}

bool engine_unclassified_step(const struct engine *engine, struct unclassified_scan *scan,
                              size_t budget)
{
    uint32_t ids[VERDICT_BATCH];
    while (budget > 0) {
        const size_t part = budget < VERDICT_BATCH ? budget : VERDICT_BATCH;
        const size_t count =
            bitmap_page_from(phrases_unclassified(engine->phrases), scan->next, ids, part);
        for (size_t i = 0; i < count; i++) {
            keep_most_held(scan, ids[i], bitmap_count(phrases_holders(engine->phrases, ids[i])));
        }
        if (count < part) {
            return false;
        }
        scan->next = ids[count - 1] + 1;
        budget -= count;
    }
    return true;
}

static int compare_unclassified(const void *a, const void *b)
{
    const struct unclassified_phrase *x = a;
    const struct unclassified_phrase *y = b;
    return x->holders != y->holders ? (x->holders > y->holders ? -1 : 1)
                                    : slice_compare(x->phrase, y->phrase);
}

size_t engine_unclassified_end(const struct engine *engine, struct unclassified_scan *scan,
                               struct arena *arena, struct unclassified_phrase *out)
{
    size_t found = 0;
    for (size_t i = 0; i < scan->count; i++) {
        const uint32_t id = scan->heap[i].id;
        if (bitmap_contains(phrases_unclassified(engine->phrases), id)) { /* still */
            out[found] =
                (struct unclassified_phrase){arena_copy(arena, phrases_text(engine->phrases, id)),
                                             bitmap_count(phrases_holders(engine->phrases, id))};
            found += out[found].phrase.data != NULL;
        }
    }
    qsort(out, found, sizeof *out, compare_unclassified);
    return found;
}

/* ---- all of them ---- */

bool engine_next_phrase(const struct engine *engine, uint32_t *cursor, struct engine_phrase *out)
{
    const struct phrases *phrases = engine->phrases;
    while (*cursor < phrases_limit(phrases)) {
        const uint32_t id = (*cursor)++;
        const struct slice text = phrases_text(phrases, id);
        if (text.data != NULL) {
            *out = (struct engine_phrase){.phrase = text, .holders = phrases_holders(phrases, id)};
            out->verdict = phrases_verdict(phrases, id, &out->version);
            out->pending = phrases_is_pending(phrases, id);
            out->hits = phrases_hits(phrases, id, &out->hit_count);
            return true;
        }
    }
    return false;
}
