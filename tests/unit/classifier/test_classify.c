/* Tries to break the model's arithmetic: what train.py computed in floats must come out
 * (golden.tsv), with every kernel the same bytes, alone or in a batch, on any thread, whatever was
 * in the scratch before. */
#include "unit/test.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "classifier/model.h"
#include "model_fixture.h"
#include "model_internal.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

/* Rounding weights and activations to 8 bits; measured, see test_golden. */
#define LOGIT_TOLERANCE 0.5
#define MARGIN          0.4f

static uint64_t seed;
static struct slice bytes;

static const char *const kernel_names[] = {"portable", "avx2", "avx512vnni"};
static struct model *models[ARRAY_COUNT(kernel_names)]; /* NULL: does not run here */
static struct model *fastest;

/* ---- golden vectors -------------------------------------------------------------------------- */

enum { GOLDEN_MAX = 400, TOPICS = CLASSIFIER_TOPICS_MAX, EMBEDDING_SHOWN = 8 };

static struct golden {
    char phrase[400];
    uint16_t tokens[TOKENS_MAX];
    size_t token_count;
    float logits[TOPICS + 1];
    float embedding[EMBEDDING_SHOWN];
} golden[GOLDEN_MAX];
static size_t golden_count;

static size_t read_numbers(struct slice text, double *to, size_t max)
{
    size_t count = 0;
    char number[40];
    while (text.data != NULL && text.length > 0 && count < max) {
        const struct slice word = slice_cut(&text, ' ');
        (void)snprintf(number, sizeof number, "%.*s", SLICE_ARGS(word));
        to[count++] = strtod(number, NULL);
    }
    return count;
}

static void read_golden_line(struct slice line)
{
    struct golden *g = &golden[golden_count];
    double numbers[64];
    const struct slice phrase = slice_cut(&line, '\t');
    (void)snprintf(g->phrase, sizeof g->phrase, "%.*s", SLICE_ARGS(phrase));
    g->token_count = read_numbers(slice_cut(&line, '\t'), numbers, TOKENS_MAX);
    for (size_t i = 0; i < g->token_count; i++) {
        g->tokens[i] = (uint16_t)numbers[i];
    }
    size_t topics = read_numbers(slice_cut(&line, '\t'), numbers, TOPICS);
    topics += read_numbers(slice_cut(&line, '\t'), numbers + topics, 1);
    REQUIRE(topics == model_classifier(fastest)->topic_count + 1);
    for (size_t i = 0; i < topics; i++) {
        g->logits[i] = (float)numbers[i];
    }
    REQUIRE(read_numbers(line, numbers, EMBEDDING_SHOWN) == EMBEDDING_SHOWN);
    for (size_t i = 0; i < EMBEDDING_SHOWN; i++) {
        g->embedding[i] = (float)numbers[i];
    }
    golden_count++;
}

static void read_golden(void)
{
    const struct slice file = model_fixture_load(KINDRED_GOLDEN_FILE);
    REQUIRE(file.data != NULL, "%s", KINDRED_GOLDEN_FILE);
    for (struct slice rest = file; rest.data != NULL && golden_count < GOLDEN_MAX;) {
        const struct slice line = slice_cut(&rest, '\n');
        if (line.length > 0 && line.data[0] != '#') {
            read_golden_line(line);
        }
    }
    free((char *)(uintptr_t)file.data);
}

static void *scratch_for(const struct model *model)
{
    void *scratch = aligned_alloc(64, (model_classifier(model)->scratch_bytes + 63) / 64 * 64);
    CHECK(scratch != NULL);
    return scratch;
}

/* As train.py sees a phrase: folded, nothing else. */
static struct reading read_plainly(const struct model *model, const char *phrase)
{
    struct reading reading = {0};
    reading.length = phrase_fold(slice_from_cstr(phrase), reading.text);
    reading.topics = known_topics(&model->known, slice_of(reading.text, reading.length));
    return reading;
}

