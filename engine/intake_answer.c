/* intake_answer.c: the tally and the lists of errors and warnings, as JSON. */
#include "intake_internal.h"

/* A line is at most a message, a code and a field, each of which may double by escaping. */
enum { REPORT_LINE_BYTES_MAX = 2048 };

void report_init(struct report_list *list, size_t lines_max)
{
    buffer_init(&list->lines, lines_max * REPORT_LINE_BYTES_MAX);
    list->json = json_writer_of(&list->lines);
}

void report_deinit(struct report_list *list)
{
    buffer_deinit(&list->lines);
}

static void add_line(struct report_list *list, size_t lines_max, uint64_t record, uint64_t line,
                     struct slice field, const char *code, struct slice message)
{
    list->total++;
    if (list->listed == lines_max) {
        return;
    }
    list->listed++;
    struct json_writer *json = &list->json;
    json_object_begin(json);
    json_member_u64(json, "record", record);
    json_member_u64(json, "line", line);
    json_key(json, "field");
    if (field.length > 0) {
        json_string(json, field);
    } else {
        json_null(json);
    }
    json_member_cstr(json, "code", code);
    json_member_string(json, "message", message);
    json_object_end(json);
}

void report_error(struct intake *intake, const struct split *split,
                  const struct record_error *reason)
{
    add_line(&intake->errors, intake->options.errors_max, split->record_number, split->line,
             slice_from_cstr(reason->field), reason->code, slice_from_cstr(reason->message));
}

void report_warnings(struct intake *intake, const struct split *split, const struct record *record)
{
    for (size_t i = 0; i < record->warning_count; i++) {
        const struct record_warning *warning = &record->warnings[i];
        add_line(&intake->warnings, intake->options.errors_max, split->record_number, split->line,
                 warning->field, warning->code, warning->message);
    }
}

static uint64_t accepted_with(const struct intake *intake, const struct batch *extra)
{
    return intake->tally.accepted + (extra ? extra->accepted : 0);
}

static const char *status_word(const struct intake *intake, const struct batch *extra)
{
    if (intake->errors.total == 0 && intake->input_error.err == ERR_OK) {
        return "success";
    }
    return accepted_with(intake, extra) > 0 ? "partial" : "error";
}

uint16_t answer_status(const struct intake *intake, const struct batch *extra)
{
    bool clean = intake->errors.total == 0 && intake->input_error.err == ERR_OK;
    if (clean || accepted_with(intake, extra) > 0) {
        return 200;
    }
    return intake->input_error.err == ERR_TOO_LARGE ? 413 : 422;
}

/* What is wrong with the body itself stands first, as it explains why records are missing. */
static void write_errors(const struct intake *intake, struct json_writer *json)
{
    json_key(json, "errors");
    json_array_begin(json);
    if (intake->input_error.err != ERR_OK) {
        json_object_begin(json);
        json_key(json, "record");
        json_null(json);
        json_key(json, "line");
        json_null(json);
        json_key(json, "field");
        json_null(json);
        json_member_cstr(json, "code", intake->input_error.code);
        json_member_cstr(json, "message", intake->input_error.message);
        json_object_end(json);
    }
    if (intake->errors.lines.length > 0) {
        json_raw(json, buffer_slice(&intake->errors.lines));
    }
    json_array_end(json);
    json_member_u64(json, "errors_total",
                    intake->errors.total + (intake->input_error.err != ERR_OK ? 1 : 0));
}

void answer_write(const struct intake *intake, const struct batch *extra, struct json_writer *json)
{
    const struct intake_tally *tally = &intake->tally;
    json_object_begin(json);
    json_member_cstr(json, "status", status_word(intake, extra));
    json_member_u64(json, "records_processed", accepted_with(intake, extra));
    json_member_u64(json, "records_received", tally->records);
    json_member_u64(json, "records_cleansed", tally->cleansed + (extra ? extra->cleansed : 0));
    json_member_u64(json, "records_quarantined",
                    tally->quarantined + (extra ? extra->quarantined : 0));
    write_errors(intake, json);
    json_key(json, "warnings");
    json_array_begin(json);
    if (intake->warnings.lines.length > 0) {
        json_raw(json, buffer_slice(&intake->warnings.lines));
    }
    json_array_end(json);
    json_member_u64(json, "warnings_total", intake->warnings.total);
    json_member_cstr(json, "durability", intake->options.durability);
    json_object_end(json);
}

void intake_write_answer(const struct intake *intake, struct json_writer *json)
{
    if (intake->answer.length > 0) {
        json_raw(json, buffer_slice(&intake->answer));
    } else {
        answer_write(intake, NULL, json);
    }
}

uint16_t intake_answer_status(const struct intake *intake)
{
    return intake->answer_status != 0 ? intake->answer_status : answer_status(intake, NULL);
}
