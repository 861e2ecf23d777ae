#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "people.h"

static const char *const names[WORK_KIND_COUNT] = {
    [WORK_GET] = "get",
    [WORK_LOOKUP] = "lookup",
    [WORK_HGETALL] = "hgetall",
    [WORK_PG_SELECT] = "pg-select",
    [WORK_INGEST] = "ingest",
    [WORK_INGEST_TABLE] = "ingest-table",
    [WORK_REDIS_INGEST] = "redis-ingest",
    [WORK_REDIS_SORTED] = "redis-sorted",
    [WORK_PG_UPSERT] = "pg-upsert",
    [WORK_PG_COPY] = "pg-copy",
    [WORK_REDIS_PAGE] = "redis-page",
};

bool work_kind_parse(const char *name, enum work_kind *kind)
{
    for (int k = 0; k < WORK_KIND_COUNT; k++) {
        if (strcmp(names[k], name) == 0) {
            *kind = (enum work_kind)k;
            return true;
        }
    }
    return false;
}

enum protocol work_protocol(enum work_kind kind)
{
    switch (kind) {
    case WORK_HGETALL:
    case WORK_REDIS_INGEST:
    case WORK_REDIS_SORTED:
    case WORK_REDIS_PAGE: return PROTOCOL_REDIS;
    case WORK_PG_SELECT:
    case WORK_PG_UPSERT:
    case WORK_PG_COPY: return PROTOCOL_POSTGRES;
    default: return PROTOCOL_HTTP;
    }
}

bool work_is_finite(enum work_kind kind)
{
    return kind >= WORK_INGEST && kind <= WORK_PG_COPY;
}

#define ON_CONFLICT                                                                                             \
    " ON CONFLICT (cookie) DO UPDATE SET email = excluded.email, phone = excluded.phone, city = excluded.city," \
    " state = excluded.state, country = excluded.country, age = excluded.age, gender = excluded.gender,"        \
    " income = excluded.income, education = excluded.education, interests = excluded.interests,"                \
    " cohorts = excluded.cohorts"

const char *work_sql(enum work_kind kind)
{
    switch (kind) {
    case WORK_PG_SELECT:
        return "SELECT cookie, email, phone, city, state, country, age, gender, income, education, interests, cohorts"
               " FROM person WHERE cookie = $1";
    case WORK_PG_UPSERT:
        return "INSERT INTO person VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)" ON_CONFLICT;
    default: return "SELECT 1";
    }
}

/* ---- prepared requests ----------------------------------------------------------------------- */

static void append_post(struct work *work, const char *path, const char *type, const char *body,
                        size_t length)
{
    buffer_append_format(
        &work->bytes,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
        path, type, length);
    buffer_append(&work->bytes, body, length);
}

/* Packs the rows of a table as `gzip -6` would, and posts them. */
static bool append_table(struct work *work, const struct buffer *rows)
{
    z_stream stream = {0};
    struct buffer packed;
    buffer_init(&packed, SIZE_MAX / 4);
    size_t room_bytes = compressBound((uLong)rows->length) + 64;
    char *room = buffer_reserve(&packed, room_bytes);
    bool good = room != NULL &&
                deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    if (good) {
        stream.next_in = (Bytef *)rows->data;
        stream.avail_in = (uInt)rows->length;
        stream.next_out = (Bytef *)room;
        stream.avail_out = (uInt)room_bytes;
        good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        buffer_commit(&packed, stream.total_out);
        deflateEnd(&stream);
        append_post(work, work->path, "text/csv", packed.data, packed.length);
    }
    buffer_deinit(&packed);
    return good;
}

/* COPY … FROM STDIN with its data, then the merge: sent in one go, answered twice. */
static void append_copy(struct work *work, const struct buffer *rows)
{
    static const char copy[] = "COPY staging FROM STDIN";
    static const char merge[] =
        "INSERT INTO person SELECT * FROM staging" ON_CONFLICT "; TRUNCATE staging";
    buffer_append_char(&work->bytes, 'Q');
    pg_append_u32(&work->bytes, 4 + sizeof(copy));
    buffer_append(&work->bytes, copy, sizeof(copy));
    buffer_append_char(&work->bytes, 'd');
    pg_append_u32(&work->bytes, (uint32_t)(4 + rows->length));
    buffer_append(&work->bytes, rows->data, rows->length);
    buffer_append(&work->bytes, "c\0\0\0\x04Q", 6);
    pg_append_u32(&work->bytes, 4 + sizeof(merge));
    buffer_append(&work->bytes, merge, sizeof(merge));
}