static size_t best_of(const float *logits, size_t count, float *margin)
{
    size_t best = 0;
    *margin = INFINITY;
    for (size_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    for (size_t i = 0; i < count; i++) {
        *margin =
            i != best && logits[best] - logits[i] < *margin ? logits[best] - logits[i] : *margin;
    }
    return best;
}

/* The model, but no phrase has an embedding of its own: what the trunk makes of it is to be
 * seen. */
static struct model without_own_embeddings(const struct model *model, uint32_t **rows)
{
    struct model bare = *model;
    *rows = malloc(model->known.table.rows * sizeof **rows);
    CHECK(*rows != NULL);
    memset(*rows, 0xFF, model->known.table.rows * sizeof **rows); /* TABLE_NONE */
    bare.known.row = *rows;
    return bare;
}

static void test_golden(void)
{
    const struct classifier *classifier = model_classifier(fastest);
    void *scratch = scratch_for(fastest);
    uint32_t *rows;
    const struct model bare = without_own_embeddings(fastest, &rows);
    double squares = 0;
    double worst = 0;
    double cosines = 0;
    double worst_cosine = 1;
    size_t compared = 0;
    for (size_t g = 0; g < golden_count; g++) {
        const struct reading reading = read_plainly(fastest, golden[g].phrase);
        struct trunk_result result;
        struct model_tokens tokens;
        model_run(&bare, scratch, &reading, 1, &result, &tokens);
        EXPECT(tokens.count == golden[g].token_count &&
                   memcmp(tokens.tokens, golden[g].tokens, tokens.count * sizeof *tokens.tokens) ==
                       0,
               ": '%s' is cut otherwise", golden[g].phrase);
        for (size_t i = 0; i <= classifier->topic_count; i++) {
            const double off = fabs((double)result.logits[i] - (double)golden[g].logits[i]);
            squares += off * off;
            compared++;
            worst = off > worst ? off : worst;
            EXPECT(off < LOGIT_TOLERANCE, ": '%s', logit %zu: %.3f, not %.3f", golden[g].phrase, i,
                   (double)result.logits[i], (double)golden[g].logits[i]);
        }
        float margin;
        float margin_here;
        const size_t best = best_of(golden[g].logits, classifier->topic_count, &margin);
        EXPECT(margin < MARGIN ||
                   best_of(result.logits, classifier->topic_count, &margin_here) == best,
               ": '%s' has another topic", golden[g].phrase);
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (size_t i = 0; i < EMBEDDING_SHOWN; i++) {
            ab += (double)golden[g].embedding[i] * (double)result.embedding[i];
            aa += (double)golden[g].embedding[i] * (double)golden[g].embedding[i];
            bb += (double)result.embedding[i] * (double)result.embedding[i];
        }
        const double cosine = ab / sqrt(aa * bb);
        cosines += cosine;
        worst_cosine = cosine < worst_cosine ? cosine : worst_cosine;
    }
    printf(
        "     %zu phrases: logits off by %.3f (root mean square), %.3f at most; embeddings' first %d: cosine %.4f, %.4f at "
        "least\n",
        golden_count, sqrt(squares / (double)compared), worst, EMBEDDING_SHOWN,
        cosines / (double)golden_count, worst_cosine);
    EXPECT(sqrt(squares / (double)compared) < LOGIT_TOLERANCE / 5);
    EXPECT(cosines / (double)golden_count > 0.99);
    EXPECT(worst_cosine > 0.95);
    free(rows);
    free(scratch);
}

/* ---- the same everywhere --------------------------------------------------------------------- */

static uint64_t state;

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 11) % limit);
}

static void classify_one(const struct model *model, void *scratch, struct slice phrase,
                         struct verdict *verdict)
{
    const struct classifier *classifier = model_classifier(model);
    classifier->classify(classifier->context, scratch, &phrase, 1, verdict);
}

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
    return a->topic_count == b->topic_count &&
           memcmp(a->topics, b->topics, sizeof a->topics) == 0 &&
           memcmp(a->embedding, b->embedding, sizeof a->embedding) == 0;
}

