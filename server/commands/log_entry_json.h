/* log_entry_json.h: one entry of the raw log as JSON: the line of `kindred export raw`.
 *
 *   {"sequence": 17, "received_at": "…", "source": "crm", "kind": "record", "format": "csv", "header": 16, "mapping": 3,
 *    "raw": "a@example.com;Ann"}
 *
 * raw is the original bytes; when they are not UTF-8, "raw_base64" has them instead. A scrubbed
 * entry has "scrubbed": true and no raw; a quarantined one has "code", "field", "message" and
 * "line" in front of it.
 *
 * Threading: any. */
#ifndef KINDRED_COMMANDS_LOG_ENTRY_JSON_H
#define KINDRED_COMMANDS_LOG_ENTRY_JSON_H

#include "base/json_writer.h"
#include "storage/log.h"

void log_entry_write(const struct log_entry *entry, struct json_writer *json);
/* Its members only, inside an object that the caller has begun. */
void log_entry_write_members(const struct log_entry *entry, struct json_writer *json);
/* The member "raw" or "raw_base64". */
void log_payload_write(struct slice payload, struct json_writer *json);

#endif
