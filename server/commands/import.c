/* import.c: `kindred import`: options, files one after the other, the summary. */
#include "commands/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "commands/file_text.h"
#include "commands/options.h"
#include "commands/store.h"
#include "ingest/limits.h"
#include "ingest/mapping.h"

static const char HELP[] =
    "usage: kindred import FILE… (--data DIR | --url URL) [options]\n"
    "\n"
    "Takes customer records from files into Kindred. What a file is (CSV, TSV, NDJSON, JSON; gzip or zstd around it) is\n"
    "found by looking at it. \"-\" is standard input.\n"
    "\n"
    "  --data DIR         straight into a data folder; no server may be using it\n"
    "  --url URL          through a running server, for example http://127.0.0.1:8080\n"
    "  --key KEY          the server's key (role ingest; admin with --map); or in the environment as KINDRED_KEY\n"
    "  --map MAP.json     read foreign columns through this mapping (docs/ingestion.md, docs/examples/)\n"
    "  --source NAME      where the records come from; otherwise the file's name\n"
    "  --rejects FILE     where rejected rows go; otherwise FILE.rejects.csv or FILE.rejects.ndjson beside each file\n"
    "  --durability MODE  with --data: fsync (default), interval (sync once a second) or os (faster, less safe)\n"
    "  --model FILE       with --data: the model that classifies new interests when the records are in (the built-in one);\n"
    "                     none leaves that to the server\n"
    "\n"
    "Rows that cannot be taken are kept in the quarantine and written, with the reason in the column _error, to the file\n"
    "of rejects. Mend the cells it names and import that file again: the added columns are taken off by themselves.\n"
    "\n"
    "An interrupted import goes on where it stopped when the same command is given again; nothing is taken twice.\n"
    "\n"
    "Examples:\n"
    "  kindred import people.csv --data ./data\n"
    "  kindred import customers.csv.zst --map docs/examples/febrl.json --source crm --data ./data\n"
    "  kindred import people.csv.rejects.csv --data ./data           after mending it\n"
    "  mysqldump-to-ndjson | kindred import - --url http://127.0.0.1:8080 --source shop\n"
    "\n"
    "Exit codes: 0 all taken · 1 could not be done · 2 usage · 3 storage failed · 4 data folder in use · 5 done, but some\n"
    "records were rejected · 130 interrupted.\n";

enum { EXIT_CODE_INTERRUPTED = 130 };

volatile sig_atomic_t import_interrupted;

static void on_signal(int number)
{
    (void)number;
    import_interrupted = 1;
}

/* ---- one file as input ----------------------------------------------------------------------- */

/* Not an error of the storage: its advice would mislead. */
static err input_failed(struct import_run *run, const char *operation)
{
    return error_set(&run->error, ERR_INVALID, "input_unreadable", 0, "Cannot %s %s: %s.",
                     operation, run->input.path, strerror(errno));
}

err import_read(struct import_run *run, struct slice *bytes)
{
    struct import_input *input = &run->input;
    size_t length = input->ready;
    input->ready = 0;
    while (length == 0 && !input->at_end && !import_interrupted) {
        ssize_t got = read(input->fd, input->bytes, IMPORT_READ_BYTES);
        if (got < 0 && errno != EINTR) {
            return input_failed(run, "read");
        }
        input->at_end = got == 0;
        length = got > 0 ? (size_t)got : 0;
        input->read_bytes += length;
    }
    if (length == 0 && import_interrupted) {
        return error_set(&run->error, ERR_STOPPING, "interrupted", 0, "Interrupted.");
    }
    *bytes = slice_of(input->bytes, length);
    return ERR_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcasecmp(text + length - end_length, end) == 0;
}

/* A tie-breaker only: what the bytes are is found by looking at them. */
static enum content_hint hint_of_name(const char *path)
{
    static const struct {
        const char *end;
        enum content_hint hint;
    } HINTS[] = {{".csv", HINT_CSV},       {".tsv", HINT_TSV},      {".tab", HINT_TSV},
                 {".ndjson", HINT_NDJSON}, {".jsonl", HINT_NDJSON}, {".json", HINT_JSON}};
    char name[512];
    snprintf(name, sizeof name, "%s", path);
    if (ends_with(name, ".gz")) {
        name[strlen(name) - 3] = '\0';
    } else if (ends_with(name, ".zst")) {
        name[strlen(name) - 4] = '\0';
    }
    for (size_t i = 0; i < ARRAY_COUNT(HINTS); i++) {
        if (ends_with(name, HINTS[i].end)) {
            return HINTS[i].hint;
        }
    }
    return HINT_NONE;
}

/* A mended file of rejects comes from where its rows came from. */
static void name_source(struct import_input *input, const char *given)
{
    const char *name = given ? given : input->label;
    size_t length = strlen(name);
    if (given == NULL && input->mend.kind != MEND_NONE) {
        const char *end = strstr(name, ".rejects.");
        length = end != NULL ? (size_t)(end - name) : length;
    }
    snprintf(input->source, sizeof input->source, "%.*s", (int)length, name);
}

