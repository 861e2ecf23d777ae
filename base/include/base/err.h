/* err.h: the one error type.
 *
 * A function that can fail returns `err`; 0 is success. Details travel in an optional `struct
 * error` that the caller owns: a stable code word, a message for a person (what is wrong and what
 * to do next), and a position (byte offset, line or log sequence, as the function says). Messages
 * name the field and the rule, never the customer's value: they are stored and logged.
 *
 * Four classes, in this order (err_class tells which):
 *   the client's fault   4xx
 *   busy                 429 or 503 with Retry-After
 *   storage is gone      fail-stop, or read-only when only space is missing (507)
 *   (a bug is a CHECK, not an err)
 * The mapping to HTTP lives in server/problem.c and nowhere else.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_ERR_H
#define KINDRED_BASE_ERR_H

#include <stdint.h>

#include "base/check.h"

typedef enum err {
    ERR_OK = 0,
    /* The client's fault. */
    ERR_INVALID,     /* malformed or against a rule */
    ERR_NOT_FOUND,   /* nothing there */
    ERR_CONFLICT,    /* exists, or If-Match failed */
    ERR_TOO_LARGE,   /* over a documented limit */
    ERR_UNSUPPORTED, /* a format, version or method this build does not speak */
    ERR_DENIED,      /* no key, or a key without the right */
    ERR_END,         /* no more input; not a failure for readers that loop */
    /* Busy. */
    ERR_BUSY,     /* a queue is at its maximum */
    ERR_STARTING, /* recovering; progress is in the message */
    ERR_STOPPING, /* shutting down */
    ERR_MEMORY,   /* an allocation failed or the memory cap is reached */
    /* Storage is gone. */
    ERR_NO_SPACE, /* the disk is full: reads go on, writes answer 507 */
    ERR_IO,       /* a read, write or sync failed: fail-stop */
    ERR_CORRUPT,  /* stored bytes are not what was written: refuse, name the place */
    ERR_LOCKED,   /* another process holds the data folder */
} err;

enum err_class { ERR_CLASS_NONE, ERR_CLASS_CLIENT, ERR_CLASS_BUSY, ERR_CLASS_STORAGE };

enum { ERROR_CODE_MAX = 40, ERROR_MESSAGE_MAX = 280 };

struct error {
    err err;
    char code[ERROR_CODE_MAX];       /* stable, lower snake case: "email_invalid" */
    char message[ERROR_MESSAGE_MAX]; /* one sentence, UTF-8 */
    uint64_t position;               /* what it counts is said by who fills it; 0 when unknown */
};

enum err_class err_class(err e);

/* The code word of an err when nothing more precise is known: "invalid", "not_found", ...
 * Static. */
const char *err_name(err e);

/* Fills *out (may be NULL) and returns e, so that `return error_set(...)` reads well.
 * A message that does not fit is cut at a UTF-8 boundary. */
err error_set(struct error *out, err e, const char *code, uint64_t position, const char *format,
              ...) PRINTF_LIKE(5, 6);

/* ERR_NO_SPACE for ENOSPC/EDQUOT, ERR_MEMORY for ENOMEM, ERR_IO otherwise. The message names
 * `operation`, `path` and the system's own words. */
err error_set_errno(struct error *out, int system_errno, const char *operation, const char *path);

#endif
