#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "kindred: bug: CHECK(%s) failed in %s at %s:%d\n", condition, function, file,
            line);
    abort();
}

enum err_class err_class(err e)
{
    if (e == ERR_OK) {
        return ERR_CLASS_NONE;
    }
    if (e < ERR_BUSY) {
        return ERR_CLASS_CLIENT;
    }
    return e < ERR_NO_SPACE ? ERR_CLASS_BUSY : ERR_CLASS_STORAGE;
}

const char *err_name(err e)
{
    switch (e) {
    case ERR_OK: return "ok";
    case ERR_INVALID: return "invalid";
    case ERR_NOT_FOUND: return "not_found";
    case ERR_CONFLICT: return "conflict";
    case ERR_TOO_LARGE: return "too_large";
    case ERR_UNSUPPORTED: return "unsupported";
    case ERR_DENIED: return "denied";
    case ERR_END: return "end";
    case ERR_BUSY: return "busy";
    case ERR_STARTING: return "starting";
    case ERR_STOPPING: return "stopping";
    case ERR_MEMORY: return "out_of_memory";
    case ERR_NO_SPACE: return "no_space";
    case ERR_IO: return "io";
    case ERR_CORRUPT: return "corrupt";
    case ERR_LOCKED: return "locked";
    }
    return "unknown";
}

/* A cut inside a multi-byte sequence would make the message invalid UTF-8, and JSON with it. */
static void trim_to_utf8_boundary(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0u) == 0x80u) {
        start--;
    }
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0u) {
        unsigned char lead = (unsigned char)text[start - 1];
        size_t need = lead >= 0xF0u ? 4 : lead >= 0xE0u ? 3 : 2;
        if (length - (start - 1) < need) {
            text[start - 1] = '\0';
        }
    }
}

err error_set(struct error *out, err e, const char *code, uint64_t position, const char *format,
              ...)
{
    if (out == NULL) {
        return e;
    }
    out->err = e;
    out->position = position;
    snprintf(out->code, sizeof out->code, "%s", code);
    va_list args;
    va_start(args, format);
    int written = vsnprintf(out->message, sizeof out->message, format, args);
    va_end(args);
    if (written >= (int)sizeof out->message) {
        trim_to_utf8_boundary(out->message, strlen(out->message));
    }
    return e;
}

err error_set_errno(struct error *out, int system_errno, const char *operation, const char *path)
{
    err e = ERR_IO;
    if (system_errno == ENOSPC || system_errno == EDQUOT) {
        e = ERR_NO_SPACE;
    } else if (system_errno == ENOMEM) {
        e = ERR_MEMORY;
    }
    char words[128];
    const char *said = strerror_r(system_errno, words, sizeof words);
    return error_set(out, e, err_name(e), 0, "%s %s: %s", operation, path, said);
}
