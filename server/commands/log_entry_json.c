#include "commands/log_entry_json.h"

#include "base/utf8.h"
#include "engine/quarantine.h"
#include "ingest/record.h"

static const char *const KINDS[ENTRY_KIND_MAX] = {
    [ENTRY_RECORD] = "record",
    [ENTRY_CSV_HEADER] = "csv_header",
    [ENTRY_MAPPING] = "mapping",
    [ENTRY_SETTINGS] = "settings",
    [ENTRY_QUARANTINE] = "quarantine",
    [ENTRY_QUARANTINE_END] = "quarantine_end",
    [ENTRY_PATCH] = "patch",
    [ENTRY_COHORT_PUT] = "cohort_put",
    [ENTRY_COHORT_DELETE] = "cohort_delete",
    [ENTRY_ERASE] = "erase",
    [ENTRY_ERASE_DONE] = "erase_done",
    [ENTRY_RECEIPT] = "receipt",
};

/* RFC 4648, section 4. */
static void write_base64(struct slice bytes, struct json_writer *json)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buffer text;
    buffer_init(&text, bytes.length / 3 * 4 + 8);
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
        char four[4] = {DIGITS[group >> 18], DIGITS[group >> 12 & 63],
                        left > 1 ? DIGITS[group >> 6 & 63] : '=',
                        left > 2 ? DIGITS[group & 63] : '='};
        buffer_append(&text, four, sizeof four);
    }
    json_string(json, buffer_slice(&text));
    json->out->failed = json->out->failed || text.failed;
    buffer_deinit(&text);
}

void log_payload_write(struct slice payload, struct json_writer *json)
{
    if (utf8_valid(payload, NULL)) {
        json_member_string(json, "raw", payload);
    } else {
        json_key(json, "raw_base64");
        write_base64(payload, json);
    }
}

void log_entry_write(const struct log_entry *entry, struct json_writer *json)
{
    json_object_begin(json);
    log_entry_write_members(entry, json);
    json_object_end(json);
}

void log_entry_write_members(const struct log_entry *entry, struct json_writer *json)
{
    const char *kind = entry->kind < ENTRY_KIND_MAX ? KINDS[entry->kind] : NULL;
    json_member_u64(json, "sequence", entry->sequence);
    json_member_timestamp(json, "received_at", entry->received_at_us);
    json_member_string(json, "source", entry->source);
    json_member_cstr(json, "kind", kind ? kind : "unknown");
    if (entry->format != 0 && entry->kind != ENTRY_ERASE) {
        json_member_cstr(json, "format", entry->format == FORMAT_CSV ? "csv" : "json");
    }
    if (entry->header_back > 0) {
        json_member_u64(json, "header", entry->sequence - entry->header_back);
    }
    if (entry->mapping_sequence > 0) {
        json_member_u64(json, "mapping", entry->mapping_sequence);
    }
    struct quarantine quarantine;
    if (entry->scrubbed) {
        json_member_bool(json, "scrubbed", true);
    } else if (entry->kind == ENTRY_QUARANTINE &&
               quarantine_decode(entry->payload, &quarantine) == ERR_OK) {
        json_member_string(json, "code", quarantine.code);
        json_member_string(json, "field", quarantine.field);
        json_member_string(json, "message", quarantine.message);
        json_member_u64(json, "line", quarantine.line);
        log_payload_write(quarantine.bytes, json);
    } else {
        log_payload_write(entry->payload, json);
    }
}
