/* export_local.c: `kindred export --data`: from the folder, opened read-only in this process. */
#include "commands/export.h"
#include "commands/log_entry_json.h"
#include "commands/store.h"

enum { PAGE_PEOPLE = 1000 };
static const size_t LINE_BYTES_MAX = 64 * 1024 * 1024;

static err export_people(struct engine *engine, uint32_t cohort, struct export_sink *sink,
                         struct error *error)
{
    uint32_t numbers[PAGE_PEOPLE];
    uint64_t from = 0;
    uint64_t total = 0;
    err e = ERR_OK;
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    do {
        uint32_t next = 0;
        size_t count = engine_page(engine, cohort, true, from, PAGE_PEOPLE, numbers, &total, &next);
        for (size_t i = 0; i < count && e == ERR_OK; i++) {
            buffer_clear(&line);
            struct json_writer json = json_writer_of(&line);
            engine_write_user(engine, numbers[i], EXPAND_ALL, &json);
            e = line.failed ? error_set(error, ERR_MEMORY, "memory", 0, "Out of memory.")
                            : export_line(sink, buffer_slice(&line), error);
        }
        from = next;
    } while (from != 0 && e == ERR_OK);
    buffer_deinit(&line);
    return e;
}

static err export_entries(struct log *log, struct export_sink *sink, struct error *error)
{
    struct log_reader *reader = NULL;
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    err e = log->ops->reader_create(log, 1, &reader, error);
    while (e == ERR_OK) {
        struct log_entry entry;
        e = log->ops->reader_next(reader, &entry, NULL, error);
        if (e == ERR_OK) {
            buffer_clear(&line);
            struct json_writer json = json_writer_of(&line);
            log_entry_write(&entry, &json);
            e = export_line(sink, buffer_slice(&line), error);
        }
    }
    if (reader != NULL) {
        log->ops->reader_destroy(reader);
    }
    buffer_deinit(&line);
    return e == ERR_END ? ERR_OK : e;
}

static err find_cohort(struct engine *engine, const char *name, uint32_t *cohort,
                       struct error *error)
{
    const struct cohorts *cohorts = engine_cohorts(engine);
    *cohort = cohorts_find(cohorts, slice_from_cstr(name));
    if (*cohort != COHORT_NONE) {
        return ERR_OK;
    }
    struct slice nearest = cohorts_nearest(cohorts, slice_from_cstr(name));
    return nearest.data != NULL ? error_set(error, ERR_NOT_FOUND, "cohort_unknown", 0,
                                            "There is no cohort '%s'; did you mean '%.*s'?", name,
                                            SLICE_ARGS(nearest))
                                : error_set(error, ERR_NOT_FOUND, "cohort_unknown", 0,
                                            "There is no cohort '%s'.", name);
}

int export_from_folder(const struct export_job *job, struct export_sink *sink)
{
    struct store store;
    struct store_options options = {
        .command = &command_export, .directory = job->data, .model = job->model, .read_only = true};
    int code = store_open(&options, &store);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    struct error error = {0};
    uint32_t cohort = COHORT_NONE;
    err e = job->what != EXPORT_RAW ? store_classify_pending(&store, NULL, &error) : ERR_OK;
    if (e == ERR_OK && job->what == EXPORT_COHORT) {
        e = find_cohort(store.engine, job->cohort, &cohort, &error);
    }
    if (e == ERR_OK) {
        e = job->what == EXPORT_RAW ? export_entries(store.folder.log, sink, &error)
                                    : export_people(store.engine, cohort, sink, &error);
    }
    error.err = e;
    code = e == ERR_OK ? EXIT_CODE_OK : store_report(&command_export, &error);
    store_close(&store);
    return code;
}
