/* options.h: command line options, the same way for every command.
 *
 *   static int run(int argc, char **argv)
 *   {
 *       const char *data = "data";
 *       uint64_t limit = 100;
 *       bool force = false;
 *       const struct option_rule rules[] = {
 *           {"data", OPTION_TEXT, &data},
 *           {"limit", OPTION_COUNT, &limit},
 *           {"force", OPTION_FLAG, &force},
 *       };
 *       int left = 0;
 *       int code = options_parse(&command_import, rules, ARRAY_COUNT(rules), argc, argv, &left);
 *       if (code != OPTIONS_GO_ON) {
 *           return code;
 *       }
 *       for (int i = 1; i <= left; i++) { use argv[i]; }        what is not an option: files, names
 *
 * Understood: --name VALUE, --name=VALUE, --flag, and "--" after which nothing is an option. A lone
 * "-" is a word (standard input). --help or -h prints the command's help.
 * An unknown option is answered with the nearest known one, exit code 2.
 *
 * Threading: main thread. Texts point into argv. */
#ifndef KINDRED_COMMANDS_OPTIONS_H
#define KINDRED_COMMANDS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "commands/commands.h"

enum option_kind {
    OPTION_FLAG,  /* bool *: becomes true */
    OPTION_TEXT,  /* const char **: given more than once, the last one counts */
    OPTION_COUNT, /* uint64_t *: decimal digits, also with a suffix k, M or G (times 1,000) */
};

struct option_rule {
    const char *name; /* without the dashes */
    enum option_kind kind;
    void *to; /* left alone when the option is not given */
};

/* Any other value is the exit code to return at once. */
enum { OPTIONS_GO_ON = -1 };

/* Moves the words that are no options to argv[1] .. argv[*left], in their order. */
int options_parse(const struct command *command, const struct option_rule *rules, size_t count,
                  int argc, char **argv, int *left) MUST_USE;

/* "kindred import: <message>" and how to get help, on standard error; returns EXIT_CODE_USAGE. */
int options_usage_error(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* False when it is not such a count. */
bool options_read_count(const char *text, uint64_t *out);

/* The candidate nearest to `word` (edit distance, at most a third of its letters), NULL when none
 * is near. */
const char *options_nearest(const char *word, const char *const *candidates, size_t count);

#endif
