/* Tries to break: the parser and its gate: every outcome must be the same wherever the input is cut
 * in two. */
#include "base/check.h"
#include "http_parser.h"
#include "unit/test.h"

#include <stdlib.h>

/* What a run over the input gave, as one comparable thing. */
struct outcome {
    unsigned heads;
    unsigned ends;
    size_t body_bytes;
    uint64_t body_sum; /* order counts */
    unsigned status;
    enum http_method last_method;
};

static void add_body(struct outcome *outcome, struct slice body)
{
    outcome->body_bytes += body.length;
    for (size_t i = 0; i < body.length; i++) {
        outcome->body_sum = outcome->body_sum * 31 + (unsigned char)body.data[i];
    }
}

/* Feeds what there is; false when nothing more is to come of it (error, or the connection ends). */
static bool take(struct http_parser *parser, char *buffer, size_t *length, struct outcome *outcome)
{
    size_t at = 0;
    bool goes_on = true;
    for (bool more = true; more;) {
        size_t used = 0;
        switch (http_parser_next(parser, buffer + at, *length - at, &used)) {
        case EVENT_NEED_MORE: more = false; break;
        case EVENT_HEAD:
            outcome->heads++;
            outcome->last_method = parser->request.method;
            goes_on = parser->request.keep_alive || parser->request.has_body;
            more = goes_on;
            break;
        case EVENT_BODY: add_body(outcome, parser->body); break;
        case EVENT_END:
            outcome->ends++;
            add_body(outcome, parser->body);
            goes_on = more = parser->request.keep_alive;
            break;
        case EVENT_ERROR:
            outcome->status = parser->status;
            goes_on = more = false;
            break;
        }
        at += used;
    }
    memmove(buffer, buffer + at, *length - at);
    *length -= at;
    return goes_on;
}

static struct outcome run_cut(struct slice input, size_t cut)
{
    struct outcome outcome = {0};
    struct http_parser parser;
    http_parser_init(&parser);
    char *buffer = malloc(input.length + 1);
    size_t have = cut;
    memcpy(buffer, input.data, cut);
    if (take(&parser, buffer, &have, &outcome)) {
        memcpy(buffer + have, input.data + cut, input.length - cut);
        have += input.length - cut;
        (void)take(&parser, buffer, &have, &outcome);
    }
    free(buffer);
    return outcome;
}

/* The outcome of the whole, after it was seen to be that of every cut. */
static struct outcome run(const char *text, size_t length)
{
    struct slice input = slice_of(text, length);
    struct outcome whole = run_cut(input, length);
    for (size_t cut = 0; cut < length; cut++) {
        struct outcome parts = run_cut(input, cut);
        EXPECT(memcmp(&parts, &whole, sizeof whole) == 0,
               ": cut at %zu: status %u not %u, heads %u not %u, body %zu not %zu", cut,
               parts.status, whole.status, parts.heads, whole.heads, parts.body_bytes,
               whole.body_bytes);
    }
    return whole;
}
#define OUTCOME(text) run(text, sizeof(text) - 1)
#define POST          "POST /x HTTP/1.1\r\nHost: a\r\n"

