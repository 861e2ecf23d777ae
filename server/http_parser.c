#include "http_parser.h"

static const struct {
    const char *name;
    size_t length;
} field_names[HEADER_COUNT] = {
#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    [HEADER_HOST] = NAME("host"),
    [HEADER_AUTHORIZATION] = NAME("authorization"),
    [HEADER_CONTENT_TYPE] = NAME("content-type"),
    [HEADER_CONTENT_ENCODING] = NAME("content-encoding"),
    [HEADER_EXPECT] = NAME("expect"),
    [HEADER_IF_MATCH] = NAME("if-match"),
    [HEADER_IF_NONE_MATCH] = NAME("if-none-match"),
    [HEADER_IDEMPOTENCY_KEY] = NAME("idempotency-key"),
    [HEADER_ORIGIN] = NAME("origin"),
    [HEADER_TRANSFER_ENCODING] = NAME("transfer-encoding"),
#undef NAME
};

enum { EXTENSION_BYTES_MAX = 4096 };

const char *http_method_name(enum http_method method)
{
    switch (method) {
    case METHOD_GET: return "GET";
    case METHOD_HEAD: return "HEAD";
    case METHOD_POST: return "POST";
    case METHOD_PUT: return "PUT";
    case METHOD_PATCH: return "PATCH";
    case METHOD_DELETE: return "DELETE";
    case METHOD_OTHER: break;
    }
    return "OTHER";
}

/* ---- refusing ------------------------------------------------------------------------------- */

/* The first reason counts. Returns what makes llhttp stop. */
static int refuse(struct http_parser *parser, uint16_t status, const char *code, const char *detail)
{
    if (parser->status == 0) {
        parser->status = status;
        parser->code = code;
        parser->detail = detail;
    }
    return HPE_USER;
}

/* `offset` is how far into the head parsing got. Called wherever it moves on, so that a head over
 * the limit gets the same status whether it came in one piece or in many. */
static int check_head_size(struct http_parser *parser, size_t offset)
{
    if (parser->headers_at == 0) {
        if (offset > HTTP_REQUEST_LINE_MAX) {
            return refuse(parser, 414, "request_line_too_long", "The request line is over 8 KiB.");
        }
    } else if (offset - parser->headers_at > HTTP_HEADERS_BYTES_MAX) {
        return refuse(parser, 431, "headers_too_large", "The header section is over 32 KiB.");
    }
    return 0;
}

/* ---- llhttp's callbacks
 * --------------------------------------------------------------------------- */

static struct http_parser *parser_of(llhttp_t *llhttp)
{
    return (struct http_parser *)llhttp->data;
}

static void extend(struct http_parser *parser, struct http_span *span, const char *at,
                   size_t length)
{
    if (span->length == 0) {
        span->at = (uint32_t)(at - parser->base);
    }
    span->length += (uint32_t)length;
}

static int on_span(struct http_parser *parser, struct http_span *span, const char *at,
                   size_t length)
{
    int code = check_head_size(parser, (size_t)(at - parser->base) + length);
    if (code == 0) {
        extend(parser, span, at, length);
    }
    return code;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = parser_of(llhttp);
    return on_span(parser, &parser->target, at, length);
}

static int on_protocol(llhttp_t *llhttp, const char *at, size_t length)
{
    /* llhttp also reads RTSP and ICE request lines; their first letters differ. */
    struct http_parser *parser = parser_of(llhttp);
    if (length > 0 && *at != 'H' && *at != 'T' && *at != 'P') {
        return refuse(parser, 400, "protocol_unknown", "Only HTTP is spoken here.");
    }
    return check_head_size(parser, (size_t)(at - parser->base) + length);
}

static int on_version(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = parser_of(llhttp);
    int code = check_head_size(parser, (size_t)(at - parser->base) + length);
    if (code == 0) {
        parser->name = (struct http_span){0, 0};
        /* Pieces of "1.1" may come one by one: the last one sets the mark. */
        extend(parser, &parser->value, at, length);
    }
    return code;
}

