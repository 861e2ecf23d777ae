/* export.c: `kindred export`: what, from where, to where. */
#include "commands/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands/options.h"
#include "commands/store.h"

static const char HELP[] =
    "usage: kindred export profiles|raw|cohort NAME (--data DIR | --url URL) [options]\n"
    "\n"
    "Writes what Kindred holds, one line each, to standard output or a file.\n"
    "\n"
    "  profiles           everybody, with all that is known: the shape of GET /api/user?expand=all\n"
    "  cohort NAME        the people of one cohort, likewise\n"
    "  raw                the log: every entry's original bytes with sequence, received_at and source\n"
    "\n"
    "  --data DIR         from a data folder; no server may be using it\n"
    "  --url URL          from a running server, for example http://127.0.0.1:8080\n"
    "  --key KEY          the server's key (role read; admin for raw); or in the environment as KINDRED_KEY\n"
    "  --format FORMAT    ndjson (default) or csv (lists joined with ';', one column per attribute)\n"
    "  --output FILE      instead of standard output; complete or not there at all\n"
    "  --model FILE       with --data: the model by which interests make cohorts (the built-in one); the server's, if it has\n"
    "                     another\n"
    "\n"
    "People come in the order in which they were first seen, always the same for the same log: two exports can be\n"
    "compared with cmp.\n"
    "\n"
    "Examples:\n"
    "  kindred export profiles --data ./data --output people.ndjson\n"
    "  kindred export cohort sports --url http://127.0.0.1:8080 --format csv > sports.csv\n"
    "  kindred export raw --data ./data | head -3\n"
    "\n"
    "Exit codes: 0 all written · 1 could not be done · 2 usage · 3 storage failed or is damaged · 4 data folder in use.\n";

static err write_failed(struct error *error)
{
    if (errno == EPIPE) {
        _exit(EXIT_CODE_OK); /* `| head` has seen enough; nothing here needs an orderly end */
    }
    return error_set(error, ERR_IO, "output_failed", 0, "Cannot write the output: %s.",
                     strerror(errno));
}

err export_line(struct export_sink *sink, struct slice json, struct error *error)
{
    sink->lines++;
    progress_update(&sink->progress, 0, sink->lines);
    if (sink->table != NULL) {
        return export_table_add(sink->table, json, error);
    }
    if (fwrite(json.data, 1, json.length, sink->out) != json.length ||
        putc('\n', sink->out) == EOF) {
        return write_failed(error);
    }
    return ERR_OK;
}

/* ---- where it goes ---- */

static int finish(const struct export_job *job, struct export_sink *sink)
{
    struct error error = {0};
    if (sink->table != NULL) {
        error.err = export_table_write(sink->table, sink->out, &error);
    }
    if (error.err == ERR_OK &&
        (fflush(sink->out) != 0 || (job->output != NULL && fsync(fileno(sink->out)) != 0))) {
        error.err = write_failed(&error);
    }
    return error.err == ERR_OK
               ? EXIT_CODE_OK
               : (fprintf(stderr, "kindred export: %s\n", error.message), EXIT_CODE_FAILED);
}

static int export_to(const struct export_job *job, FILE *out)
{
    struct export_sink sink = {.out = out};
    if (job->csv) {
        sink.table = export_table_create();
        if (sink.table == NULL) {
            fputs("kindred export: cannot make a temporary file (TMPDIR) for the CSV columns.\n",
                  stderr);
            return EXIT_CODE_FAILED;
        }
    }
    progress_begin(&sink.progress, "export", job->what == EXPORT_RAW ? "entries" : "people", 0);
    int code = job->data ? export_from_folder(job, &sink) : export_from_server(job, &sink);
    progress_end(&sink.progress);
    if (code == EXIT_CODE_OK) {
        code = finish(job, &sink);
    }
    export_table_destroy(sink.table);
    return code;
}

/* Under another name until it is complete. */
static int export_to_file(const struct export_job *job)
{
    char part[4096];
    snprintf(part, sizeof part, "%s.part", job->output);
    FILE *out = fopen(part, "we");
    if (out == NULL) {
        fprintf(stderr, "kindred export: cannot write %s: %s.\n", part, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    int code = export_to(job, out);
    if (fclose(out) != 0 || (code == EXIT_CODE_OK && rename(part, job->output) != 0)) {
        fprintf(stderr, "kindred export: cannot write %s: %s.\n", job->output, strerror(errno));
        code = EXIT_CODE_FAILED;
    }
    if (code != EXIT_CODE_OK) {
        unlink(part);
    }
    return code;
}

/* ---- options ---- */

static int read_what(struct export_job *job, char **words, int count)
{
    static const char *const NAMES[] = {"profiles", "cohort", "raw"};
    if (count == 0) {
        return options_usage_error(&command_export, "say what: profiles, cohort NAME or raw.");
    }
    for (size_t i = 0; i < ARRAY_COUNT(NAMES); i++) {
        if (strcmp(words[0], NAMES[i]) == 0) {
            job->what = (enum export_what)i;
            int expected = job->what == EXPORT_COHORT ? 2 : 1;
            job->cohort = expected == 2 && count > 1 ? words[1] : NULL;
            return count == expected ? EXIT_CODE_OK
                   : expected == 2 && count == 1
                       ? options_usage_error(&command_export,
                                             "name the cohort: kindred export cohort sports …")
                       : options_usage_error(&command_export, "'%s' is one word too many.",
                                             words[expected]);
        }
    }
    const char *nearest = options_nearest(words[0], NAMES, ARRAY_COUNT(NAMES));
    return nearest
               ? options_usage_error(&command_export, "cannot export '%s'; did you mean '%s'?",
                                     words[0], nearest)
               : options_usage_error(&command_export,
                                     "cannot export '%s': profiles, cohort NAME or raw.", words[0]);
}

static int run(int argc, char **argv)
{
    struct export_job job = {.key = getenv("KINDRED_KEY")};
    const char *format = "ndjson";
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &job.data},     {"url", OPTION_TEXT, &job.url},
        {"key", OPTION_TEXT, &job.key},       {"format", OPTION_TEXT, &format},
        {"output", OPTION_TEXT, &job.output}, {"model", OPTION_TEXT, &job.model},
    };
    int left = 0;
    int code = options_parse(&command_export, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    code = read_what(&job, argv + 1, left);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    if ((job.data == NULL) == (job.url == NULL)) {
        return options_usage_error(&command_export, "say from where: --data DIR or --url URL.");
    }
    job.csv = strcmp(format, "csv") == 0;
    if (!job.csv && strcmp(format, "ndjson") != 0) {
        return options_usage_error(&command_export, "--format is ndjson or csv, not '%s'.", format);
    }
    return job.output != NULL && strcmp(job.output, "-") != 0 ? export_to_file(&job)
                                                              : export_to(&job, stdout);
}

const struct command command_export = {
    .name = "export",
    .summary = "write all profiles, a cohort or the raw log, as NDJSON or CSV",
    .run = run,
    .help = HELP,
};
