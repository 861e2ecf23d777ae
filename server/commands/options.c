#include "commands/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance, two rows at a time. Words longer than WORD_MAX are far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t length_a = strlen(a);
    size_t length_b = strlen(b);
    if (length_a > WORD_MAX || length_b > WORD_MAX) {
        return SIZE_MAX;
    }
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= length_b; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, replaced);
        }
    }
    return row[length_b];
}

const char *options_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    size_t best = length < 4 ? 1 : length / 3 + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance <= best && (nearest == NULL || distance < best)) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

int options_usage_error(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "kindred %s: ", command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n`kindred help %s` shows how it is used.\n", command->name);
    va_end(args);
    return EXIT_CODE_USAGE;
}

bool options_read_count(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    uint64_t factor = 1;
    switch (*at) {
    case '\0': break;
    case 'k': factor = 1000; break;
    case 'M': factor = 1000000; break;
    case 'G': factor = 1000000000; break;
    default: return false;
    }
    if (*at != '\0' && at[1] != '\0') {
        return false;
    }
    if (__builtin_mul_overflow(value, factor, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static int unknown_option(const struct command *command, const struct option_rule *rules,
                          size_t count, const char *word)
{
    char name[WORD_MAX + 1];
    const char *plain = word + strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(plain, "="), plain);
    const char *names[32];
    CHECK(count <= ARRAY_COUNT(names));
    for (size_t i = 0; i < count; i++) {
        names[i] = rules[i].name;
    }
    const char *nearest = options_nearest(name, names, count);
    if (nearest != NULL) {
        return options_usage_error(command, "there is no option '%s'; did you mean '--%s'?", word,
                                   nearest);
    }
    return options_usage_error(command, "there is no option '%s'.", word);
}

static int store(const struct command *command, const struct option_rule *rule, char *value)
{
    if (rule->kind == OPTION_TEXT) {
        *(const char **)rule->to = value;
        return OPTIONS_GO_ON;
    }
    if (!options_read_count(value, (uint64_t *)rule->to)) {
        return options_usage_error(command, "--%s needs a whole number, not '%s'.", rule->name,
                                   value);
    }
    return OPTIONS_GO_ON;
}

/* One word that begins with a dash. *i moves on when the value is the next word. */
static int take_option(const struct command *command, const struct option_rule *rules, size_t count,
                       int argc, char **argv, int *i)
{
    char *word = argv[*i];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        fputs(command->help, stdout);
        return EXIT_CODE_OK;
    }
    if (strncmp(word, "--", 2) != 0) {
        return unknown_option(command, rules, count, word);
    }
    char *name = word + 2;
    size_t length = strcspn(name, "=");
    char *value = name[length] == '=' ? name + length + 1 : NULL;
    for (size_t r = 0; r < count; r++) {
        if (strlen(rules[r].name) != length || memcmp(rules[r].name, name, length) != 0) {
            continue;
        }
        if (rules[r].kind == OPTION_FLAG) {
            if (value != NULL) {
                return options_usage_error(command, "--%s takes no value.", rules[r].name);
            }
            *(bool *)rules[r].to = true;
            return OPTIONS_GO_ON;
        }
        if (value == NULL) {
            if (*i + 1 >= argc) {
                return options_usage_error(command, "--%s needs a value.", rules[r].name);
            }
            value = argv[++*i];
        }
        return store(command, &rules[r], value);
    }
    return unknown_option(command, rules, count, word);
}

int options_parse(const struct command *command, const struct option_rule *rules, size_t count,
                  int argc, char **argv, int *left)
{
    int words = 0;
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (only_words || word[0] != '-' || word[1] == '\0') {
            argv[++words] = word;
        } else {
            int code = take_option(command, rules, count, argc, argv, &i);
            if (code != OPTIONS_GO_ON) {
                return code;
            }
        }
    }
    *left = words;
    return OPTIONS_GO_ON;
}
