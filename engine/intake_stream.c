#include "engine/intake_stream.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "ingest/compression.h"
#include "ingest/limits.h"

enum { SNIFF_BYTES = 4 };
static const size_t FED_BYTES_MAX = 64 * 1024 * 1024; /* one intake_stream_feed */

struct intake_stream {
    struct splitter *splitter;
    struct inflater *inflater; /* NULL until the first bytes say that one is needed */
    struct slice input;        /* fed, not yet consumed */
    struct buffer kept;        /* where input points to after intake_stream_keep */
    struct buffer piece;       /* what the splitter borrows */
    uint64_t bytes;
    uint64_t body_max_bytes;
    struct error failure;
    bool sniffed;
    bool last;          /* no more will be fed */
    bool inflater_full; /* it filled its room, so it may hold more output without more input */
    bool splitter_last; /* the splitter was told so too */
};

struct intake_stream *intake_stream_create(enum content_hint hint, size_t record_max_bytes,
                                           uint64_t body_max_bytes)
{
    struct intake_stream *stream = memory_zalloc(sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    stream->splitter =
        splitter_create(hint, record_max_bytes ? record_max_bytes : RECORD_BYTES_DEFAULT);
    if (stream->splitter == NULL) {
        memory_free(stream);
        return NULL;
    }
    stream->body_max_bytes = body_max_bytes ? body_max_bytes : UINT64_MAX;
    buffer_init(&stream->kept, FED_BYTES_MAX);
    buffer_init(&stream->piece, INTAKE_PIECE_BYTES);
    return stream;
}

void intake_stream_set_delimiter(struct intake_stream *stream, char delimiter)
{
    splitter_set_delimiter(stream->splitter, delimiter);
}

void intake_stream_destroy(struct intake_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    splitter_destroy(stream->splitter);
    if (stream->inflater != NULL) {
        inflater_destroy(stream->inflater);
    }
    buffer_deinit(&stream->kept);
    buffer_deinit(&stream->piece);
    memory_free(stream);
}

/* Puts the input into `kept`, wherever it lies now. False when memory is out. */
static bool keep_input(struct intake_stream *stream, struct slice before)
{
    struct buffer kept;
    buffer_init(&kept, FED_BYTES_MAX);
    buffer_append_slice(&kept, before);
    buffer_append_slice(&kept, stream->input);
    if (kept.failed) {
        buffer_deinit(&kept);
        return false;
    }
    buffer_deinit(&stream->kept);
    stream->kept = kept;
    stream->input = buffer_slice(&stream->kept);
    return true;
}

void intake_stream_feed(struct intake_stream *stream, struct slice bytes, bool last)
{
    CHECK(intake_stream_hungry(stream) && !stream->last);
    stream->last = last;
    /* Fewer than four bytes waited for company: they go in front. */
    struct slice waiting = stream->input;
    stream->input = bytes;
    if (waiting.length > 0 && !keep_input(stream, waiting)) {
        (void)error_set(&stream->failure, ERR_MEMORY, "memory", 0,
                        "Out of memory; try again later.");
    }
}

err intake_stream_keep(struct intake_stream *stream)
{
    const char *at = stream->input.data;
    bool ours = stream->kept.data != NULL && at >= stream->kept.data &&
                at <= stream->kept.data + stream->kept.length;
    if (stream->input.length == 0 || ours) {
        return ERR_OK;
    }
    return keep_input(stream, SLICE_NONE) ? ERR_OK : ERR_MEMORY;
}

bool intake_stream_hungry(const struct intake_stream *stream)
{
    bool undecided = !stream->sniffed && stream->input.length < SNIFF_BYTES;
    return !stream->last && stream->failure.err == ERR_OK && !stream->inflater_full &&
           (stream->input.length == 0 || undecided);
}

uint64_t intake_stream_bytes(const struct intake_stream *stream)
{
    return stream->bytes;
}

/* ERR_END: too few bytes to tell yet. */
static err sniff(struct intake_stream *stream)
{
    if (stream->sniffed) {
        return ERR_OK;
    }
    if (stream->input.length < SNIFF_BYTES && !stream->last) {
        return keep_input(stream, SLICE_NONE) ? ERR_END : ERR_MEMORY;
    }
    enum compression kind = compression_sniff(stream->input);
    if (kind != COMPRESSION_NONE) {
        stream->inflater = inflater_create(kind);
        if (stream->inflater == NULL) {
            return ERR_MEMORY;
        }
    }
    stream->sniffed = true;
    return ERR_OK;
}

/* Fills the piece by inflating. ERR_END when there is no input for it. */
static err inflate_piece(struct intake_stream *stream, struct error *error)
{
    char *room = buffer_reserve(&stream->piece, INTAKE_PIECE_BYTES);
    if (room == NULL) {
        return ERR_MEMORY;
    }
    while (stream->input.length > 0 || stream->inflater_full) {
        size_t left = INTAKE_PIECE_BYTES - stream->piece.length;
        size_t written = 0;
        err e = inflater_step(stream->inflater, &stream->input, room, left, &written, error);
        if (e != ERR_OK && e != ERR_END) {
            return e;
        }
        buffer_commit(&stream->piece, written);
        room += written;
        stream->inflater_full = written == left;
        if (stream->inflater_full) {
            break;
        }
    }
    if (stream->piece.length > 0) {
        return ERR_OK;
    }
    return stream->last ? inflater_finish(stream->inflater, error) : ERR_END;
}

/* Fills the piece with plain bytes. The copy lets the reader stop in the middle of a piece while
 * the caller's buffer is used again; at 16 KiB it stays in the cache. */
static err copy_piece(struct intake_stream *stream)
{
    size_t length =
        stream->input.length < INTAKE_PIECE_BYTES ? stream->input.length : INTAKE_PIECE_BYTES;
    if (length == 0) {
        return stream->last ? ERR_OK : ERR_END;
    }
    buffer_append(&stream->piece, stream->input.data, length);
    if (stream->piece.failed) {
        return ERR_MEMORY;
    }
    stream->input = slice_of(stream->input.data + length, stream->input.length - length);
    return ERR_OK;
}

/* Hands the splitter its next piece; an empty one with `last` ends the stream. ERR_END when there
 * is none to hand. */
static err next_piece(struct intake_stream *stream, int64_t *budget_bytes, struct error *error)
{
    if (stream->splitter_last) {
        return ERR_END;
    }
    err e = sniff(stream);
    if (e != ERR_OK) {
        return e;
    }
    buffer_clear(&stream->piece);
    e = stream->inflater ? inflate_piece(stream, error) : copy_piece(stream);
    if (e != ERR_OK) {
        return e;
    }
    struct slice piece = buffer_slice(&stream->piece);
    stream->splitter_last = piece.length == 0;
    stream->bytes += piece.length;
    *budget_bytes -= (int64_t)piece.length;
    if (stream->bytes > stream->body_max_bytes) {
        return error_set(
            error, ERR_TOO_LARGE, "body_too_large", stream->bytes,
            "The body has more than %llu bytes (after decompression). Send it in parts.",
            (unsigned long long)stream->body_max_bytes);
    }
    return splitter_feed(stream->splitter, piece, stream->splitter_last, error);
}

static err fail(struct intake_stream *stream, err e, const struct error *details,
                struct error *error)
{
    stream->failure = *details;
    if (stream->failure.err != e) {
        (void)error_set(&stream->failure, e, e == ERR_MEMORY ? "memory" : err_name(e), 0,
                        e == ERR_MEMORY ? "Out of memory; try again later."
                                        : "The input could not be read any further.");
    }
    if (error != NULL) {
        *error = stream->failure;
    }
    return e;
}

err intake_stream_next(struct intake_stream *stream, int64_t *budget_bytes, struct split *out,
                       struct error *error)
{
    struct error details = stream->failure;
    if (details.err != ERR_OK) {
        return fail(stream, details.err, &details, error);
    }
    for (;;) {
        err e = splitter_next(stream->splitter, out);
        if (e == ERR_END) {
            if (*budget_bytes <= 0 && !intake_stream_hungry(stream) && !stream->splitter_last) {
                return ERR_BUSY;
            }
            e = next_piece(stream, budget_bytes, &details);
            if (e == ERR_OK) {
                continue;
            }
        }
        if (e == ERR_OK || e == ERR_END) {
            return e;
        }
        return fail(stream, e, &details, error);
    }
}
