/* reply.c: the bytes of an answer, written in one pass: Content-Length's digits are filled in when
 * the body is there. */
#include "problem.h"
#include "worker.h"

enum { LENGTH_DIGITS = 10 };

const char *reply_reason(uint16_t status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
    }
}

#define APPEND(out, text) buffer_append(out, text, sizeof(text) - 1)

const char reply_json_type[] = "application/json";

static void status_line(struct buffer *out, uint16_t status)
{
    APPEND(out, "HTTP/1.1 ");
    buffer_append_u64(out, status);
    buffer_append_char(out, ' ');
    buffer_append_cstr(out, reply_reason(status));
    APPEND(out, "\r\n");
}

void reply_begin(struct exchange *x, uint16_t status, const char *content_type)
{
    CHECK(!x->reply.complete);
    /* The request may have come before the server was told to stop. */
    x->close_after |= atomic_load_explicit(&x->worker->stopping, memory_order_relaxed) != 0;
    x->reply = (struct reply){.start = x->out->length, .status = status, .begun = true};
    const struct worker *worker = x->worker;
    if (status == 200 && content_type == reply_json_type) {
        buffer_append(x->out, worker->head, worker->head_length);
    } else {
        status_line(x->out, status);
        buffer_append(x->out, worker->head + worker->date_at, worker->date_length);
        if (content_type != NULL) {
            APPEND(x->out, "Content-Type: ");
            buffer_append_cstr(x->out, content_type);
            APPEND(x->out, "\r\n");
        }
    }
    if (x->close_after) {
        APPEND(x->out, "Connection: close\r\n");
    } else if (x->request.http_1_0) {
        APPEND(x->out, "Connection: keep-alive\r\n");
    }
}

void reply_header(struct exchange *x, const char *name, struct slice value)
{
    buffer_append_cstr(x->out, name);
    APPEND(x->out, ": ");
    buffer_append_slice(x->out, value);
    APPEND(x->out, "\r\n");
}

struct json_writer *reply_body(struct exchange *x)
{
    APPEND(x->out, "Content-Length: ");
    x->reply.length_at = x->out->length;
    /* White space before a field's value means nothing (RFC 9110 5.5), so the digits need no
     * moving. */
    APPEND(x->out, "          \r\n\r\n");
    x->reply.body_at = x->out->length;
    x->reply.json = json_writer_of(x->out);
    return &x->reply.json;
}

struct json_writer *reply_json(struct exchange *x, uint16_t status)
{
    reply_begin(x, status, reply_json_type);
    return reply_body(x);
}

/* Right-aligned in the room that was left for it. */
static void fill_in_length(char *digits, size_t length)
{
    size_t at = LENGTH_DIGITS;
    do {
        CHECK(at > 0);
        digits[--at] = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
}

/* The buffer's maximum or the heap was reached in the middle: nothing half-written may leave. */
static void replace_by_failure(struct exchange *x)
{
    x->out->failed = false;
    x->out->length = x->reply.start;
    x->close_after = true;
    problem_reply(x, 507, "out_of_memory",
                  "There was no memory for the answer. Ask for less at once (limit).");
}

void reply_end(struct exchange *x)
{
    if (x->out->failed) {
        CHECK(x->out->length > 0 || x->reply.start == 0);
        bool had_room =
            x->out->data != NULL && x->reply.body_at > 0 && x->reply.body_at <= x->out->length;
        if (had_room) {
            replace_by_failure(x);
            return;
        }
        /* Not even a head fits: the connection ends without an answer. */
        x->out->failed = false;
        x->out->length = x->reply.start <= x->out->length ? x->reply.start : x->out->length;
        x->close_after = true;
        x->reply.complete = true;
        return;
    }
    CHECK(x->reply.body_at > 0);
    fill_in_length(x->out->data + x->reply.length_at, x->out->length - x->reply.body_at);
    if (x->request.method == METHOD_HEAD) {
        x->out->length = x->reply.body_at;
    }
    x->reply.complete = true;
}

void reply_end_without_body(struct exchange *x)
{
    CHECK(x->reply.begun && x->reply.body_at == 0);
    APPEND(x->out, "\r\n");
    x->reply.complete = true;
}
