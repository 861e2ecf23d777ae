/* classify_compare.c: what would move with another model. The folder is opened for reading with the
 * new model: the cohorts each phrase leads to are still those by the verdicts it has, and the new
 * ones are worked out beside them. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "commands/classify.h"
#include "commands/progress.h"
#include "commands/store.h"
#include "engine/interests.h"

enum { LISTED_MAX = 20, LISTED_TEXT = 8 };

struct listed {
    struct slice phrase; /* the engine's, which nothing changes meanwhile */
    uint64_t holders;
};

/* Phrases with most holders first. */
struct list {
    struct listed items[LISTED_MAX];
    size_t count;
    uint64_t phrases; /* altogether */
};

struct moved {
    /* who is in it by their interests; NULL: the model has no part in this cohort */
    struct bitmap *before, *after;
    struct list entering, leaving;
    uint64_t people_entering, people_leaving;
};

struct comparing {
    struct store store;
    struct model_scratch scratch;
    struct moved *moved; /* by cohort id */
    uint32_t cohorts;
    uint64_t phrases, unclassified;
    struct progress progress;
};

static void add_listed(struct list *list, struct slice phrase, uint64_t holders)
{
    list->phrases++;
    if (list->count == LISTED_MAX && holders <= list->items[LISTED_MAX - 1].holders) {
        return;
    }
    size_t at = list->count < LISTED_MAX ? list->count++ : LISTED_MAX - 1;
    for (; at > 0 && list->items[at - 1].holders < holders; at--) {
        list->items[at] = list->items[at - 1];
    }
    list->items[at] = (struct listed){phrase, holders};
}

static bool has(const struct rule_hit *hits, size_t count, uint32_t cohort)
{
    for (size_t i = 0; i < count; i++) {
        if (hits[i].cohort == cohort) {
            return true;
        }
    }
    return false;
}

static void compare_phrase(struct comparing *comparison, const struct engine_phrase *phrase,
                           const struct verdict *verdict)
{
    struct rule_hit hits[RULE_HITS_MAX];
    size_t count = engine_explain_phrase(comparison->store.engine, phrase->phrase, verdict, hits);
    uint64_t holders = bitmap_count(phrase->holders);
    comparison->phrases++;
    comparison->unclassified += phrase->verdict == NULL;
    for (size_t i = 0; i < count; i++) {
        struct moved *moved = &comparison->moved[hits[i].cohort];
        if (moved->after != NULL) {
            bitmap_or(moved->after, phrase->holders);
            if (!has(phrase->hits, phrase->hit_count, hits[i].cohort)) {
                add_listed(&moved->entering, phrase->phrase, holders);
            }
        }
    }
    for (size_t i = 0; i < phrase->hit_count; i++) {
        struct moved *moved = &comparison->moved[phrase->hits[i].cohort];
        if (moved->before != NULL) {
            bitmap_or(moved->before, phrase->holders);
            if (!has(hits, count, phrase->hits[i].cohort)) {
                add_listed(&moved->leaving, phrase->phrase, holders);
            }
        }
    }
}

