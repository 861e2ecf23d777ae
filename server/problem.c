#include "problem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "exchange.h"

uint16_t problem_status(err e)
{
    switch (e) {
    case ERR_OK: return 200;
    case ERR_INVALID:
    case ERR_END: return 400;
    case ERR_NOT_FOUND: return 404;
    case ERR_CONFLICT: return 409;
    case ERR_TOO_LARGE: return 413;
    case ERR_UNSUPPORTED: return 415;
    case ERR_DENIED: return 403;
    case ERR_BUSY:
    case ERR_STARTING:
    case ERR_STOPPING: return 503;
    case ERR_MEMORY:
    case ERR_NO_SPACE: return 507;
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_LOCKED: return 503;
    }
    return 500;
}

static void write_problem(struct exchange *x, uint16_t status, const char *code, const char *detail,
                          uint64_t position)
{
    reply_begin(x, status, "application/problem+json");
    if (status == 503 || status == 429) {
        reply_header(x, "Retry-After", SLICE_LITERAL("1"));
    } else if (status == 507) {
        reply_header(x, "Retry-After", SLICE_LITERAL("60"));
    } else if (status == 401) {
        reply_header(x, "WWW-Authenticate", SLICE_LITERAL("Bearer realm=\"kindred\""));
    } else if (status == 405) {
        char allow[64];
        routes_allow(x->request.path, allow);
        reply_header(x, "Allow", slice_from_cstr(allow));
    }
    struct json_writer *json = reply_body(x);
    json_object_begin(json);
    json_member_cstr(json, "type", "about:blank");
    json_member_cstr(json, "title", reply_reason(status));
    json_member_u64(json, "status", status);
    json_member_cstr(json, "code", code);
    json_member_cstr(json, "detail", detail);
    if (position > 0) {
        json_member_u64(json, "position", position);
    }
    json_object_end(json);
    reply_end(x);
}

void problem_reply(struct exchange *x, uint16_t status, const char *code, const char *format, ...)
{
    char detail[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    write_problem(x, status, code, detail, 0);
}

/* What exactly failed, with file names, is for whoever runs the server, not for its clients. Said
 * once in a while: a full disk fails every write. */
static void tell_operator(const struct error *error)
{
    enum { QUIET_S = 10 };
    static _Atomic int64_t next_us;
    int64_t now_us = clock_monotonic_us(&system_clock);
    int64_t due_us = atomic_load(&next_us);
    if (now_us >= due_us &&
        atomic_compare_exchange_strong(&next_us, &due_us, now_us + QUIET_S * 1000000ll)) {
        fprintf(stderr, "kindred serve: %s\n", error->message);
    }
}

static const char *storage_detail(err e)
{
    return e == ERR_NO_SPACE
               ? "The disk is full: nothing can be written until there is room; reads go on."
               : "Storage has failed; the server's log says how. Nothing more is accepted.";
}

void problem_from_error_as(struct exchange *x, uint16_t status, const struct error *error)
{
    if (err_class(error->err) == ERR_CLASS_STORAGE) {
        tell_operator(error);
        write_problem(x, status, err_name(error->err), storage_detail(error->err), 0);
        return;
    }
    write_problem(x, status, error->code[0] != '\0' ? error->code : err_name(error->err),
                  error->message, error->position);
}

void problem_from_error(struct exchange *x, const struct error *error)
{
    problem_from_error_as(x, problem_status(error->err), error);
}
