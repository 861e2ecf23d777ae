/* generate.c: `kindred generate`: the demo population as records to import. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands/options.h"
#include "commands/progress.h"
#include "demo/population.h"

static const char HELP[] =
    "usage: kindred generate --people N [--seed S] [--format ndjson|csv] [--output FILE]\n"
    "\n"
    "Writes records about N people who do not exist: households with shared e-mail addresses, several devices each,\n"
    "interests with misspellings. The same numbers give the same bytes on every machine.\n"
    "\n"
    "  --people N       how many (also 10k, 2M)\n"
    "  --seed S         another population; default 1\n"
    "  --format FORMAT  ndjson (default) or csv\n"
    "  --output FILE    instead of standard output\n"
    "\n"
    "Example:\n"
    "  kindred generate --people 10k | kindred import - --data ./demo --source demo\n"
    "\n"
    "Exit codes: 0 all written · 1 could not be written · 2 usage.\n";

enum { BUFFER_BYTES = 256 * 1024 };

/* 2026-01-01T00:00:00Z: a date in the arguments would make two runs differ. */
static const int64_t EPOCH_US = 1767225600000000;

static bool write_out(struct buffer *buffer, FILE *out)
{
    bool good =
        buffer->length == 0 || fwrite(buffer->data, 1, buffer->length, out) == buffer->length;
    buffer_clear(buffer);
    return good;
}

static err write_records(struct population *population, bool csv, FILE *out)
{
    struct buffer buffer;
    struct progress progress;
    uint64_t records = 0;
    bool good = true;
    err e = ERR_OK;
    buffer_init(&buffer, BUFFER_BYTES + POPULATION_RECORD_MAX_BYTES);
    progress_begin(&progress, "generate", "records", 0);
    if (csv) {
        population_csv_header(&buffer);
    }
    while (good && (e = population_next(population, &buffer)) == ERR_OK) {
        records++;
        if (buffer.length >= BUFFER_BYTES) {
            good = write_out(&buffer, out);
            progress_update(&progress, 0, records);
        }
    }
    good = good && write_out(&buffer, out) && fflush(out) == 0;
    progress_end(&progress);
    buffer_deinit(&buffer);
    return !good ? ERR_IO : e == ERR_END ? ERR_OK : e;
}

static int generate(uint64_t people, uint64_t seed, bool csv, FILE *out)
{
    struct population *population = population_create(seed, (uint32_t)people, EPOCH_US,
                                                      csv ? POPULATION_CSV : POPULATION_NDJSON);
    err e = population ? write_records(population, csv, out) : ERR_MEMORY;
    if (e != ERR_OK) {
        fprintf(stderr, "kindred generate: %s.\n", e == ERR_IO ? strerror(errno) : "out of memory");
    }
    population_destroy(population);
    return e == ERR_OK ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int run(int argc, char **argv)
{
    uint64_t people = 0;
    uint64_t seed = 1;
    const char *format = "ndjson";
    const char *output = NULL;
    const struct option_rule rules[] = {
        {"people", OPTION_COUNT, &people},
        {"seed", OPTION_COUNT, &seed},
        {"format", OPTION_TEXT, &format},
        {"output", OPTION_TEXT, &output},
    };
    int left = 0;
    int code = options_parse(&command_generate, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    bool csv = strcmp(format, "csv") == 0;
    if (left > 0) {
        return options_usage_error(&command_generate, "'%s' is one word too many.", argv[1]);
    }
    if (people == 0 || people > POPULATION_PEOPLE_MAX) {
        return options_usage_error(&command_generate, "--people is from 1 to %d.",
                                   POPULATION_PEOPLE_MAX);
    }
    if (!csv && strcmp(format, "ndjson") != 0) {
        return options_usage_error(&command_generate, "--format is ndjson or csv, not '%s'.",
                                   format);
    }
    FILE *out = output != NULL ? fopen(output, "we") : stdout;
    if (out == NULL) {
        fprintf(stderr, "kindred generate: cannot write %s: %s.\n", output, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    code = generate(people, seed, csv, out);
    if (out != stdout && fclose(out) != 0 && code == EXIT_CODE_OK) {
        fprintf(stderr, "kindred generate: cannot write %s: %s.\n", output, strerror(errno));
        code = EXIT_CODE_FAILED;
    }
    return code;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "write records about people who do not exist, for trying things out",
    .run = run,
    .help = HELP,
};
