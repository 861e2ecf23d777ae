#include "commands/json_copy.h"

/* Depth is bounded by JSON_DEPTH_MAX: the value came through json_read. */
void json_copy(struct json_writer *json, json_value value)
{
    struct json_iterator i;
    switch (json_type(value)) {
    case JSON_ABSENT:
    case JSON_NULL: json_null(json); break;
    case JSON_BOOL: json_bool(json, json_true(value)); break;
    case JSON_INTEGER: json_i64(json, json_integer(value)); break;
    case JSON_NUMBER: json_double(json, json_double_of(value)); break;
    case JSON_STRING: json_string(json, json_text(value)); break;
    case JSON_ARRAY:
        json_array_begin(json);
        for (i = json_iterate(value); json_next(&i);) {
            json_copy(json, i.value);
        }
        json_array_end(json);
        break;
    case JSON_OBJECT:
        json_object_begin(json);
        for (i = json_iterate(value); json_next(&i);) {
            json_key_slice(json, i.key);
            json_copy(json, i.value);
        }
        json_object_end(json);
        break;
    }
}
