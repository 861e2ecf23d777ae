/* classify.c: `kindred classify`: what the model says about phrases, here and now. */
#include "commands/classify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "commands/model_choice.h"
#include "commands/options.h"
#include "commands/store.h"

static const char HELP[] =
    "usage: kindred classify [PHRASE…] [--model FILE] [--json]\n"
    "       kindred classify --file FILE [--model FILE] [--json]\n"
    "       kindred classify --compare MODEL --data DIR [--json]\n"
    "\n"
    "Says what interests are about: their topics with the model's confidence (0.80: right in about 80 of 100 such cases),\n"
    "how a misspelling was read, and the known phrases that are nearest. Without PHRASE it reads a phrase a line from\n"
    "standard input. It asks the model alone; the business rules and examples of a server's cohorts are in\n"
    "GET /api/classify?phrase=…&explain=true.\n"
    "\n"
    "  --file FILE      the phrases of a file, a line each: phrase, tab, topics\n"
    "  --model FILE     another model than the built-in one\n"
    "  --json           a JSON object a line, with all scores\n"
    "  --compare MODEL  what would change with this model in the data folder: who would enter and leave which cohort, and\n"
    "                   the phrases it comes from, those that most people have first. Nothing is changed, and the server\n"
    "                   must be stopped (or use a copy: `kindred backup` makes one)\n"
    "  --data DIR       the folder for --compare\n"
    "\n"
    "Examples:\n"
    "  kindred classify 'tom brady' crcket\n"
    "  kindred classify --file interests.txt | sort -t \"$(printf '\\t')\" -k 2\n"
    "  kindred classify --compare new.kcm --data ./data\n"
    "\n"
    "Exit codes: 0 done · 1 could not be done · 2 usage · 3 storage is damaged · 4 data folder in use.\n";

struct asker {
    struct model_choice model;
    struct model_scratch scratch;
    bool json;
    struct buffer text;
};

/* ---- writing -------------------------------------------------------------------------------- */

static void write_topics_text(const struct classifier *classifier, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->topic_count; i++) {
        printf("%s%.*s %.2f", i > 0 ? ", " : "",
               SLICE_ARGS(classifier->topics[verdict->topics[i].topic]),
               (double)verdict->topics[i].confidence / VERDICT_CONFIDENCE_ONE);
    }
}

static size_t surest(const struct classifier *classifier,
                     const struct model_explanation *explanation)
{
    size_t best = 0;
    for (size_t i = 1; i < classifier->topic_count; i++) {
        best = explanation->scores[i] > explanation->scores[best] ? i : best;
    }
    return best;
}

static void print_explained(const struct asker *asker, struct slice phrase,
                            const struct verdict *verdict,
                            const struct model_explanation *explanation)
{
    const struct classifier *classifier = asker->model.classifier;
    printf("%.*s\n  topics    ", SLICE_ARGS(phrase));
    if (verdict->topic_count > 0) {
        write_topics_text(classifier, verdict);
    } else {
        size_t best = surest(classifier, explanation);
        printf("none: %s (surest is %.*s %.2f)",
               explanation->interest < 0.5F ? "not an interest" : "too unsure to say",
               SLICE_ARGS(classifier->topics[best]), (double)explanation->scores[best]);
    }
    printf("\n  interest  %.2f%s\n", (double)explanation->interest,
           explanation->known ? ", a known phrase" : "");
    if (explanation->corrected) {
        printf("  read as   %s\n", explanation->read_as);
    }
    fputs("  nearest   ", stdout);
    for (size_t i = 0; i < explanation->nearest_count; i++) {
        printf("%s%s %.2f", i > 0 ? ", " : "", explanation->nearest[i].phrase,
               (double)explanation->nearest[i].similarity);
    }
    puts(explanation->nearest_count > 0 ? "" : "nothing");
}

static void write_number(struct json_writer *json, const char *key, double value)
{
    json_key(json, key);
    json_double(json, (double)(long)(value * 10000 + (value < 0 ? -0.5 : 0.5)) / 10000);
}

static void write_topic(struct json_writer *json, struct slice name, double confidence)
{
    json_object_begin(json);
    json_member_string(json, "topic", name);
    write_number(json, "confidence", confidence);
    json_object_end(json);
}

