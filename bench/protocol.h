/* protocol.h: where does one answer end, and was it a good one? HTTP/1.1, RESP 2, PostgreSQL 3.
 *
 * As little work as possible: the generator must not be what is measured.
 *
 * Threading: any; no state. */
#ifndef KINDRED_BENCH_PROTOCOL_H
#define KINDRED_BENCH_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

enum protocol { PROTOCOL_HTTP, PROTOCOL_REDIS, PROTOCOL_POSTGRES };

/* Bytes of the first answer in `data`; 0 when it is not whole yet; -1 when this is not the
 * protocol. *good: a 2xx, no error reply, no ErrorResponse; for reads also that something was
 * found. */
long protocol_answer(enum protocol protocol, const char *data, size_t length, bool *good);

#endif
