/* people.h: the people of the benchmark, each a function of a number.
 *
 *   number i ─▶ cookie, e-mail, phone, place, demographics, interests, cohorts
 *
 * All cookies, e-mails and phones are distinct and look random, so a lookup of a random i touches
 * random memory on every side. The same person is written as JSON for Kindred, as Redis commands,
 * and as parameters for PostgreSQL.
 *
 * Interests: one to four of eighty frequent ones, the first of a list far more often than the last;
 * and one person in 32 has one of 8,000 rare ones, of which the classifier knows some and others
 * not: they are what makes the table of phrases grow.
 *
 * Cohorts are part of what the peers are given. What an interest leads to is Kindred's own answer
 * (POST /api/classify), read from a file; without one nobody is in any cohort. Kindred itself works
 * them out from the interests once more, and bench/run.py checks that it comes to the same sizes.
 *
 * Threading: people_read_cohorts first, then any. */
#ifndef KINDRED_BENCH_PEOPLE_H
#define KINDRED_BENCH_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"

enum {
    COOKIE_LENGTH = 20,
    INTEREST_BYTES_MAX = 48,
    PERSON_INTERESTS_MAX = 5,
    COHORT_NAMES_MAX = 64,
    PERSON_COHORTS_MAX = 30,
    GROWN_UP_AGE = 21, /* of 18 to 87: the cohort that nearly everybody is in, for deep pages */
};

struct person {
    char cookie[COOKIE_LENGTH + 1];
    char email[64];
    char phone[16];
    const char *city, *state, *country;
    unsigned age;
    const char *gender, *income, *education;
    const char *interests[PERSON_INTERESTS_MAX];
    unsigned interest_count;
    const char *cohorts[PERSON_COHORTS_MAX];
    unsigned cohort_count;
    char rare_interest[INTEREST_BYTES_MAX];
};

/* splitmix64's finaliser (Steele, Lea, Flood 2014): a bijection. */
static inline uint64_t mix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Every interest that anybody may have, one a line. */
void people_write_interests(FILE *out);
/* The same lines, each followed by the cohorts it leads to, tabs between; false: it is not such a
 * file. */
bool people_read_cohorts(FILE *in);

/* 20 characters, no NUL. */
void person_cookie(uint64_t i, char out[COOKIE_LENGTH]);
void person_make(uint64_t i, struct person *out);

/* One JSON object as the mission's example has it. */
void person_write_json(const struct person *person, struct buffer *out);
/* A row of a table as a shop's back office exports it, with 41 columns, dates and amounts as people
 * write them; and its header. */
void person_write_table_head(struct buffer *out);
void person_write_table_row(uint64_t i, const struct person *person, struct buffer *out);
/* HSET of the fields, SADD of each cohort, SET of the two index keys; returns how many replies they
 * will get. */
unsigned person_write_redis(const struct person *person, struct buffer *out);
/* ZADD "z:Grown-ups" i cookie for those of that age: what paging in a stable order needs; returns
 * how many replies. */
unsigned person_write_redis_sorted(uint64_t i, const struct person *person, struct buffer *out);
/* Tab-separated line of COPY's text format, in the order of the table's columns. */
void person_write_copy(const struct person *person, struct buffer *out);
/* The same columns as parameters of a prepared statement: Bind, Execute, Sync. */
void person_write_upsert(const struct person *person, struct buffer *out);

/* Pieces of PostgreSQL's wire protocol (version 3), also used by work.c and load.c. */
void pg_append_u32(struct buffer *out, uint32_t value);
void pg_bind_execute_sync(const char *const *values, const size_t *lengths, unsigned count,
                          struct buffer *out);

#endif