static err open_input(struct import_run *run, const char *path)
{
    struct import_input *input = &run->input;
    bool standard = strcmp(path, "-") == 0;
    const char *slash = strrchr(path, '/');
    input->path = path;
    snprintf(input->label, sizeof input->label, "%s",
             standard ? "stdin"
             : slash  ? slash + 1
                      : path);
    input->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    input->bytes = memory_alloc(IMPORT_READ_BYTES);
    if (input->fd < 0 || input->bytes == NULL) {
        return input_failed(run, "open");
    }
    struct stat info;
    if (fstat(input->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        input->size_bytes = (uint64_t)info.st_size;
        (void)posix_fadvise(input->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    } else if (fstat(input->fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        return error_set(&run->error, ERR_INVALID, "is_a_folder", 0,
                         "%s is a folder; name the files in it.", path);
    }
    input->hint = hint_of_name(path);
    return ERR_OK;
}

/* Reads the first piece, to see whether it is a file of rejects. It stays for import_read. */
static err look_at_input(struct import_run *run)
{
    struct import_input *input = &run->input;
    struct slice first;
    err e = import_read(run, &first);
    if (e != ERR_OK) {
        return e;
    }
    input->ready = first.length;
    input->mend = mend_probe(first, input->at_end, input->hint);
    name_source(input, run->job->source);
    return ERR_OK;
}

static void open_notes(struct import_run *run)
{
    const struct import_job *job = run->job;
    struct import_input *input = &run->input;
    char path[1100];
    char target[2300];
    bool standard = strcmp(input->path, "-") == 0;
    snprintf(target, sizeof target, "%s|%s|%s|%s", job->data ? job->data : job->url,
             job->mapping_name, job->source ? job->source : "", input->path);
    if (job->data != NULL) {
        snprintf(path, sizeof path, "%s/", job->data);
    } else {
        snprintf(path, sizeof path, "%s.import-state", job->rejects ? job->rejects : input->path);
    }
    import_state_open(&run->state, input->size_bytes > 0 && !standard ? path : NULL, input->fd,
                      target);
    rejects_open(&run->rejects,
                 job->rejects ? job->rejects
                 : standard   ? "stdin"
                              : input->path,
                 job->rejects != NULL,
                 job->data == NULL && run->state.resumed ? run->state.reject_bytes : 0);
}

static void close_run(struct import_run *run)
{
    if (run->input.fd > STDIN_FILENO) {
        close(run->input.fd);
    }
    memory_free(run->input.bytes);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void print_line(const char *name, uint64_t count, const char *more)
{
    char text[COUNT_TEXT_MAX];
    printf("  %-12s %12s%s\n", name, count_text(count, text), more);
}

static void print_summary(const struct import_run *run, double seconds, const uint64_t *people)
{
    const struct import_counts *counts = &run->counts;
    char records[COUNT_TEXT_MAX];
    char rate[COUNT_TEXT_MAX];
    uint64_t per_second = seconds > 0 ? (uint64_t)((double)counts->records / seconds) : 0;
    printf("%s: %s records in %.1f s (%s/s)\n", run->input.label,
           count_text(counts->records, records), seconds, count_text(per_second, rate));
    print_line("accepted", counts->accepted, "");
    print_line("cleansed", counts->cleansed,
               counts->cleansed ? "   of these; a field that could not be read was left out" : "");
    print_line("quarantined", counts->quarantined, "");
    if (counts->repeated > 0) {
        print_line("taken before", counts->repeated,
                   "   of these; by the run that was interrupted");
    }
    if (people != NULL) {
        print_line("people now", *people, "");
    }
    if (run->rejects.path_complete && (run->rejects.count > 0 || run->rejects.kept_bytes > 0)) {
        printf("The rejected rows and their reasons are in %s; mend them and import that file.\n",
               run->rejects.path);
    }
    if (counts->unlisted > 0) {
        printf(
            "%llu more rejected rows are in the server's quarantine only: GET /api/quarantine.\n",
            (unsigned long long)counts->unlisted);
    }
}

static int report_failure(const struct import_run *run)
{
    const struct error *error = &run->error;
    if (error->err == ERR_STOPPING && import_interrupted) {
        fprintf(stderr,
                "kindred import: interrupted. The same command goes on where this one stopped.\n");
        return EXIT_CODE_INTERRUPTED;
    }
    if (error->err == ERR_CONFLICT) {
        fprintf(
            stderr,
            "kindred import: %s was changed since its import was interrupted. Remove %s to begin anew (what was "
            "taken before stays).\n",
            run->input.path, run->state.path);
        return EXIT_CODE_FAILED;
    }
    return store_report(&command_import, error);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int import_file(const struct import_job *job, const struct import_target *way, void *target,
                       const char *path)
{
    struct import_run run = {.job = job};
    int code = EXIT_CODE_OK;
    err e = open_input(&run, path);
    if (e == ERR_OK) {
        open_notes(&run);
        e = look_at_input(&run);
    }
    if (e != ERR_OK) {
        run.error.err = e;
        code = report_failure(&run);
        goto out;
    }
    progress_begin(&run.progress, run.input.label, "records", run.input.size_bytes);
    e = way->take(target, &run);
    progress_end(&run.progress);
    (void)rejects_close(&run.rejects);
    uint64_t people = 0;
    bool people_known = way->people(target, &people);
    print_summary(&run, progress_seconds(&run.progress), people_known ? &people : NULL);
    if (e != ERR_OK) {
        run.error.err = e;
        code = report_failure(&run);
    } else {
        import_state_finish(&run.state);
        code = run.counts.quarantined > 0 ? EXIT_CODE_REJECTED : EXIT_CODE_OK;
    }
out:
    close_run(&run);
    return code;
}

static int read_mapping(struct import_job *job, const char *path)
{
    struct error error = {0};
    struct mapping *mapping = NULL;
    err e = file_text_read(path, MAPPING_BYTES_MAX, &job->mapping_json, &error);
    if (e == ERR_OK) {
        e = mapping_parse(job->mapping_json, &mapping, &error);
    }
    if (e != ERR_OK) {
        return options_usage_error(&command_import, "%s: %s (at byte %llu)", path, error.message,
                                   (unsigned long long)error.position);
    }
    struct slice name = mapping_name(mapping);
    snprintf(job->mapping_name, sizeof job->mapping_name, "%.*s", SLICE_ARGS(name));
    job->mapping_delimiter = mapping_delimiter(mapping);
    mapping_destroy(mapping);
    return EXIT_CODE_OK;
}

static int check_options(const struct import_job *job, int files, const char *durability,
                         enum engine_durability *mode)
{
    if (files == 0) {
        return options_usage_error(&command_import,
                                   "name the files to import, or - for standard input.");
    }
    if ((job->data == NULL) == (job->url == NULL)) {
        return options_usage_error(&command_import, "say where to: --data DIR or --url URL.");
    }
    if (job->rejects != NULL && files > 1) {
        return options_usage_error(&command_import, "--rejects is for one file at a time.");
    }
    if (job->source != NULL && strlen(job->source) > LOG_SOURCE_MAX) {
        return options_usage_error(&command_import, "--source is longer than %d bytes.",
                                   LOG_SOURCE_MAX);
    }
    if (!durability_parse(durability, mode)) {
        return options_usage_error(&command_import,
                                   "--durability is fsync, interval or os, not '%s'.", durability);
    }
    return EXIT_CODE_OK;
}

static int import_files(const struct import_job *job, char **files, int count)
{
    const struct import_target *way = job->data ? &import_local : &import_remote;
    void *target = NULL;
    /* A mistyped name should not leave an empty data folder behind. */
    for (int i = 0; i < count; i++) {
        if (strcmp(files[i], "-") != 0 && access(files[i], R_OK) != 0) {
            fprintf(stderr, "kindred import: cannot read %s: %s.\n", files[i], strerror(errno));
            return EXIT_CODE_FAILED;
        }
    }
    int code = way->open(job, &target);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (int i = 0; i < count && (code == EXIT_CODE_OK || code == EXIT_CODE_REJECTED); i++) {
        int one = import_file(job, way, target, files[i]);
        code = one != EXIT_CODE_OK ? one : code;
    }
    int closed = way->close(target);
    return closed != EXIT_CODE_OK ? closed : code;
}

static int run(int argc, char **argv)
{
    struct import_job job = {.key = getenv("KINDRED_KEY")};
    const char *map = NULL;
    const char *durability = "fsync";
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &job.data},         {"url", OPTION_TEXT, &job.url},
        {"key", OPTION_TEXT, &job.key},           {"map", OPTION_TEXT, &map},
        {"source", OPTION_TEXT, &job.source},     {"rejects", OPTION_TEXT, &job.rejects},
        {"durability", OPTION_TEXT, &durability}, {"model", OPTION_TEXT, &job.model},
    };
    int left = 0;
    int code = options_parse(&command_import, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    code = check_options(&job, left, durability, &job.durability);
    if (code == EXIT_CODE_OK && map != NULL) {
        code = read_mapping(&job, map);
    }
    if (code == EXIT_CODE_OK) {
        code = import_files(&job, argv + 1, left);
    }
    file_text_free(job.mapping_json);
    return code;
}

const struct command command_import = {
    .name = "import",
    .summary = "take records from files, into a data folder or through a server",
    .run = run,
    .help = HELP,
};
