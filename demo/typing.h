/* typing.h: how people write things down: with slips, in capitals, with or without brackets.
 * Private to demo/.
 *
 * Each function writes at `to` and returns the end (not NUL-terminated unless said). Room is the
 * caller's business: what comes out is at most TYPED_MAX bytes. Threading: any. */
#ifndef KINDRED_DEMO_TYPING_H
#define KINDRED_DEMO_TYPING_H

#include "household.h"

enum { TYPED_MAX = 128 };

char *type_text(char *to, const char *text);
char *type_number(char *to, uint64_t value, int digits_min);

/* One slip of the kinds found in search logs (Damerau 1964: drop, double, swap, a wrong key), never
 * in a short word. */
char *type_interest(struct prng *prng, char *to, const char *phrase);

/* first.last42@example.com; ends in NUL; at most EMAIL_MAX with it. `unique` makes it one
 * person's. */
void type_email_address(struct prng *prng, const char *first_name, const char *last_name,
                        uint64_t unique, char to[EMAIL_MAX]);
char *type_email(struct prng *prng, char *to, const char *email);

/* (212) 555-0123, +1 212 555 0123, … */
char *type_phone(struct prng *prng, char *to, struct phone phone);

/* Ends in NUL. */
void type_postal_code(struct prng *prng, int style, const char *begins, char to[12]);

/* 2026-11-22T01:44:59.123Z */
char *type_timestamp(char *to, int64_t at_us);

#endif