static int on_version_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = parser_of(llhttp);
    parser->headers_at = parser->value.at + parser->value.length;
    parser->value = (struct http_span){0, 0};
    bool known = llhttp->http_major == 1 && llhttp->http_minor <= 1;
    return known ? 0 : refuse(parser, 505, "http_version_unsupported", "Speak HTTP/1.1 (or 1.0).");
}

static int count_trailer(struct http_parser *parser, size_t length)
{
    parser->trailer_bytes += (uint32_t)length;
    if (parser->trailer_bytes > HTTP_HEADERS_BYTES_MAX) {
        return refuse(parser, 431, "headers_too_large", "The trailer section is over 32 KiB.");
    }
    return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = parser_of(llhttp);
    if (parser->in_body) {
        return count_trailer(parser, length);
    }
    return on_span(parser, &parser->name, at, length);
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = parser_of(llhttp);
    if (parser->in_body) {
        return count_trailer(parser, length);
    }
    return on_span(parser, &parser->value, at, length);
}

static int known_field(struct slice name)
{
    for (int i = 0; i < HEADER_COUNT; i++) {
        if (field_names[i].length == name.length &&
            slice_equal_ignoring_case(name, slice_of(field_names[i].name, field_names[i].length))) {
            return i;
        }
    }
    return -1;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = parser_of(llhttp);
    if (++parser->header_count > HTTP_HEADERS_COUNT_MAX) {
        return refuse(parser, 431, "headers_too_many", "There are more than 100 header fields.");
    }
    if (parser->in_body) {
        return 0;
    }
    int field = known_field(slice_of(parser->base + parser->name.at, parser->name.length));
    if (field >= 0) {
        if (parser->fields_seen & (1u << field)) {
            return refuse(
                parser, 400, "header_doubled",
                "A header field that may stand only once is there twice (Host, Authorization, "
                "Transfer-Encoding, a condition, a key).");
        }
        parser->fields_seen |= 1u << field;
        parser->fields[field] = parser->value;
    }
    parser->name = parser->value = (struct http_span){0, 0};
    return 0;
}

/* ---- the gate: what llhttp accepts and we do not
 * -------------------------------------------------- */

static bool host_is_well_formed(struct slice host)
{
    /* uri-host [":" port], RFC 3986 3.2.2, without percent-encoding: letters, digits, and these. */
    for (size_t i = 0; i < host.length; i++) {
        unsigned char c = (unsigned char)host.data[i];
        /* '-' '.' '0'..'9' ':' lie in a row but for '/'. */
        bool fine = (c >= '-' && c <= ':' && c != '/') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') || c == '_' || c == '[' || c == ']';
        if (!fine) {
            return false;
        }
    }
    return true;
}

static int gate_framing(struct http_parser *parser, const struct http_request *request)
{
    struct slice coding = request->fields[HEADER_TRANSFER_ENCODING];
    if (coding.data != NULL) {
        if (request->http_1_0) {
            return refuse(parser, 400, "transfer_encoding_on_1_0",
                          "HTTP/1.0 has no Transfer-Encoding.");
        }
        if (!slice_equal_ignoring_case(coding, SLICE_LITERAL("chunked"))) {
            return refuse(parser, 501, "transfer_coding_unknown",
                          "The only transfer coding understood is chunked.");
        }
    }
    struct slice expect = request->fields[HEADER_EXPECT];
    if (expect.data != NULL && !slice_equal_ignoring_case(expect, SLICE_LITERAL("100-continue"))) {
        return refuse(parser, 417, "expectation_unknown",
                      "Only Expect: 100-continue is understood.");
    }
    return 0;
}

static int gate_target(struct http_parser *parser, const struct http_request *request,
                       struct slice target)
{
    if (target.length == 0 || target.data[0] != '/') {
        return refuse(
            parser, 400, "target_form",
            "The request target must be a path that begins with '/'. This server is no proxy.");
    }
    if (memchr(target.data, '#', target.length) != NULL) {
        return refuse(parser, 400, "target_form", "A request target has no fragment.");
    }
    struct slice host = request->fields[HEADER_HOST];
    if (host.data == NULL && !request->http_1_0) {
        return refuse(parser, 400, "host_missing", "HTTP/1.1 needs a Host header field.");
    }
    if (host.data != NULL && (host.length == 0 || !host_is_well_formed(host))) {
        return refuse(parser, 400, "host_malformed",
                      "The Host header field is not a host and port.");
    }
    return 0;
}

