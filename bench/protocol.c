#include "protocol.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static long decimal(const char *at, const char *end)
{
    long value = 0;
    while (at < end && *at == ' ') {
        at++;
    }
    bool negative = at < end && *at == '-';
    for (at += negative; at < end && *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
    }
    return negative ? -value : value;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static long chunked_end(const char *body, const char *end)
{
    const char *at = body;
    for (;;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        if (line == NULL) {
            return 0;
        }
        long size = 0;
        for (; at < line && *at != '\r' && *at != ';'; at++) {
            int digit = *at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10;
            size = size * 16 + digit;
        }
        if (size < 0 || end - (line + 1) < size + 2) {
            return 0;
        }
        at = line + 1 + size + 2;
        if (size == 0) {
            return at - body;
        }
    }
}

static long http_answer(const char *data, size_t length, bool *good)
{
    if (length < 12) {
        return 0;
    }
    if (memcmp(data, "HTTP/1.", 7) != 0) {
        return -1;
    }
    *good = data[9] == '2';
    const char *end = data + length;
    const char *line = data;
    long content = -1;
    bool chunked = false;
    for (;;) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line == NULL || ++line == end) {
            return 0;
        }
        if (*line == '\r') {
            break;
        }
        size_t left = (size_t)(end - line);
        if ((*line | 32) == 'c' && left > 15 && strncasecmp(line, "content-length:", 15) == 0) {
            content = decimal(line + 15, end);
        } else if ((*line | 32) == 't' && left > 26 &&
                   strncasecmp(line, "transfer-encoding: chunked", 26) == 0) {
            chunked = true;
        }
    }
    if (end - line < 2) {
        return 0;
    }
    const char *body = line + 2;
    if (chunked) {
        long size = chunked_end(body, end);
        return size == 0 ? 0 : body - data + size;
    }
    if (content < 0) {
        return data[9] == '2' && data[10] == '0' && data[11] == '4' ? body - data : -1;
    }
    return end - body < content ? 0 : body - data + content;
}

/* ---- Redis ----------------------------------------------------------------------------------- */

static long redis_answer(const char *data, size_t length, bool *good)
{
    const char *end = data + length;
    const char *at = data;
    long wanted = 1;
    *good = true;
    while (wanted > 0) {
        const char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (line == NULL) {
            return 0;
        }
        long value = decimal(at + 1, line);
        char kind = *at;
        at = line + 1;
        wanted--;
        switch (kind) {
        case '+':
        case ':': break;
        case '-': *good = false; break;
        case '$':
            if (value < 0) {
                *good = false;
            } else if (end - at < value + 2) {
                return 0;
            } else {
                at += value + 2;
            }
            break;
        case '*':
            if (value <= 0) {
                *good = false;
            } else {
                wanted += value;
            }
            break;
        default: return -1;
        }
    }
    return at - data;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------ */

static long postgres_answer(const char *data, size_t length, bool *good)
{
    size_t at = 0;
    bool error = false, complete = false;
    while (length - at >= 5) {
        const unsigned char *head = (const unsigned char *)data + at;
        size_t size =
            1 + ((size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4]);
        if (size < 5) {
            return -1;
        }
        if (length - at < size) {
            return 0;
        }
        error = error || head[0] == 'E';
        if (head[0] == 'C') { /* "SELECT 1", "INSERT 0 1": not "SELECT 0" */
            complete = size < 13 || memcmp(head + 5, "SELECT 0", 8) != 0;
        }
        at += size;
        if (head[0] == 'Z') {
            *good = complete && !error;
            return (long)at;
        }
    }
    return 0;
}

long protocol_answer(enum protocol protocol, const char *data, size_t length, bool *good)
{
    switch (protocol) {
    case PROTOCOL_HTTP: return http_answer(data, length, good);
    case PROTOCOL_REDIS: return redis_answer(data, length, good);
    case PROTOCOL_POSTGRES: return postgres_answer(data, length, good);
    }
    return -1;
}