static void compare_all(struct comparing *comparison, uint64_t total)
{
    struct engine_phrase phrases[CLASSIFIER_BATCH_MAX];
    struct slice texts[CLASSIFIER_BATCH_MAX];
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    const struct classifier *classifier = comparison->store.model.classifier;
    uint32_t cursor = 0;
    size_t count = CLASSIFIER_BATCH_MAX;
    progress_begin(&comparison->progress, "interests", "classified", total);
    while (count == CLASSIFIER_BATCH_MAX) {
        count = 0;
        while (count < CLASSIFIER_BATCH_MAX &&
               engine_next_phrase(comparison->store.engine, &cursor, &phrases[count])) {
            texts[count] = phrases[count].phrase;
            count++;
        }
        if (count > 0) {
            classifier->classify(classifier->context, comparison->scratch.at, texts, count,
                                 verdicts);
        }
        for (size_t i = 0; i < count; i++) {
            compare_phrase(comparison, &phrases[i], &verdicts[i]);
        }
        progress_update(&comparison->progress, comparison->phrases, comparison->phrases);
    }
    progress_end(&comparison->progress);
    for (uint32_t id = 0; id < comparison->cohorts; id++) {
        struct moved *moved = &comparison->moved[id];
        if (moved->before != NULL) {
            uint64_t both = bitmap_and_count(moved->before, moved->after);
            moved->people_entering = bitmap_count(moved->after) - both;
            moved->people_leaving = bitmap_count(moved->before) - both;
        }
    }
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_list(const char *label, const struct list *list)
{
    char count[COUNT_TEXT_MAX];
    if (list->phrases == 0) {
        return;
    }
    printf("  %s  ", label);
    for (size_t i = 0; i < list->count && i < LISTED_TEXT; i++) {
        printf("%s%.*s (%s)", i > 0 ? ", " : "", SLICE_ARGS(list->items[i].phrase),
               count_text(list->items[i].holders, count));
    }
    if (list->phrases > LISTED_TEXT) {
        printf(" and %s more", count_text(list->phrases - LISTED_TEXT, count));
    }
    putchar('\n');
}

static void print_text(const struct comparing *comparison)
{
    const struct cohorts *cohorts = engine_cohorts(comparison->store.engine);
    char a[COUNT_TEXT_MAX];
    char b[COUNT_TEXT_MAX];
    char c[COUNT_TEXT_MAX];
    char d[COUNT_TEXT_MAX];
    bool any = false;
    printf("%s interests with %s; %s of them were not classified so far.\n",
           count_text(comparison->phrases, a), comparison->store.model.classifier->name,
           count_text(comparison->unclassified, b));
    for (uint32_t rank = 0; rank < cohorts_count(cohorts); rank++) {
        uint32_t id = cohorts_at(cohorts, rank);
        const struct moved *moved = &comparison->moved[id];
        if (moved->before == NULL ||
            (moved->entering.phrases == 0 && moved->leaving.phrases == 0)) {
            continue;
        }
        any = true;
        printf("\n%.*s: %s people become %s (%s enter, %s leave)\n",
               SLICE_ARGS(cohort_definition_name(cohorts_definition(cohorts, id))),
               count_text(bitmap_count(moved->before), a),
               count_text(bitmap_count(moved->after), b), count_text(moved->people_entering, c),
               count_text(moved->people_leaving, d));
        print_list("enter by", &moved->entering);
        print_list("leave by", &moved->leaving);
    }
    puts(any ? "\nPeople are counted by their interests alone. Nothing was changed."
             : "\nNobody would move. Nothing was changed.");
}

static void write_list(struct json_writer *json, const char *key, const struct list *list)
{
    json_key(json, key);
    json_array_begin(json);
    for (size_t i = 0; i < list->count; i++) {
        json_object_begin(json);
        json_member_string(json, "phrase", list->items[i].phrase);
        json_member_u64(json, "holders", list->items[i].holders);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_cohort(struct json_writer *json, struct slice name, const struct moved *moved)
{
    json_object_begin(json);
    json_member_string(json, "cohort", name);
    json_member_u64(json, "people_before", bitmap_count(moved->before));
    json_member_u64(json, "people_after", bitmap_count(moved->after));
    json_member_u64(json, "entering", moved->people_entering);
    json_member_u64(json, "leaving", moved->people_leaving);
    json_member_u64(json, "phrases_entering", moved->entering.phrases);
    json_member_u64(json, "phrases_leaving", moved->leaving.phrases);
    write_list(json, "enter_by", &moved->entering);
    write_list(json, "leave_by", &moved->leaving);
    json_object_end(json);
}

static void print_json(const struct comparing *comparison)
{
    enum { TEXT_BYTES_MAX = 64 * 1024 * 1024 };
    const struct cohorts *cohorts = engine_cohorts(comparison->store.engine);
    struct buffer text;
    buffer_init(&text, TEXT_BYTES_MAX);
    struct json_writer json = json_writer_of(&text);
    json_object_begin(&json);
    json_member_cstr(&json, "model", comparison->store.model.classifier->name);
    json_member_u64(&json, "phrases", comparison->phrases);
    json_member_u64(&json, "phrases_unclassified", comparison->unclassified);
    json_key(&json, "cohorts");
    json_array_begin(&json);
    for (uint32_t rank = 0; rank < cohorts_count(cohorts); rank++) {
        uint32_t id = cohorts_at(cohorts, rank);
        if (comparison->moved[id].before != NULL) {
            write_cohort(&json, cohort_definition_name(cohorts_definition(cohorts, id)),
                         &comparison->moved[id]);
        }
    }
    json_array_end(&json);
    json_object_end(&json);
    printf("%.*s\n", SLICE_ARGS(buffer_slice(&text)));
    buffer_deinit(&text);
}

/* ---- the command ---------------------------------------------------------------------------- */

/* Cohorts that only rules decide cannot move. */
static err begin(struct comparing *comparison, struct error *error)
{
    const struct cohorts *cohorts = engine_cohorts(comparison->store.engine);
    if (comparison->store.model.classifier == NULL) {
        return error_set(error, ERR_INVALID, "model_none", 0, "--compare needs a model's file.");
    }
    comparison->moved = memory_zalloc(COHORTS_MAX * sizeof *comparison->moved);
    if (comparison->moved == NULL ||
        !model_scratch_make(comparison->store.model.classifier, &comparison->scratch)) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory to compare.");
    }
    comparison->cohorts = COHORTS_MAX;
    for (uint32_t rank = 0; rank < cohorts_count(cohorts); rank++) {
        uint32_t id = cohorts_at(cohorts, rank);
        const struct cohort_definition *definition = cohorts_definition(cohorts, id);
        size_t examples = 0;
        (void)cohort_definition_examples(definition, &examples);
        CHECK(id < COHORTS_MAX);
        if (examples > 0 || cohort_definition_topic(definition).data != NULL) {
            comparison->moved[id].before = bitmap_create();
            comparison->moved[id].after = bitmap_create();
        }
    }
    return ERR_OK;
}

static void end(struct comparing *comparison)
{
    for (uint32_t id = 0; id < comparison->cohorts; id++) {
        bitmap_destroy(comparison->moved[id].before);
        bitmap_destroy(comparison->moved[id].after);
    }
    memory_free(comparison->moved);
    memory_free(comparison->scratch.block);
    store_close(&comparison->store);
}

int classify_compare(const char *model, const char *directory, bool json)
{
    struct comparing comparison = {.cohorts = 0};
    struct store_options options = {
        .command = &command_classify, .directory = directory, .model = model, .read_only = true};
    int code = store_open(&options, &comparison.store);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    struct engine_stats stats;
    struct error error = {0};
    engine_stats(comparison.store.engine, &stats);
    error.err = begin(&comparison, &error);
    if (error.err != ERR_OK) {
        code = store_report(&command_classify, &error);
    } else {
        compare_all(&comparison, stats.phrases);
        if (json) {
            print_json(&comparison);
        } else {
            print_text(&comparison);
        }
    }
    end(&comparison);
    return code;
}
