/* classifier_bench.c: the trained model, asked phrase by phrase, for score.py.
 *
 *   classifier_bench [--model FILE] scores  < phrases    a line each: text as read, known, interest, a score per topic, topics said
 *   classifier_bench [--model FILE] cohorts COHORTS.tsv K DRAWS < ordinary phrases
 *                                                         recall and false positives of cohorts made from K examples
 *   classifier_bench [--model FILE] times   < phrases    µs to classify, one by one and in batches, and to look up when known
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "classifier/examples.h"
#include "classifier/model.h"
#include "index/phrases.h"

enum { LINE_MAX_BYTES = 1 << 16 };

struct texts {
    struct slice *items;
    size_t count;
};

static void fail(const char *what)
{
    fprintf(stderr, "classifier_bench: %s\n", what);
    exit(2);
}

static void *need(void *memory)
{
    if (memory == NULL) {
        fail("out of memory");
    }
    return memory;
}

static struct slice read_all(FILE *file)
{
    size_t capacity = 1 << 20;
    size_t length = 0;
    char *data = need(memory_alloc(capacity));
    for (;;) {
        length += fread(data + length, 1, capacity - length, file);
        if (length < capacity) {
            return slice_of(data, length);
        }
        capacity *= 2;
        data = need(memory_realloc(data, capacity));
    }
}

static struct texts split(struct slice rest, char separator)
{
    struct texts texts = {need(memory_alloc((rest.length + 1) * sizeof(struct slice))), 0};
    while (rest.data != NULL) {
        const struct slice text = slice_cut(&rest, separator);
        if (text.length > 0) {
            texts.items[texts.count++] = text;
        }
    }
    return texts;
}

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    printf("%s\t%.2f\t%.2f\t%.2f\n", what, times[count / 2], times[count * 99 / 100],
           times[count - 1]);
}

static void classify(const struct classifier *classifier, void *scratch,
                     const struct slice *phrases, size_t count, struct verdict *verdicts)
{
    for (size_t done = 0; done < count;) {
        const size_t now =
            count - done < CLASSIFIER_BATCH_MAX ? count - done : CLASSIFIER_BATCH_MAX;
        classifier->classify(classifier->context, scratch, phrases + done, now, verdicts + done);
        done += now;
    }
}

/* ---- scores ---- */

static void print_scores(const struct model *model, void *scratch, const struct texts *phrases)
{
    const struct classifier *classifier = model_classifier(model);
    for (size_t i = 0; i < phrases->count; i++) {
        struct verdict verdict;
        struct model_explanation explanation;
        model_explain(model, scratch, phrases->items[i], &verdict, &explanation);
        printf("%s\t%d\t%.4f\t", explanation.read_as, explanation.known,
               (double)explanation.interest);
        for (size_t t = 0; t < classifier->topic_count; t++) {
            printf("%s%.4f", t > 0 ? " " : "", (double)explanation.scores[t]);
        }
        printf("\t");
        for (size_t t = 0; t < verdict.topic_count; t++) {
            const struct slice name = classifier->topics[verdict.topics[t].topic];
            printf("%s%.*s", t > 0 ? "|" : "", (int)name.length, name.data);
        }
        printf("\n");
    }
}

/* ---- cohorts ---- */

struct cohort_phrases {
    struct slice name;
    size_t first, count;
};

struct draws {
    double recall, false_positives, ordinary;
    size_t made;
};

static size_t count_passing(const struct examples_scorer *scorer, const struct verdict *verdicts,
                            size_t from, size_t to, const bool *leave_out)
{
    size_t passing = 0;
    for (size_t i = from; i < to; i++) {
        passing += (leave_out == NULL || !leave_out[i]) &&
                   examples_score(scorer, verdicts[i].embedding) >= 0.5f;
    }
    return passing;
}

static void draw(const struct classifier *classifier, const struct cohort_phrases *cohort,
                 const struct verdict *verdicts, size_t total, const struct verdict *ordinary,
                 size_t ordinary_count, size_t examples, uint64_t *state, struct draws *sum)
{
    int8_t(*chosen)[EMBEDDING_SIZE] = need(memory_alloc(examples * sizeof *chosen));
    bool *taken = need(memory_zalloc(total));
    for (size_t e = 0; e < examples;) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const size_t at = cohort->first + (size_t)(*state >> 33) % cohort->count;
        if (!taken[at]) {
            taken[at] = true;
            memcpy(chosen[e++], verdicts[at].embedding, EMBEDDING_SIZE);
        }
    }
    struct examples_scorer scorer;
    examples_fit(classifier, (const int8_t(*)[EMBEDDING_SIZE])chosen, examples, NULL, 0, &scorer);
    const size_t end = cohort->first + cohort->count;
    sum->recall += (double)count_passing(&scorer, verdicts, cohort->first, end, taken) /
                   (double)(cohort->count - examples);
    sum->false_positives += (double)(count_passing(&scorer, verdicts, 0, cohort->first, NULL) +
                                     count_passing(&scorer, verdicts, end, total, NULL)) /
                            (double)(total - cohort->count);
    sum->ordinary += (double)count_passing(&scorer, ordinary, 0, ordinary_count, NULL) /
                     (double)(ordinary_count + !ordinary_count);
    sum->made++;
    memory_free(chosen);
    memory_free(taken);
}

