/* handlers_raw.c: the raw stage: what came, byte for byte.
 *
 * Which entries is asked inside the gate; their bytes are read from the log afterwards, outside it.
 * That may wait for a disk, so a page is bounded in bytes and never part of a batch of lookups. */
#include "commands/log_entry_json.h"
#include "handlers.h"
#include "problem.h"

enum { RAW_LIMIT_DEFAULT = 100, RAW_LIMIT_MAX = 1000, RAW_PAGE_BYTES = 4 * 1024 * 1024 };

static err read_entry(struct exchange *x, uint64_t sequence, struct log_entry *entry,
                      struct error *error)
{
    struct log *log = engine_log(x->engine);
    return log->ops->get(log, sequence, x->arena, entry, error);
}

/* The header line of a CSV row, without the dialect byte: the row says nothing without it. */
static void write_header_of(struct exchange *x, const struct log_entry *entry,
                            struct json_writer *json)
{
    struct log_entry header;
    if (entry->header_back == 0 || entry->scrubbed ||
        read_entry(x, entry->sequence - entry->header_back, &header, NULL) != ERR_OK ||
        header.payload.length < 1) {
        return;
    }
    json_key(json, "csv_header");
    json_string(json, slice_of(header.payload.data + 1, header.payload.length - 1));
}

static void write_entry_with_header(struct exchange *x, const struct log_entry *entry,
                                    struct json_writer *json)
{
    json_object_begin(json);
    log_entry_write_members(entry, json);
    write_header_of(x, entry, json);
    json_object_end(json);
}

static size_t first_from(const uint64_t *sequences, size_t count, uint64_t from)
{
    size_t i = 0;
    while (i < count && sequences[i] < from) {
        i++;
    }
    return i;
}

static void write_raw_page(struct exchange *x, const uint64_t *sequences, size_t count,
                           uint64_t from, uint64_t limit)
{
    struct error error = {0};
    size_t at = first_from(sequences, count, from);
    size_t begin = x->out->length;
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_u64(json, "total", count);
    json_key(json, "entries");
    json_array_begin(json);
    for (uint64_t n = 0; n < limit && at < count && x->out->length - begin < RAW_PAGE_BYTES;
         n++, at++) {
        struct log_entry entry;
        err e = read_entry(x, sequences[at], &entry, &error);
        if (e != ERR_OK) {
            /* What was begun of the answer is taken back. */
            x->out->length = begin;
            error.err = e;
            problem_from_error(x, &error);
            return;
        }
        write_entry_with_header(x, &entry, json);
    }
    json_array_end(json);
    json_key(json, "next_cursor");
    if (at < count) {
        json_u64(json, sequences[at]);
    } else {
        json_null(json);
    }
    json_object_end(json);
    reply_end(x);
}

void handle_user_raw(struct exchange *x)
{
    struct error error = {0};
    uint64_t limit = 0;
    uint64_t from = 0;
    if (query_get_u64(&x->query, "limit", 1, RAW_LIMIT_MAX, RAW_LIMIT_DEFAULT, &limit, &error) !=
            ERR_OK ||
        query_get_u64(&x->query, "cursor", 0, UINT64_MAX, 0, &from, &error) != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    struct engine_key key;
    bool by_id = false;
    if (!user_key(x, &key, &by_id)) {
        return;
    }
    uint64_t *sequences = NULL;
    size_t count = 0;
    err e = ERR_OK;
    exchange_enter(x);
    uint32_t number =
        by_id ? engine_find_id(x->engine, key.value) : engine_find(x->engine, key.type, key.value);
    if (number != PERSON_NONE) {
        e = engine_person_sequences(x->engine, number, x->arena, &sequences, &count);
    }
    exchange_leave(x);
    if (number == PERSON_NONE) {
        user_unknown(x);
    } else if (e != ERR_OK) {
        problem_reply(x, problem_status(e), err_name(e),
                      "The entries could not be listed; ask for fewer.");
    } else {
        write_raw_page(x, sequences, count, from, limit);
    }
}

/* ---- GET /api/log --------------------------------------------------------------------------- */

void handle_log(struct exchange *x)
{
    struct error error = {0};
    uint64_t limit = 0;
    uint64_t from = 0;
    if (query_get_u64(&x->query, "limit", 1, RAW_LIMIT_MAX, RAW_LIMIT_DEFAULT, &limit, &error) !=
            ERR_OK ||
        query_get_u64(&x->query, "from", 1, UINT64_MAX, 1, &from, &error) != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    struct log *log = engine_log(x->engine);
    struct log_reader *reader = NULL;
    err e = log->ops->reader_create(log, from, &reader, &error);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        error.err = e;
        problem_from_error(x, &error);
        return;
    }
    size_t begin = x->out->length;
    uint64_t next = from;
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_key(json, "entries");
    json_array_begin(json);
    for (uint64_t n = 0; e == ERR_OK && n < limit && x->out->length - begin < RAW_PAGE_BYTES; n++) {
        struct log_entry entry;
        e = log->ops->reader_next(reader, &entry, NULL, &error);
        if (e == ERR_OK) {
            log_entry_write(&entry, json);
            next = entry.sequence + 1;
        }
    }
    if (reader != NULL) {
        log->ops->reader_destroy(reader);
    }
    if (e != ERR_OK && e != ERR_END && e != ERR_NOT_FOUND) {
        x->out->length = begin;
        error.err = e;
        problem_from_error(x, &error);
        return;
    }
    json_array_end(json);
    /* The newest entry is reached: nothing follows yet, but asking again from there is fine
     * later. */
    bool more = next <= log->ops->position(log).last_sequence && next > from;
    json_key(json, "next_from");
    if (more) {
        json_u64(json, next);
    } else {
        json_null(json);
    }
    json_object_end(json);
    reply_end(x);
}
