/* quarantine.c: layout of a quarantined entry's payload.
 *
 *   version u8 │ record number varint │ line varint │ code │ field │ message │ has header u8 │ header │ bytes
 *
 * Each text is a varint length and its bytes. The original bytes come last and fill the rest of the
 * payload, so that a person who looks at the segment with a hex dump finds them whole. */
#include "engine/quarantine.h"

#include "base/bytes.h"

enum { LAYOUT_VERSION = 1 };

static void append_text(struct buffer *out, struct slice text)
{
    buffer_append_varint(out, text.length);
    buffer_append_slice(out, text);
}

void quarantine_encode(const struct quarantine *quarantine, struct buffer *out)
{
    buffer_append_char(out, LAYOUT_VERSION);
    buffer_append_varint(out, quarantine->record_number);
    buffer_append_varint(out, quarantine->line);
    append_text(out, quarantine->code);
    append_text(out, quarantine->field);
    append_text(out, quarantine->message);
    buffer_append_char(out, quarantine->header.data != NULL);
    if (quarantine->header.data != NULL) {
        append_text(out, quarantine->header);
    }
    buffer_append_slice(out, quarantine->bytes);
}

err quarantine_decode(struct slice payload, struct quarantine *out)
{
    struct byte_reader reader = byte_reader_of(payload);
    *out = (struct quarantine){0};
    uint8_t version = byte_reader_u8(&reader);
    out->record_number = byte_reader_varint(&reader);
    out->line = byte_reader_varint(&reader);
    out->code = byte_reader_string(&reader);
    out->field = byte_reader_string(&reader);
    out->message = byte_reader_string(&reader);
    uint8_t has_header = byte_reader_u8(&reader);
    if (has_header == 1) {
        out->header = byte_reader_string(&reader);
    }
    out->bytes = byte_reader_take(&reader, byte_reader_left(&reader));
    return reader.failed || version != LAYOUT_VERSION || has_header > 1 ? ERR_CORRUPT : ERR_OK;
}

void quarantine_end_encode(uint64_t sequence, char out[QUARANTINE_END_BYTES])
{
    store_u64(out, sequence);
}

err quarantine_end_decode(struct slice payload, uint64_t *sequence)
{
    if (payload.length != QUARANTINE_END_BYTES) {
        return ERR_CORRUPT;
    }
    *sequence = load_u64(payload.data);
    return ERR_OK;
}