static void test_kernels_agree(void)
{
    void *scratch = scratch_for(fastest);
    for (size_t g = 0; g < golden_count; g += 1 + below(3)) {
        struct verdict wanted;
        classify_one(models[0], scratch, slice_from_cstr(golden[g].phrase), &wanted);
        for (size_t k = 1; k < ARRAY_COUNT(models); k++) {
            struct verdict verdict;
            if (models[k] != NULL) {
                classify_one(models[k], scratch, slice_from_cstr(golden[g].phrase), &verdict);
                EXPECT(same_verdict(&verdict, &wanted), ": %s, '%s'", kernel_names[k],
                       golden[g].phrase);
            }
        }
    }
    free(scratch);
}

/* Phrases for batches: golden ones, nothing, nonsense of any length. */
static struct slice some_phrase(char room[PHRASE_FOLD_MAX])
{
    if (below(4) != 0) {
        return slice_from_cstr(golden[below(golden_count)].phrase);
    }
    const size_t length = below(PHRASE_FOLD_MAX);
    for (size_t i = 0; i < length; i++) {
        room[i] = below(8) == 0 ? ' ' : (char)('a' + below(26));
    }
    return slice_of(room, length);
}

static void test_batches(void)
{
    const struct classifier *classifier = model_classifier(fastest);
    void *scratch = scratch_for(fastest);
    void *other = scratch_for(fastest);
    for (size_t round = 0; round < 40; round++) {
        static char rooms[CLASSIFIER_BATCH_MAX][PHRASE_FOLD_MAX];
        struct slice phrases[CLASSIFIER_BATCH_MAX];
        struct verdict verdicts[CLASSIFIER_BATCH_MAX];
        const size_t count = below(CLASSIFIER_BATCH_MAX + 1);
        for (size_t i = 0; i < count; i++) {
            phrases[i] = some_phrase(rooms[i]);
        }
        /* What was in the scratch must not matter. */
        memset(scratch, (int)below(256), classifier->scratch_bytes);
        classifier->classify(classifier->context, scratch, phrases, count, verdicts);
        for (size_t i = 0; i < count; i++) {
            struct verdict alone;
            classify_one(fastest, other, phrases[i], &alone);
            EXPECT(same_verdict(&verdicts[i], &alone), ": '%.*s' as %zu of %zu",
                   SLICE_ARGS(phrases[i]), i, count);
        }
    }
    free(scratch);
    free(other);
}

static struct verdict wanted_verdicts[GOLDEN_MAX];

