/* recorder.h: a file_system that forwards to another one and writes down what happens below one
 * folder.
 *
 * What already lies in the folder is put into the trace as durable. Syncs are recorded and, unless
 * asked for, not passed on: the image builder decides what a crash would have left, the disk need
 * not.
 *
 * It can also fail: with `fail_at` the Nth changing call from now on answers `fail_with`; a write
 * does its first half.
 *
 * Threading: any; a lock keeps the order of events the order of calls. */
#ifndef KINDRED_TESTS_CRASH_RECORDER_H
#define KINDRED_TESTS_CRASH_RECORDER_H

#include <pthread.h>

#include "storage/file.h"
#include "trace.h"

struct recorder {
    struct file_system files; /* hand this to the code under test */
    const struct file_system *below;
    char root[512];
    struct trace trace;
    size_t adopted; /* events at its beginning that say what was there: a crash comes after them */
    struct {
        char *path;
        uint32_t file;
    } * names; /* as they are now */
    size_t name_count;
    size_t name_capacity;
    uint32_t last_file;
    pthread_mutex_t lock;
    bool pass_syncs;
    /* Called once, before the next sync of a file: what another thread might do just then. */
    void (*before_sync)(void *context);
    void *before_sync_context;
    uint64_t changes;       /* changing calls so far */
    uint64_t fail_at;       /* fails when `changes` reaches this; 0: never */
    bool count_writes_only; /* `changes` counts write_at only */
    err fail_with;
};

void recorder_init(struct recorder *recorder, const char *root, const struct file_system *below);
void recorder_deinit(struct recorder *recorder);
void recorder_note(struct recorder *recorder, uint64_t number);

#endif
