/* population.h: a made-up population as a stream of ingest records.
 *
 *   (seed, people, epoch) ─▶ households ─▶ people ─▶ devices, e-mail, phone, interests ─▶ records
 *
 * Nobody in it exists, but it is shaped like customers: a person has several devices, signs in now
 * and then, types the phone number differently each time and misspells what they like; households
 * share an address, a telephone, a computer, now and then an e-mail address. Records of many people
 * come interleaved, some come late, some come twice.
 *
 *   - The same arguments give the same bytes, on every machine: no clock, no locale, no floating-point functions.
 *   - E-mail addresses lie under names reserved by RFC 2606 (example.com, *.example). Telephone numbers start at the range that
 *     a country keeps for fiction, where it has one, and go on behind it when a city has more people than that.
 *   - Two people never have an identifier in common, except what a household shares.
 *
 * Threading: one thread at a time; one population a thread. Memory: under 1 MiB whatever `people`
 * is. */
#ifndef KINDRED_DEMO_POPULATION_H
#define KINDRED_DEMO_POPULATION_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

enum population_format { POPULATION_NDJSON, POPULATION_CSV };

enum { POPULATION_PEOPLE_MAX = 100000000, POPULATION_RECORD_MAX_BYTES = 4096 };

struct population;

/* epoch_us: microseconds since 1970 UTC; timestamps lie in the 18 months before it. people is 1 to
 * POPULATION_PEOPLE_MAX; they are numbered from 0. Owned by caller; NULL when memory is out. */
struct population *population_create(uint64_t seed, uint32_t people, int64_t epoch_us,
                                     enum population_format format) MUST_USE;
void population_destroy(struct population *population);

/* The header line that goes before CSV rows. */
void population_csv_header(struct buffer *out);

/* Appends one record with its line end: a JSON object, or a CSV row. ERR_END when everybody has had
 * all of theirs (about five a person); ERR_MEMORY when `out` could not take a whole record, and it
 * can be asked again. */
err population_next(struct population *population, struct buffer *out) MUST_USE;

/* ---- the truth, to compare identity resolution with: about the record appended last ---- */

/* Who it is about. */
uint32_t population_last_person(const struct population *population);
/* The same, except that people who share one e-mail address count as the first of them: nobody who
 * sees only the data can tell them apart. What is left to find is everything but devices that never
 * sign in: those are people of their own. */
uint32_t population_last_account(const struct population *population);
/* People with the same number live at one address. */
uint32_t population_last_household(const struct population *population);

#endif
