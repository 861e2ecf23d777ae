/* work.h: what the load generator asks for. One kind of work is one row's side of the table.
 *
 *   get           GET of a fixed path
 *   lookup        GET /api/user?cookie=…, a random person
 *   hgetall       HGETALL u:<cookie>, a random person
 *   pg-select     SELECT … WHERE cookie = $1, prepared, a random person
 *   ingest        POST /api/ingest, per_body records a body, people first .. first + count - 1 once each
 *   ingest-table  POST of the path given, per_body rows of a wide table packed by gzip
 *   redis-ingest  the same people as HSET, SADD, SET, SET; per_body people a pipeline
 *   redis-sorted  the grown-ups among the same people as ZADD, for paging
 *   pg-upsert     the same people as prepared upserts, one a transaction
 *   pg-copy       the same people by COPY into a temporary table and one INSERT … SELECT … ON CONFLICT a body
 *   redis-page    ZRANGE of 100 at an offset, then 100 HGETALL in one pipeline
 *
 * Threading: one thread. */
#ifndef KINDRED_BENCH_WORK_H
#define KINDRED_BENCH_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "protocol.h"

enum work_kind {
    WORK_GET,
    WORK_LOOKUP,
    WORK_HGETALL,
    WORK_PG_SELECT,
    WORK_INGEST,
    WORK_INGEST_TABLE,
    WORK_REDIS_INGEST,
    WORK_REDIS_SORTED,
    WORK_PG_UPSERT,
    WORK_PG_COPY,
    WORK_REDIS_PAGE,
    WORK_KIND_COUNT,
};

struct work {
    enum work_kind kind;
    const char *path; /* get, ingest-table; redis-page: the key of the sorted set */
    uint64_t people;  /* lookups go over 0 .. people - 1 */
    uint64_t offset;  /* redis-page */
    uint64_t first, count, per_body;
    /* finite works: not count people but the first so many, over and over; 0: everybody once */
    uint64_t again;
    uint64_t random; /* state */
    /* prepared requests, so that making them costs nothing while measuring */
    struct buffer bytes;
    size_t *ends;
    uint32_t *answers;
    uint64_t prepared_count, next;
};

struct request {
    const char *prepared; /* NULL: the bytes were appended to `out` */
    size_t prepared_length;
    uint32_t answers; /* how many will come back */
    uint32_t units;   /* records or people in it */
};

bool work_kind_parse(const char *name, enum work_kind *kind);
enum protocol work_protocol(enum work_kind kind);
/* Is it over when everybody was sent once? */
bool work_is_finite(enum work_kind kind);
/* False, with a message on stderr, when memory is out. */
bool work_prepare(struct work *work);
/* False: nothing is left. */
bool work_next(struct work *work, struct buffer *out, struct request *request);
/* SQL for the statement "s" of the postgres works. */
const char *work_sql(enum work_kind kind);

#endif