static enum http_method method_of(uint8_t llhttp_method)
{
    switch (llhttp_method) {
    case HTTP_GET: return METHOD_GET;
    case HTTP_HEAD: return METHOD_HEAD;
    case HTTP_POST: return METHOD_POST;
    case HTTP_PUT: return METHOD_PUT;
    case HTTP_PATCH: return METHOD_PATCH;
    case HTTP_DELETE: return METHOD_DELETE;
    case HTTP_OPTIONS:
    case HTTP_TRACE: return METHOD_OTHER;
    default: return 0;
    }
}

static struct slice slice_at(const struct http_parser *parser, struct http_span span)
{
    return slice_of(parser->base + span.at, span.length);
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct http_parser *parser = parser_of(llhttp);
    struct http_request *request = &parser->request;
    memset(request, 0, sizeof *request);
    request->method = method_of(llhttp->method);
    if (request->method == 0) {
        return refuse(parser, 501, "method_unknown", "This method is not implemented.");
    }
    for (uint32_t seen = parser->fields_seen; seen != 0; seen &= seen - 1) {
        int i = __builtin_ctz(seen);
        /* llhttp takes the white space before a value away, not that behind it. */
        request->fields[i] = slice_trim(slice_at(parser, parser->fields[i]));
    }
    request->http_1_0 = llhttp->http_minor == 0;
    struct slice target = slice_at(parser, parser->target);
    if (gate_target(parser, request, target) != 0 || gate_framing(parser, request) != 0) {
        return HPE_USER;
    }
    request->query = target;
    request->path = slice_cut(&request->query, '?');
    request->keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    request->chunked = (llhttp->flags & F_CHUNKED) != 0;
    request->content_length = (llhttp->flags & F_CONTENT_LENGTH) ? llhttp->content_length : 0;
    request->has_body = request->chunked || request->content_length > 0;
    request->expects_continue =
        request->has_body && !request->http_1_0 && request->fields[HEADER_EXPECT].data != NULL;
    parser->head_complete = true;
    /* Ignoring Upgrade must not make llhttp stop reading HTTP behind this message. */
    llhttp->upgrade = 0;
    return request->has_body ? HPE_PAUSED : 0;
}

/* ---- the body ------------------------------------------------------------------------------- */

static int on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    struct http_parser *parser = parser_of(llhttp);
    if (parser->decoded != at) {
        memmove(parser->decoded, at, length);
    }
    parser->decoded += length;
    return 0;
}

static int on_chunk_extension(llhttp_t *llhttp, const char *at, size_t length)
{
    (void)at;
    struct http_parser *parser = parser_of(llhttp);
    parser->extension_bytes += (uint32_t)length;
    if (parser->extension_bytes > EXTENSION_BYTES_MAX) {
        return refuse(parser, 400, "chunk_extensions_too_large",
                      "Chunk extensions are over 4 KiB.");
    }
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    parser_of(llhttp)->finished = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_protocol = on_protocol,
    .on_version = on_version,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_message_complete = on_message_complete,
};

/* ---- driving -------------------------------------------------------------------------------- */

void http_parser_init(struct http_parser *parser)
{
    memset(parser, 0, sizeof *parser);
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &callbacks);
    parser->llhttp.data = parser;
}

static void begin_head(struct http_parser *parser)
{
    parser->fed = 0;
    parser->headers_at = 0;
    parser->header_count = 0;
    parser->trailer_bytes = 0;
    parser->extension_bytes = 0;
    parser->target = parser->name = parser->value = (struct http_span){0, 0};
    parser->fields_seen = 0;
    parser->in_body = false;
    parser->finished = false;
    parser->head_complete = false;
}

