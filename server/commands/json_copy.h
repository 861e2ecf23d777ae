/* json_copy.h: a value that was read, written again: same members, same order.
 *
 * Threading: any. */
#ifndef KINDRED_COMMANDS_JSON_COPY_H
#define KINDRED_COMMANDS_JSON_COPY_H

#include "base/json_writer.h"
#include "ingest/json_reader.h"

void json_copy(struct json_writer *json, json_value value);

#endif
