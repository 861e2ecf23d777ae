#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static void *copy_bytes(const void *data, size_t length)
{
    char *copy = malloc(length + 1);
    CHECK(copy != NULL);
    if (length > 0) {
        memcpy(copy, data, length);
    }
    copy[length] = '\0';
    return copy;
}

void trace_add(struct trace *trace, struct trace_event event)
{
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity ? trace->capacity * 2 : 256;
        trace->events = realloc(trace->events, trace->capacity * sizeof *trace->events);
        CHECK(trace->events != NULL);
    }
    event.path = event.path != NULL ? copy_bytes(event.path, strlen(event.path)) : NULL;
    event.second = event.second != NULL ? copy_bytes(event.second, strlen(event.second)) : NULL;
    event.data = event.data_bytes > 0 ? copy_bytes(event.data, event.data_bytes) : NULL;
    trace->events[trace->count++] = event;
}

void trace_clear(struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        free(trace->events[i].path);
        free(trace->events[i].second);
        free(trace->events[i].data);
    }
    free(trace->events);
    *trace = (struct trace){0};
}

/* NULL at the end of the file. */
static char *read_bytes(FILE *file, size_t length)
{
    char *bytes = malloc(length + 1);
    CHECK(bytes != NULL);
    if (fread(bytes, 1, length, file) != length) {
        free(bytes);
        return NULL;
    }
    bytes[length] = '\0';
    return bytes;
}

bool trace_load(struct trace *trace, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct trace_record record;
    if (file == NULL) {
        return false;
    }
    while (fread(&record, sizeof record, 1, file) == 1) {
        char *first = read_bytes(file, record.path_bytes);
        char *second = first != NULL ? read_bytes(file, record.second_bytes) : NULL;
        char *data = second != NULL ? read_bytes(file, record.data_bytes) : NULL;
        if (data != NULL) {
            trace_add(trace, (struct trace_event){
                                 .op = (enum trace_op)record.op,
                                 .flags = record.flags,
                                 .file = record.file,
                                 .path = first,
                                 .second = second,
                                 .offset = record.offset,
                                 .data = (uint8_t *)data,
                                 .data_bytes = record.data_bytes,
                             });
        }
        free(first);
        free(second);
        free(data);
    }
    fclose(file);
    return true;
}