static void explain_llhttp(struct http_parser *parser, llhttp_errno_t code)
{
    switch (code) {
    case HPE_PAUSED_H2_UPGRADE:
        refuse(parser, 505, "http_version_unsupported",
               "Speak HTTP/1.1: HTTP/2 is not understood here.");
        return;
    case HPE_INVALID_VERSION:
        /* llhttp says this of a bare line feed behind a good version, too. */
        if (parser->headers_at == 0) {
            refuse(parser, 505, "http_version_unsupported", "Speak HTTP/1.1 (or 1.0).");
        } else {
            refuse(parser, 400, "http_malformed", "The request line does not end in CR LF.");
        }
        return;
    case HPE_INVALID_METHOD:
        refuse(parser, 400, "method_malformed", "The request does not begin with a known method.");
        return;
    case HPE_INVALID_TRANSFER_ENCODING:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        refuse(parser, 400, "framing_ambiguous",
               "Content-Length and Transfer-Encoding contradict each other.");
        return;
    case HPE_INVALID_CONTENT_LENGTH:
        refuse(parser, 400, "content_length_malformed", "Content-Length is not a number.");
        return;
    case HPE_INVALID_CHUNK_SIZE:
        refuse(parser, 400, "chunk_malformed", "A chunk's size line or end is malformed.");
        return;
    default: refuse(parser, 400, "http_malformed", "The request is not well-formed HTTP/1.1.");
    }
}

/* Feeds [from, end); returns where llhttp stopped. */
static const char *feed(struct http_parser *parser, const char *from, const char *end,
                        llhttp_errno_t *code)
{
    *code = llhttp_execute(&parser->llhttp, from, (size_t)(end - from));
    return *code == HPE_OK ? end : llhttp_get_error_pos(&parser->llhttp);
}

static enum http_event fail(struct http_parser *parser, llhttp_errno_t code, size_t offset)
{
    if (parser->status == 0 && !parser->in_body) {
        /* Damage behind the limit: the limit came first. */
        (void)check_head_size(parser, offset);
    }
    if (parser->status == 0) {
        explain_llhttp(parser, code);
    }
    return EVENT_ERROR;
}

static enum http_event next_head(struct http_parser *parser, char *input, size_t length,
                                 size_t *consumed)
{
    parser->base = input;
    llhttp_errno_t code = HPE_OK;
    const char *stop = feed(parser, input + parser->fed, input + length, &code);
    if (code == HPE_OK) {
        parser->fed = length;
        return check_head_size(parser, length) == 0 ? EVENT_NEED_MORE : EVENT_ERROR;
    }
    if (code != HPE_PAUSED || !parser->head_complete) {
        return fail(parser, code, (size_t)(stop - input));
    }
    *consumed = (size_t)(stop - input);
    llhttp_resume(&parser->llhttp);
    parser->in_body = parser->request.has_body;
    return EVENT_HEAD;
}

static enum http_event next_body(struct http_parser *parser, char *input, size_t length,
                                 size_t *consumed)
{
    parser->decoded = input;
    llhttp_errno_t code = HPE_OK;
    const char *stop = feed(parser, input, input + length, &code);
    parser->body = slice_of(input, (size_t)(parser->decoded - input));
    if (code != HPE_OK && code != HPE_PAUSED) {
        /* What came before the damage is handed out first, as it would have been had it come
         * alone. */
        (void)fail(parser, code, 0);
        *consumed = length;
        return parser->body.length > 0 ? EVENT_BODY : EVENT_ERROR;
    }
    *consumed = (size_t)(stop - input);
    if (code == HPE_PAUSED) {
        llhttp_resume(&parser->llhttp);
    }
    if (parser->finished) {
        return EVENT_END;
    }
    return parser->body.length > 0 ? EVENT_BODY : EVENT_NEED_MORE;
}

enum http_event http_parser_next(struct http_parser *parser, char *input, size_t length,
                                 size_t *consumed)
{
    *consumed = 0;
    if (parser->status != 0) {
        return EVENT_ERROR;
    }
    if (parser->finished) {
        begin_head(parser);
    }
    if (length == 0 && !parser->in_body) {
        return EVENT_NEED_MORE;
    }
    if (parser->in_body) {
        return next_body(parser, input, length, consumed);
    }
    return next_head(parser, input, length, consumed);
}

bool http_parser_idle(const struct http_parser *parser)
{
    return parser->finished || (parser->fed == 0 && !parser->in_body);
}