static void print_cohorts(const struct classifier *classifier, void *scratch, const char *path,
                          size_t examples, size_t draws, const struct texts *ordinary)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail("cannot read the cohorts");
    }
    const struct texts lines = split(read_all(file), '\n');
    fclose(file);
    struct cohort_phrases *cohorts = need(memory_zalloc((lines.count + 1) * sizeof *cohorts));
    struct slice *phrases = need(memory_alloc(LINE_MAX_BYTES * sizeof *phrases));
    size_t cohort_count = 0;
    size_t total = 0;
    for (size_t i = 0; i < lines.count; i++) {
        struct slice rest = lines.items[i];
        if (rest.data[0] == '#') {
            continue;
        }
        struct cohort_phrases *cohort = &cohorts[cohort_count];
        cohort->name = slice_cut(&rest, '\t');
        cohort->first = total;
        while (rest.data != NULL && total < LINE_MAX_BYTES) {
            phrases[total++] = slice_cut(&rest, '|');
        }
        cohort->count = total - cohort->first;
        cohort_count += cohort->count > examples;
        total = cohort->count > examples ? total : cohort->first;
    }
    struct verdict *verdicts = need(memory_alloc((total + ordinary->count + 1) * sizeof *verdicts));
    classify(classifier, scratch, phrases, total, verdicts);
    classify(classifier, scratch, ordinary->items, ordinary->count, verdicts + total);
    uint64_t state = 20261122;
    struct draws all = {0};
    for (size_t c = 0; c < cohort_count; c++) {
        struct draws sum = {0};
        for (size_t d = 0; d < draws; d++) {
            draw(classifier, &cohorts[c], verdicts, total, verdicts + total, ordinary->count,
                 examples, &state, &sum);
        }
        printf("%.*s\t%.4f\t%.4f\t%.4f\n", (int)cohorts[c].name.length, cohorts[c].name.data,
               sum.recall / (double)sum.made, sum.false_positives / (double)sum.made,
               sum.ordinary / (double)sum.made);
        all.recall += sum.recall;
        all.false_positives += sum.false_positives;
        all.ordinary += sum.ordinary;
        all.made += sum.made;
    }
    if (all.made > 0) {
        printf("\t%.4f\t%.4f\t%.4f\n", all.recall / (double)all.made,
               all.false_positives / (double)all.made, all.ordinary / (double)all.made);
    }
}

/* ---- times ---- */

static void print_all_times(const struct model *model, void *scratch, const struct texts *phrases)
{
    const struct classifier *classifier = model_classifier(model);
    if (phrases->count < CLASSIFIER_BATCH_MAX) {
        fail("too few phrases to measure");
    }
    double *times = need(memory_alloc(phrases->count * sizeof *times));
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    printf("kernel\t%s\n", model_kernel(model));
    for (size_t i = 0; i < phrases->count; i++) {
        const double before = now_us();
        classifier->classify(classifier->context, scratch, &phrases->items[i], 1, verdicts);
        times[i] = now_us() - before;
    }
    print_times("first seen, one", times, phrases->count);
    size_t batches = 0;
    for (size_t i = 0; i + CLASSIFIER_BATCH_MAX <= phrases->count; i += CLASSIFIER_BATCH_MAX) {
        const double before = now_us();
        classifier->classify(classifier->context, scratch, &phrases->items[i], CLASSIFIER_BATCH_MAX,
                             verdicts);
        times[batches++] = (now_us() - before) / CLASSIFIER_BATCH_MAX;
    }
    print_times("first seen, of a batch", times, batches);

    struct phrases *known = need(phrases_create(1));
    for (size_t i = 0; i < phrases->count; i++) {
        uint32_t id = 0;
        if (phrases_intern(known, phrases->items[i], &id) != ERR_OK) {
            fail("out of memory");
        }
    }
    uint64_t found = 0;
    for (size_t i = 0; i < phrases->count; i++) {
        const double before = now_us();
        found += phrases_find(known, phrases->items[i]);
        times[i] = now_us() - before;
    }
    print_times(found == 0 ? "known phrase (none)" : "known phrase", times, phrases->count);
}

/* ---- main ---- */

extern const unsigned char kindred_model_start[];
extern const unsigned char kindred_model_end[];

int main(int argc, char **argv)
{
    int at = 1;
    struct slice bytes =
        slice_of(kindred_model_start, (size_t)(kindred_model_end - kindred_model_start));
    if (argc > at + 1 && strcmp(argv[at], "--model") == 0) {
        FILE *file = fopen(argv[at + 1], "rb");
        if (file == NULL) {
            fail("cannot read the model");
        }
        const struct slice raw = read_all(file);
        fclose(file);
        char *aligned = need(aligned_alloc(64, (raw.length + 63) / 64 * 64));
        memcpy(aligned, raw.data, raw.length);
        bytes = slice_of(aligned, raw.length);
        at += 2;
    }
    struct model *model = NULL;
    struct error error = {0};
    if (model_open(bytes, &model, &error) != ERR_OK) {
        fail(error.message);
    }
    const struct classifier *classifier = model_classifier(model);
    void *scratch = need(aligned_alloc(64, (classifier->scratch_bytes + 63) / 64 * 64));
    const char *command = argc > at ? argv[at] : "";
    const struct texts phrases = split(read_all(stdin), '\n');
    if (strcmp(command, "scores") == 0) {
        print_scores(model, scratch, &phrases);
    } else if (strcmp(command, "times") == 0) {
        print_all_times(model, scratch, &phrases);
    } else if (strcmp(command, "cohorts") == 0 && argc == at + 4) {
        print_cohorts(classifier, scratch, argv[at + 1], strtoul(argv[at + 2], NULL, 10),
                      strtoul(argv[at + 3], NULL, 10), &phrases);
    } else {
        fail("usage: classifier_bench [--model FILE] scores|times|cohorts FILE K DRAWS < phrases");
    }
    return 0;
}
