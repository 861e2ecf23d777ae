/* http_parser.h: bytes of a connection ─▶ requests. llhttp (strict) with a gate for what it lets through.
 *
 *   input ─http_parser_next─▶ HEAD ─▶ (BODY …) END ─▶ HEAD …
 *                │               └ without a body there is no END: the next call begins the next request
 *                └─▶ NEED_MORE | ERROR (status, code, detail; once, and for good)
 *
 * A head is parsed in place: the caller keeps all bytes of a head until it is complete, and hands
 * them in again with the new ones behind them (at another address if it likes). What was fed
 * already is not parsed again. Body bytes are decoded in place: the chunk framing is squeezed out,
 * so the input must be writable.
 *
 * Answered here, beyond llhttp's own rules (RFC 9112; every row has a test in
 * tests/http/test_abuse.py):
 *   400  Host missing on HTTP/1.1, doubled or malformed; a doubled field that must be single;
 *        Transfer-Encoding on HTTP/1.0 or twice; absolute-form (this is no proxy), asterisk-form; a
 *        request method or line llhttp cannot read
 *   414  request line over 8 KiB
 *   431  header section over 32 KiB or over 100 fields (trailers too)
 *   417  an Expect that is not 100-continue
 *   501  CONNECT, methods outside the usual nine, transfer codings other than chunked
 *   505  HTTP/2 preface, HTTP/0.9, 2.0 and so on
 * `Upgrade` (h2c, websocket) is ignored, as RFC 9110 7.8 allows: the request is answered in
 * HTTP/1.1. The outcome depends on the bytes only, never on how the network cut them.
 *
 * Threading: one thread at a time. No heap. */
#ifndef KINDRED_SERVER_HTTP_PARSER_H
#define KINDRED_SERVER_HTTP_PARSER_H

#include <llhttp.h>

#include "base/slice.h"

enum {
    HTTP_REQUEST_LINE_MAX = 8 * 1024,
    HTTP_HEADERS_BYTES_MAX = 32 * 1024,
    HTTP_HEADERS_COUNT_MAX = 100,
    HTTP_HEAD_BYTES_MAX = HTTP_REQUEST_LINE_MAX + HTTP_HEADERS_BYTES_MAX,
};

enum http_method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_PATCH = 16,
    METHOD_DELETE = 32,
    METHOD_OTHER = 64, /* OPTIONS, TRACE: known words that no route has */
};
const char *http_method_name(enum http_method method);

/* The fields that Kindred reads. */
enum http_header {
    HEADER_HOST,
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_ENCODING,
    HEADER_EXPECT,
    HEADER_IF_MATCH,
    HEADER_IF_NONE_MATCH,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_ORIGIN,
    HEADER_TRANSFER_ENCODING,
    HEADER_COUNT,
};

struct http_request {
    enum http_method method;
    struct slice path;                 /* as sent, up to the first '?' */
    struct slice query;                /* behind the '?'; SLICE_NONE when there is none */
    struct slice fields[HEADER_COUNT]; /* SLICE_NONE when absent */
    uint64_t content_length;           /* with has_body and not chunked */
    bool has_body;
    bool chunked;
    bool keep_alive;
    bool http_1_0;
    bool expects_continue;
};

enum http_event { EVENT_NEED_MORE, EVENT_HEAD, EVENT_BODY, EVENT_END, EVENT_ERROR };

struct http_span {
    uint32_t at; /* from the start of the head */
    uint32_t length;
};

struct http_parser {
    llhttp_t llhttp;
    const char *base;    /* input of the running call */
    size_t fed;          /* bytes of the head that llhttp has seen */
    uint32_t headers_at; /* end of the request line; 0: not there yet */
    uint32_t header_count;
    uint32_t trailer_bytes;
    uint32_t extension_bytes;
    struct http_span target;
    struct http_span name; /* the field being read */
    struct http_span value;
    struct http_span fields[HEADER_COUNT];
    uint32_t fields_seen; /* bit per enum http_header */
    bool in_body;
    bool finished; /* on_message_complete was here */
    bool head_complete;
    char *decoded; /* where the next body bytes go */
    /* ---- for the caller ---- */
    struct http_request request; /* after HEAD; slices point into that call's input */
    struct slice body;           /* after BODY and END */
    uint16_t status;             /* after ERROR */
    const char *code;
    const char *detail;
};

void http_parser_init(struct http_parser *parser);

/* *consumed says how many bytes the caller may drop: 0 with NEED_MORE inside a head, the whole head
 * with HEAD. */
enum http_event http_parser_next(struct http_parser *parser, char *input, size_t length,
                                 size_t *consumed);

/* True between requests, when not one byte of the next has been seen. */
bool http_parser_idle(const struct http_parser *parser);

#endif
