/* Builds one crash image from a trace file, or tells what is in the trace. See README.md.
 *
 *   crash_image --trace FILE --list crash_image --trace FILE --out EMPTY-FOLDER [--cut N] [--mode
 *   none|all|prefix|random|torn-512|torn-4096|last-torn] [--seed S] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

static void list(const struct trace *trace)
{
    static const char *const words[] = {"?",      "create", "write",       "truncate",    "sync",
                                        "rename", "remove", "make-folder", "sync-folder", "note"};
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        printf("%zu %s%s file %" PRIu32 " %s %s at %" PRIu64 ", %zu bytes\n", i,
               event->op < ARRAY_COUNT(words) ? words[event->op] : "?",
               (event->flags & TRACE_DURABLE) != 0 ? " (durable)" : "", event->file,
               event->path != NULL ? event->path : "", event->second != NULL ? event->second : "",
               event->offset, event->data_bytes);
    }
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s --trace FILE (--list | --out FOLDER [--cut N] [--mode MODE] [--seed S])\n"
            "modes: none all prefix random torn-512 torn-4096 last-torn\n",
            program);
    return 2;
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    const char *out = NULL;
    bool list_only = false;
    struct trace trace = {0};
    struct image_plan plan = {.cut = SIZE_MAX, .mode = IMAGE_NONE, .seed = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--list") == 0) {
            list_only = true;
            continue;
        }
        if (value == NULL) {
            return usage(argv[0]);
        }
        if (strcmp(argv[i], "--trace") == 0) {
            file = value;
        } else if (strcmp(argv[i], "--out") == 0) {
            out = value;
        } else if (strcmp(argv[i], "--cut") == 0) {
            plan.cut = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            plan.seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--mode") == 0) {
            plan.mode = IMAGE_NONE;
            while (plan.mode < IMAGE_MODE_COUNT && strcmp(image_mode_name(plan.mode), value) != 0) {
                plan.mode++;
            }
        } else {
            return usage(argv[0]);
        }
        i++;
    }
    if (file == NULL || (out == NULL && !list_only) || plan.mode == IMAGE_MODE_COUNT) {
        return usage(argv[0]);
    }
    if (!trace_load(&trace, file)) {
        fprintf(stderr, "crash_image: cannot read %s\n", file);
        return 1;
    }
    plan.cut = plan.cut < trace.count ? plan.cut : trace.count;
    if (list_only) {
        list(&trace);
    } else {
        image_build(&trace, &plan, out);
    }
    trace_clear(&trace);
    return 0;
}