static void test_requests(void)
{
    struct outcome o = OUTCOME("GET /a?b=c HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 1\r\n\r\n");
    EXPECT(o.heads == 1 && o.ends == 0 && o.status == 0 && o.last_method == METHOD_GET);
    o = OUTCOME("GET /a HTTP/1.1\r\nHost: x\r\n\r\n" POST
                "Content-Length: 3\r\n\r\nabcDELETE /c HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(o.heads == 3 && o.ends == 1 && o.body_bytes == 3 && o.status == 0 &&
           o.last_method == METHOD_DELETE);
    o = OUTCOME(
        POST
        "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: v\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(o.heads == 2 && o.ends == 1 && o.body_bytes == 7 && o.status == 0 &&
           o.last_method == METHOD_HEAD);
    o = OUTCOME("\r\n\r\nPUT / HTTP/1.0\r\n\r\n");
    EXPECT(o.heads == 1 && o.status == 0);
    o = OUTCOME(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(o.heads == 1 && o.status == 0);
    o = OUTCOME(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(o.heads == 2 && o.status == 0);
}

static void test_refusals(void)
{
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: \r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", 505},
        {"OPTIONS * RTSP/1.0\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400},
        {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
        {POST "Content-Length: +1\r\n\r\na", 400},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {POST "Expect: more\r\nContent-Length: 1\r\n\r\na", 417},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct outcome o = run(rows[i].text, strlen(rows[i].text));
        EXPECT(o.status == rows[i].status, ": %u, not %u, for %s", o.status, rows[i].status,
               rows[i].text);
    }
    EXPECT(OUTCOME("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n").status == 400);
}

/* A request line, `count` fields "A: b", and one of `value` bytes. */
static unsigned status_of(size_t path, size_t count, size_t value)
{
    static char text[200000];
    size_t at = 0;
    memcpy(text, "GET /", 5);
    memset(text + 5, 'p', path - 1);
    at = 4 + path;
    at += (size_t)snprintf(text + at, sizeof text - at, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 1; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "A: b\r\n");
    }
    if (value > 0) {
        at += (size_t)snprintf(text + at, sizeof text - at, "V: ");
        memset(text + at, 'v', value);
        at += value;
        at += (size_t)snprintf(text + at, sizeof text - at, "\r\n");
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "\r\n");
    static const size_t pieces[] = {1, 7, 1000, 65536, 200000};
    unsigned status = 0;
    for (size_t p = 0; p < ARRAY_COUNT(pieces); p++) {
        struct http_parser parser;
        http_parser_init(&parser);
        enum http_event event = EVENT_NEED_MORE;
        for (size_t have = 0; have < at && event == EVENT_NEED_MORE;) {
            size_t used = 0;
            have = have + pieces[p] < at ? have + pieces[p] : at;
            event = http_parser_next(&parser, text, have, &used);
        }
        unsigned this_status = event == EVENT_ERROR ? parser.status : event == EVENT_HEAD ? 200 : 0;
        EXPECT(p == 0 || this_status == status, ": pieces of %zu: %u, not %u", pieces[p],
               this_status, status);
        status = this_status;
    }
    return status;
}

static void test_limits(void)
{
    /* "GET " + path + " HTTP/1.1" */
    EXPECT(status_of(HTTP_REQUEST_LINE_MAX - 13, 1, 0) == 200);
    EXPECT(status_of(HTTP_REQUEST_LINE_MAX - 12, 1, 0) == 414);
    EXPECT(status_of(HTTP_REQUEST_LINE_MAX * 2, 1, 0) == 414);
    EXPECT(status_of(1, HTTP_HEADERS_COUNT_MAX, 0) == 200);
    EXPECT(status_of(1, HTTP_HEADERS_COUNT_MAX + 1, 0) == 431);
    EXPECT(status_of(1, 1, HTTP_HEADERS_BYTES_MAX - 20) == 200);
    EXPECT(status_of(1, 1, HTTP_HEADERS_BYTES_MAX) == 431);
    EXPECT(status_of(1, 1, 100000) == 431);
}

static void test_fields(void)
{
    struct http_parser parser;
    http_parser_init(&parser);
    char text[] =
        "PATCH /api/user?email=a HTTP/1.1\r\nHost: h:1\r\nif-match: \"x\"\r\nIDEMPOTENCY-KEY:  k  \r\nContent-Type: t\r\n"
        "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello";
    size_t used = 0;
    REQUIRE(http_parser_next(&parser, text, sizeof text - 1, &used) == EVENT_HEAD);
    const struct http_request *request = &parser.request;
    EXPECT(slice_equal_cstr(request->path, "/api/user") &&
           slice_equal_cstr(request->query, "email=a"));
    EXPECT(slice_equal_cstr(request->fields[HEADER_HOST], "h:1"));
    EXPECT(slice_equal_cstr(request->fields[HEADER_IF_MATCH], "\"x\""));
    EXPECT(slice_equal_cstr(request->fields[HEADER_IDEMPOTENCY_KEY], "k"), ": '%.*s'",
           SLICE_ARGS(request->fields[HEADER_IDEMPOTENCY_KEY]));
    EXPECT(request->fields[HEADER_ORIGIN].data == NULL);
    EXPECT(request->has_body && request->content_length == 5 && request->expects_continue &&
           request->keep_alive);
    size_t head = used;
    REQUIRE(http_parser_next(&parser, text + head, sizeof text - 1 - head, &used) == EVENT_END);
    EXPECT(slice_equal_cstr(parser.body, "hello") && used == 5 && http_parser_idle(&parser));
}

int main(void)
{
    RUN(test_requests);
    RUN(test_refusals);
    RUN(test_limits);
    RUN(test_fields);
    return test_summary();
}