static void *classify_all(void *context)
{
    void *scratch = scratch_for(fastest);
    const size_t shift = *(const size_t *)context;
    for (size_t i = 0; i < golden_count; i++) {
        const size_t g = (i + shift) % golden_count;
        struct verdict verdict;
        classify_one(fastest, scratch, slice_from_cstr(golden[g].phrase), &verdict);
        EXPECT(same_verdict(&verdict, &wanted_verdicts[g]), ": '%s' on another thread",
               golden[g].phrase);
    }
    free(scratch);
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[4];
    size_t shifts[ARRAY_COUNT(threads)];
    void *scratch = scratch_for(fastest);
    for (size_t g = 0; g < golden_count; g++) {
        classify_one(fastest, scratch, slice_from_cstr(golden[g].phrase), &wanted_verdicts[g]);
    }
    free(scratch);
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        shifts[i] = i * 37;
        REQUIRE(pthread_create(&threads[i], NULL, classify_all, &shifts[i]) == 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

/* ---- verdicts and explanations --------------------------------------------------------------- */

static void test_verdicts(void)
{
    const struct classifier *classifier = model_classifier(fastest);
    void *scratch = scratch_for(fastest);
    static const struct verdict nothing;
    struct verdict verdict;
    memset(&verdict, 0xFF, sizeof verdict);
    classify_one(fastest, scratch, SLICE_LITERAL(" -- !"), &verdict);
    EXPECT(same_verdict(&verdict, &nothing));
    EXPECT(classifier->background_count >= 1000 && classifier->background != NULL);
    EXPECT(classifier->topic_count > 0 && classifier->name[0] != 0 && classifier->version != 0);
    for (size_t g = 0; g < golden_count; g++) {
        struct model_explanation why;
        struct verdict again;
        classify_one(fastest, scratch, slice_from_cstr(golden[g].phrase), &verdict);
        model_explain(fastest, scratch, slice_from_cstr(golden[g].phrase), &again, &why);
        EXPECT(same_verdict(&verdict, &again), ": '%s'", golden[g].phrase);
        EXPECT(why.nearest_count == EXPLAIN_NEAREST_MAX && why.interest >= 0 && why.interest <= 1);
        for (size_t i = 0; i < verdict.topic_count; i++) {
            const struct verdict_topic *topic = &verdict.topics[i];
            EXPECT(i == 0 || topic[-1].confidence >= topic->confidence);
            EXPECT(fabsf(why.scores[topic->topic] * (float)VERDICT_CONFIDENCE_ONE -
                         (float)topic->confidence) <= 1);
        }
        for (size_t i = 1; i < why.nearest_count; i++) {
            EXPECT(why.nearest[i - 1].similarity >= why.nearest[i].similarity &&
                   why.nearest[i].similarity <= 1.001f);
        }
    }
    free(scratch);
}

static void test_without_memory(void)
{
    for (uint64_t n = 1;; n++) {
        struct model *model = NULL;
        struct error error;
        failing_memory_begin(n);
        const err e = model_open_with(bytes, kernel_choose(), &model, &error);
        model_close(model);
        const struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY && model == NULL);
    }
}

/* ---- times (KINDRED_TEST_TIMES=1) ------------------------------------------------------------ */

/* Of this program's own time: others may be busy here. */
static double now_us(void)
{
    return (double)test_cpu_ns() / 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const struct model *model)
{
    enum { ROUNDS = 5 };
    static double us[ROUNDS * GOLDEN_MAX];
    static struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    const struct classifier *classifier = model_classifier(model);
    void *scratch = scratch_for(model);
    size_t count = 0;
    double together = 0;
    size_t batched = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t g = 0; g < golden_count; g++) {
            const struct slice phrase = slice_from_cstr(golden[g].phrase);
            const double begin = now_us();
            classifier->classify(classifier->context, scratch, &phrase, 1, verdicts);
            us[count++] = now_us() - begin;
        }
        for (size_t g = 0; g + CLASSIFIER_BATCH_MAX <= golden_count; g += CLASSIFIER_BATCH_MAX) {
            struct slice phrases[CLASSIFIER_BATCH_MAX];
            for (size_t i = 0; i < CLASSIFIER_BATCH_MAX; i++) {
                phrases[i] = slice_from_cstr(golden[g + i].phrase);
            }
            const double begin = now_us();
            classifier->classify(classifier->context, scratch, phrases, CLASSIFIER_BATCH_MAX,
                                 verdicts);
            together += now_us() - begin;
            batched += CLASSIFIER_BATCH_MAX;
        }
    }
    qsort(us, count, sizeof *us, by_value);
    printf("     %-10s one by one: median %.0f us, p99 %.0f us; in sixteens: %.0f us a phrase\n",
           model_kernel(model), us[count / 2], us[count * 99 / 100], together / (double)batched);
    free(scratch);
}

static void test_times(void)
{
    for (size_t k = 0; k < ARRAY_COUNT(models); k++) {
        if (models[k] != NULL) {
            print_times(models[k]);
        }
    }
}

int main(void)
{
    struct error error;
    seed = test_seed();
    bytes = model_fixture();
    for (size_t k = 0; k < ARRAY_COUNT(kernel_names); k++) {
        const struct kernel *kernel = kernel_named(kernel_names[k]);
        if (kernel != NULL && model_open_with(bytes, kernel, &models[k], &error) != ERR_OK) {
            fprintf(stderr, "%s: %s\n", KINDRED_MODEL_FILE, error.message);
            return 1;
        }
        fastest = models[k] != NULL ? models[k] : fastest;
    }
    RUN(read_golden);
    RUN(test_golden);
    state = seed | 1;
    RUN(test_kernels_agree);
    RUN(test_batches);
    RUN(test_threads);
    RUN(test_verdicts);
    RUN(test_without_memory);
    if (test_times_wanted()) {
        RUN(test_times);
    }
    for (size_t k = 0; k < ARRAY_COUNT(models); k++) {
        model_close(models[k]);
    }
    free((char *)(uintptr_t)bytes.data);
    return test_summary();
}
