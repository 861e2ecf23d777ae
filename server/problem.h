/* problem.h: errors as RFC 9457 application/problem+json, and the one place where an err becomes a
 * status.
 *
 *   {"type": "about:blank", "title": "Not Found", "status": 404, "code": "user_not_found",
 *   "detail": "…", "position": 12}
 *
 * `code` is stable, for programs; `detail` is for people and may change. `position` is there when
 * something in the request can be pointed at.
 *
 * Threading: as exchange.h. */
#ifndef KINDRED_SERVER_PROBLEM_H
#define KINDRED_SERVER_PROBLEM_H

#include "base/err.h"

struct exchange;

uint16_t problem_status(err e);

void problem_reply(struct exchange *x, uint16_t status, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Status by error->err, and its code, message and position. */
void problem_from_error(struct exchange *x, const struct error *error);
/* The same, under another status than the err's usual one. */
void problem_from_error_as(struct exchange *x, uint16_t status, const struct error *error);

#endif