static void print_json(struct asker *asker, struct slice phrase, const struct verdict *verdict,
                       const struct model_explanation *explanation)
{
    const struct classifier *classifier = asker->model.classifier;
    buffer_clear(&asker->text);
    struct json_writer json = json_writer_of(&asker->text);
    json_object_begin(&json);
    json_member_string(&json, "phrase", phrase);
    json_key(&json, "topics");
    json_array_begin(&json);
    for (size_t i = 0; i < verdict->topic_count; i++) {
        write_topic(&json, classifier->topics[verdict->topics[i].topic],
                    (double)verdict->topics[i].confidence / VERDICT_CONFIDENCE_ONE);
    }
    json_array_end(&json);
    write_number(&json, "interest", (double)explanation->interest);
    json_member_cstr(&json, "read_as", explanation->read_as);
    json_member_bool(&json, "corrected", explanation->corrected);
    json_member_bool(&json, "known", explanation->known);
    json_key(&json, "scores");
    json_array_begin(&json);
    for (size_t i = 0; i < classifier->topic_count; i++) {
        write_topic(&json, classifier->topics[i], (double)explanation->scores[i]);
    }
    json_array_end(&json);
    json_key(&json, "nearest");
    json_array_begin(&json);
    for (size_t i = 0; i < explanation->nearest_count; i++) {
        json_object_begin(&json);
        json_member_cstr(&json, "phrase", explanation->nearest[i].phrase);
        write_number(&json, "similarity", (double)explanation->nearest[i].similarity);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    printf("%.*s\n", SLICE_ARGS(buffer_slice(&asker->text)));
}

/* ---- asking --------------------------------------------------------------------------------- */

static void explain(struct asker *asker, struct slice phrase)
{
    struct verdict verdict;
    struct model_explanation explanation;
    model_explain(asker->model.model, asker->scratch.at, phrase, &verdict, &explanation);
    if (asker->json) {
        print_json(asker, phrase, &verdict, &explanation);
    } else {
        print_explained(asker, phrase, &verdict, &explanation);
    }
}

static void print_lines(struct asker *asker, const struct slice *phrases, size_t count)
{
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    const struct classifier *classifier = asker->model.classifier;
    classifier->classify(classifier->context, asker->scratch.at, phrases, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        printf("%.*s\t", SLICE_ARGS(phrases[i]));
        write_topics_text(classifier, &verdicts[i]);
        putchar('\n');
    }
}

/* A phrase a line, by the batch; a person who types gets each answer at once. */
static int read_lines(struct asker *asker, FILE *file, bool at_once)
{
    char *lines[CLASSIFIER_BATCH_MAX] = {NULL};
    size_t room[CLASSIFIER_BATCH_MAX] = {0};
    struct slice phrases[CLASSIFIER_BATCH_MAX];
    size_t count = 0;
    ssize_t length = 0;
    while ((length = getline(&lines[count], &room[count], file)) >= 0) {
        phrases[count] = slice_trim(slice_of(lines[count], (size_t)length));
        if (phrases[count].length == 0) {
            continue;
        }
        if (asker->json) {
            explain(asker, phrases[count]);
        } else if (++count == CLASSIFIER_BATCH_MAX || at_once) {
            print_lines(asker, phrases, count);
            count = 0;
        }
        if (at_once) {
            fflush(stdout);
        }
    }
    if (count > 0) {
        print_lines(asker, phrases, count);
    }
    for (size_t i = 0; i < CLASSIFIER_BATCH_MAX; i++) {
        free(lines[i]); /* getline's */
    }
    return ferror(file) || fflush(stdout) != 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int read_file(struct asker *asker, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "kindred classify: cannot read %s: %s.\n", path, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    int code = read_lines(asker, file, file == stdin);
    if (file != stdin) {
        fclose(file);
    }
    return code;
}

static int ask(const char *model, const char *file, bool json, char **words, int count)
{
    enum { LINE_BYTES_MAX = 1024 * 1024 };
    struct asker asker = {.json = json};
    struct error error = {0};
    int code = EXIT_CODE_OK;
    buffer_init(&asker.text, LINE_BYTES_MAX);
    error.err = model_choice_open(model, &asker.model, &error);
    if (error.err == ERR_OK && asker.model.model == NULL) {
        error.err = error_set(&error, ERR_INVALID, "model_none", 0,
                              "There is no model to ask: give one with --model.");
    }
    if (error.err == ERR_OK && !model_scratch_make(asker.model.classifier, &asker.scratch)) {
        error.err = error_set(&error, ERR_MEMORY, "out_of_memory", 0, "No memory for the model.");
    }
    if (error.err != ERR_OK) {
        code = store_report(&command_classify, &error);
    } else if (file != NULL || count == 0) {
        code = read_file(&asker, file != NULL ? file : "-");
    } else {
        for (int i = 0; i < count; i++) {
            explain(&asker, slice_from_cstr(words[i]));
        }
    }
    memory_free(asker.scratch.block);
    buffer_deinit(&asker.text);
    model_choice_close(&asker.model);
    return code;
}

static int run(int argc, char **argv)
{
    const char *data = NULL;
    const char *model = NULL;
    const char *file = NULL;
    const char *compare = NULL;
    bool json = false;
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &data}, {"model", OPTION_TEXT, &model},
        {"file", OPTION_TEXT, &file}, {"compare", OPTION_TEXT, &compare},
        {"json", OPTION_FLAG, &json},
    };
    int left = 0;
    int code = options_parse(&command_classify, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (file != NULL && left > 0) {
        return options_usage_error(&command_classify,
                                   "phrases come from --file or from the command line, not both.");
    }
    if (compare == NULL) {
        return data == NULL
                   ? ask(model, file, json, argv + 1, left)
                   : options_usage_error(&command_classify, "--data belongs to --compare MODEL.");
    }
    if (data == NULL || left > 0 || file != NULL || model != NULL) {
        return options_usage_error(&command_classify,
                                   "it is --compare MODEL --data DIR, and nothing else.");
    }
    return classify_compare(compare, data, json);
}

const struct command command_classify = {
    .name = "classify",
    .summary = "what interests are about, and what another model would change",
    .run = run,
    .help = HELP,
};
