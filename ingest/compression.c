#include "ingest/compression.h"

#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/memory.h"

enum { GZIP_WINDOW = 15 + 16 }; /* 32 KiB, gzip wrapper only (zlib.h, inflateInit2) */
/* A frame that wants more memory than this is refused; the command line tool's limit is the
 * same. */
enum { ZSTD_WINDOW_LOG_MAX = 27 };

struct inflater {
    enum compression kind;
    z_stream gzip;
    ZSTD_DStream *zstd;
    uint64_t consumed;
    bool in_member; /* between the first byte of a member and its end */
    bool failed;
};

enum compression compression_sniff(struct slice first)
{
    if (first.length < 4) {
        return COMPRESSION_NONE;
    }
    if (memcmp(first.data, "\x1F\x8B\x08", 3) == 0) {
        return COMPRESSION_GZIP;
    }
    return memcmp(first.data, "\x28\xB5\x2F\xFD", 4) == 0 ? COMPRESSION_ZSTD : COMPRESSION_NONE;
}

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    (void)context;
    return memory_alloc((size_t)count * size);
}

static void zlib_free(void *context, void *block)
{
    (void)context;
    memory_free(block);
}

struct inflater *inflater_create(enum compression kind)
{
    struct inflater *inflater = memory_zalloc(sizeof *inflater);
    if (inflater == NULL) {
        return NULL;
    }
    inflater->kind = kind;
    bool ready = false;
    if (kind == COMPRESSION_GZIP) {
        inflater->gzip.zalloc = zlib_alloc;
        inflater->gzip.zfree = zlib_free;
        ready = inflateInit2(&inflater->gzip, GZIP_WINDOW) == Z_OK;
    } else {
        inflater->zstd = ZSTD_createDStream();
        ready = inflater->zstd != NULL &&
                !ZSTD_isError(ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax,
                                                     ZSTD_WINDOW_LOG_MAX));
    }
    if (!ready) {
        inflater_destroy(inflater);
        return NULL;
    }
    return inflater;
}

void inflater_destroy(struct inflater *inflater)
{
    if (inflater != NULL) {
        if (inflater->kind == COMPRESSION_GZIP) {
            inflateEnd(&inflater->gzip);
        }
        ZSTD_freeDStream(inflater->zstd);
        memory_free(inflater);
    }
}

static err damaged(struct inflater *inflater, struct error *error, const char *what)
{
    inflater->failed = true;
    return error_set(error, ERR_INVALID, "compression_damaged", inflater->consumed,
                     "The compressed input is damaged at byte %llu (%s); send it again.",
                     (unsigned long long)inflater->consumed, what);
}

static err step_gzip(struct inflater *inflater, struct slice *input, char *out, size_t room,
                     size_t *written, struct error *error)
{
    z_stream *z = &inflater->gzip;
    if (!inflater->in_member && input->length > 0) {
        inflateReset(z);
        inflater->in_member = true;
    }
    z->next_in = (unsigned char *)(uintptr_t)input->data; /* zlib reads only */
    z->avail_in = input->length > UINT32_MAX ? UINT32_MAX : (unsigned)input->length;
    z->next_out = (unsigned char *)out;
    z->avail_out = room > UINT32_MAX ? UINT32_MAX : (unsigned)room;
    unsigned out_before = z->avail_out;
    unsigned in_before = z->avail_in;
    int result = inflate(z, Z_NO_FLUSH);
    size_t used = in_before - z->avail_in;
    *written = out_before - z->avail_out;
    input->data += used;
    input->length -= used;
    inflater->consumed += used;
    if (result == Z_STREAM_END) {
        inflater->in_member = false;
    } else if (result == Z_MEM_ERROR) {
        return error_set(error, ERR_MEMORY, "out_of_memory", inflater->consumed,
                         "There was no memory to unpack the input.");
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return damaged(inflater, error, z->msg != NULL ? z->msg : "gzip");
    }
    return ERR_OK;
}

static err step_zstd(struct inflater *inflater, struct slice *input, char *out, size_t room,
                     size_t *written, struct error *error)
{
    ZSTD_inBuffer in = {input->data, input->length, 0};
    ZSTD_outBuffer to = {out, room, 0};
    size_t result = ZSTD_decompressStream(inflater->zstd, &to, &in);
    *written = to.pos;
    input->data += in.pos;
    input->length -= in.pos;
    inflater->consumed += in.pos;
    if (ZSTD_isError(result)) {
        return damaged(inflater, error, ZSTD_getErrorName(result));
    }
    inflater->in_member = result != 0;
    return ERR_OK;
}

err inflater_step(struct inflater *inflater, struct slice *input, char *out, size_t room,
                  size_t *written, struct error *error)
{
    *written = 0;
    if (inflater->failed) {
        return damaged(inflater, error, "refused before");
    }
    if (room == 0) {
        return ERR_OK;
    }
    if (!inflater->in_member && input->length == 0) {
        return ERR_END;
    }
    err e = inflater->kind == COMPRESSION_GZIP
                ? step_gzip(inflater, input, out, room, written, error)
                : step_zstd(inflater, input, out, room, written, error);
    return e == ERR_OK && !inflater->in_member && input->length == 0 && *written == 0 ? ERR_END : e;
}

err inflater_finish(struct inflater *inflater, struct error *error)
{
    if (inflater->failed || inflater->in_member) {
        return damaged(inflater, error, "it ends in the middle");
    }
    return ERR_OK;
}