/* The records first .. last - 1 as one request. */
static uint32_t append_request(struct work *work, uint64_t first, uint64_t last,
                               struct buffer *body)
{
    uint32_t answers = 0;
    buffer_clear(body);
    if (work->kind == WORK_INGEST) {
        buffer_append_cstr(body, last - first == 1 ? "{\"data\": " : "{\"data\": [");
    } else if (work->kind == WORK_INGEST_TABLE) {
        person_write_table_head(body);
    }
    for (uint64_t i = first; i < last; i++) {
        struct person person;
        person_make(i, &person);
        switch (work->kind) {
        case WORK_INGEST:
            if (i > first) {
                buffer_append_cstr(body, ", ");
            }
            person_write_json(&person, body);
            break;
        case WORK_INGEST_TABLE: person_write_table_row(i, &person, body); break;
        case WORK_REDIS_INGEST: answers += person_write_redis(&person, &work->bytes); break;
        case WORK_REDIS_SORTED:
            answers += person_write_redis_sorted(i, &person, &work->bytes);
            break;
        case WORK_PG_COPY: person_write_copy(&person, body); break;
        default:
            person_write_upsert(&person, &work->bytes);
            answers++;
            break;
        }
    }
    if (work->kind == WORK_INGEST) {
        buffer_append_cstr(body, last - first == 1 ? "}" : "]}");
        append_post(work, "/api/ingest", "application/json", body->data, body->length);
        answers = 1;
    } else if (work->kind == WORK_INGEST_TABLE) {
        answers = append_table(work, body) ? 1 : 0;
    } else if (work->kind == WORK_PG_COPY) {
        append_copy(work, body);
        answers = 2;
    }
    return answers;
}

/* An earlier one once more. Room first: the bytes that are copied must not move meanwhile. */
static uint32_t repeat_request(struct work *work, uint64_t earlier)
{
    size_t start = earlier == 0 ? 0 : work->ends[earlier - 1], length = work->ends[earlier] - start;
    if (buffer_reserve(&work->bytes, length) == NULL) {
        return 0;
    }
    buffer_append(&work->bytes, work->bytes.data + start, length);
    return work->answers[earlier];
}

bool work_prepare(struct work *work)
{
    buffer_init(&work->bytes, SIZE_MAX / 4);
    if (!work_is_finite(work->kind)) {
        return true;
    }
    if (work->kind == WORK_PG_UPSERT) {
        work->per_body = 1;
    }
    uint64_t requests = (work->count + work->per_body - 1) / work->per_body;
    work->ends = malloc((requests + 1) * sizeof(*work->ends));
    work->answers = malloc((requests + 1) * sizeof(*work->answers));
    struct buffer body;
    buffer_init(&body, SIZE_MAX / 4);
    bool enough = work->ends != NULL && work->answers != NULL;
    uint64_t cycle =
        work->again > 0 ? (work->again + work->per_body - 1) / work->per_body : requests;
    for (uint64_t k = 0; enough && k < requests; k++) {
        uint64_t first = work->first + k * work->per_body;
        uint64_t last = first + work->per_body;
        last = last < work->first + work->count ? last : work->first + work->count;
        work->answers[k] =
            k < cycle ? append_request(work, first, last, &body) : repeat_request(work, k - cycle);
        enough = work->answers[k] > 0;
        work->ends[k] = work->bytes.length;
    }
    enough = enough && !work->bytes.failed && !body.failed;
    buffer_deinit(&body);
    work->prepared_count = requests;
    if (!enough) {
        fputs("load: out of memory while preparing\n", stderr);
    }
    return enough;
}

static bool next_prepared(struct work *work, struct request *request)
{
    if (work->next == work->prepared_count) {
        return false;
    }
    uint64_t k = work->next++;
    size_t start = k == 0 ? 0 : work->ends[k - 1];
    uint64_t left = work->count - k * work->per_body;
    request->prepared = work->bytes.data + start;
    request->prepared_length = work->ends[k] - start;
    request->answers = work->answers[k];
    request->units = (uint32_t)(left < work->per_body ? left : work->per_body);
    return true;
}

/* ---- made on the spot ------------------------------------------------------------------------ */

static uint64_t random_person(struct work *work)
{
    uint64_t random = mix64(work->random++) >> 32;
    return random * work->people >> 32;
}

#define APPEND(out, text) buffer_append(out, text, sizeof(text) - 1)

bool work_next(struct work *work, struct buffer *out, struct request *request)
{
    char cookie[COOKIE_LENGTH];
    *request = (struct request){NULL, 0, 1, 1};
    switch (work->kind) {
    case WORK_GET:
        APPEND(out, "GET ");
        buffer_append_cstr(out, work->path);
        APPEND(out, " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        return true;
    case WORK_LOOKUP:
        person_cookie(random_person(work), cookie);
        APPEND(out, "GET /api/user?cookie=");
        buffer_append(out, cookie, COOKIE_LENGTH);
        APPEND(out, " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        return true;
    case WORK_HGETALL:
        person_cookie(random_person(work), cookie);
        APPEND(out, "*2\r\n$7\r\nHGETALL\r\n$22\r\nu:");
        buffer_append(out, cookie, COOKIE_LENGTH);
        APPEND(out, "\r\n");
        return true;
    case WORK_PG_SELECT: {
        person_cookie(random_person(work), cookie);
        const char *value = cookie;
        size_t length = COOKIE_LENGTH;
        pg_bind_execute_sync(&value, &length, 1, out);
        return true;
    }
    case WORK_REDIS_PAGE:
        buffer_append_format(out, "*4\r\n$6\r\nZRANGE\r\n$%zu\r\n%s\r\n", strlen(work->path),
                             work->path);
        for (uint64_t edge = work->offset; edge <= work->offset + 99; edge += 99) {
            char digits[24];
            int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)edge);
            buffer_append_format(out, "$%d\r\n%s\r\n", length, digits);
        }
        return true;
    default: return next_prepared(work, request);
    }
}
