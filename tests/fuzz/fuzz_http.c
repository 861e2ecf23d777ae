/* Tries to break: the HTTP parser and its gate. The first byte of the input is how many cuts
 * follow, each a byte of distance; the rest is what a client sends. Cut or whole, the requests, the
 * bodies and the status must be the same. */
#include <stdlib.h>

#include "base/check.h"
#include "http_parser.h"

struct outcome {
    uint64_t sum; /* over all that was seen, in order */
    unsigned heads, ends, status;
};

static void add(struct outcome *outcome, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) {
        outcome->sum = outcome->sum * 1099511628211u + at[i] + 1;
    }
}

static void add_head(struct outcome *outcome, const struct http_request *request)
{
    outcome->heads++;
    CHECK(request->method != 0);
    CHECK(request->path.length > 0 && request->path.data[0] == '/');
    add(outcome, request->path.data, request->path.length);
    add(outcome, request->query.data, request->query.length);
    for (int i = 0; i < HEADER_COUNT; i++) {
        add(outcome, request->fields[i].data, request->fields[i].length);
    }
    CHECK(request->http_1_0 || request->fields[HEADER_HOST].length > 0);
    uint64_t flags = (uint64_t)request->method | (uint64_t)request->has_body << 8 |
                     (uint64_t)request->keep_alive << 9 | (uint64_t)request->chunked << 10;
    add(outcome, &flags, sizeof flags);
    add(outcome, &request->content_length, sizeof request->content_length);
}

/* Everything that can be taken of the bytes; false when nothing more may be fed. */
static bool take(struct http_parser *parser, char *buffer, size_t *length, struct outcome *outcome)
{
    size_t at = 0;
    bool goes_on = true;
    for (bool more = true; more;) {
        size_t used = 0;
        enum http_event event = http_parser_next(parser, buffer + at, *length - at, &used);
        CHECK(used <= *length - at);
        at += used;
        if (event == EVENT_HEAD) {
            CHECK(used > 0 && used <= HTTP_HEAD_BYTES_MAX + 64);
            add_head(outcome, &parser->request);
            goes_on = more = parser->request.keep_alive || parser->request.has_body;
        } else if (event == EVENT_BODY || event == EVENT_END) {
            add(outcome, parser->body.data, parser->body.length);
            outcome->ends += event == EVENT_END;
            goes_on = more = event == EVENT_BODY || parser->request.keep_alive;
        } else if (event == EVENT_ERROR) {
            CHECK(parser->status >= 400 && parser->code != NULL && parser->detail != NULL);
            size_t again = 0;
            CHECK(http_parser_next(parser, buffer, 0, &again) == EVENT_ERROR);
            outcome->status = parser->status;
            goes_on = more = false;
        } else {
            more = false;
        }
    }
    memmove(buffer, buffer + at, *length - at);
    *length -= at;
    return goes_on;
}

static struct outcome run(const uint8_t *data, size_t size, const uint8_t *cuts, size_t cut_count)
{
    struct outcome outcome = {0};
    struct http_parser parser;
    http_parser_init(&parser);
    char *buffer = malloc(size + 1);
    size_t fed = 0;
    size_t have = 0;
    bool goes_on = true;
    for (size_t i = 0; i <= cut_count && goes_on; i++) {
        size_t piece = i < cut_count ? cuts[i] : size;
        piece = piece < size - fed ? piece : size - fed;
        memcpy(buffer + have, data + fed, piece);
        have += piece;
        fed += piece;
        goes_on = take(&parser, buffer, &have, &outcome);
    }
    free(buffer);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size < 1u + data[0]) {
        return 0;
    }
    const uint8_t *cuts = data + 1;
    size_t cut_count = data[0];
    data += 1 + cut_count;
    size -= 1 + cut_count;
    struct outcome whole = run(data, size, NULL, 0);
    struct outcome parts = run(data, size, cuts, cut_count);
    CHECK(whole.sum == parts.sum && whole.heads == parts.heads && whole.ends == parts.ends);
    CHECK(whole.status == parts.status);
    return 0;
}
