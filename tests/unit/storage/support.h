/* support.h: folders, logs and entries for the storage tests. */
#ifndef KINDRED_TESTS_STORAGE_SUPPORT_H
#define KINDRED_TESTS_STORAGE_SUPPORT_H

#include "base/arena.h"
#include "storage/rawlog.h"

/* A new folder under $TMPDIR, or in memory, removed with everything in it by folder_remove. Static
 * until the next call but one. */
const char *folder_make(void);
void folder_remove(const char *path);
void folder_copy(const char *from, const char *to);
/* Does any file in the folder contain these bytes? */
bool folder_contains(const char *path, const char *bytes);

/* Whole files. file_load's result is freed with free(). */
char *file_load(const char *path, size_t *length);
void file_store(const char *path, const void *data, size_t length);

/* A log with options most tests want; `random` is seeded. NULL (and *error) when it does not
 * open. */
struct log_settings {
    const struct file_system *files; /* NULL: posix */
    uint64_t segment_bytes;
    uint64_t trusted_sequence;
    uint64_t durable_sequence;
    bool read_only;
};
struct log *log_open(const char *directory, const struct log_settings *settings,
                     struct rawlog_report *report, struct error *error);

/* Entry number n always has the same bytes: "payload n xxxx…", source "source-n", received at n. */
enum { PAYLOAD_TEXT_MAX = 4096 };
struct entry_text {
    char source[32];
    char payload[PAYLOAD_TEXT_MAX];
};
void entry_make(uint64_t number, struct entry_text *text, struct log_entry *out);
bool entry_matches(uint64_t number, const struct log_entry *entry);
/* Appends entries first..first+count-1 as one batch. */
err log_append_numbers(struct log *log, uint64_t first, size_t count, struct error *error);

#endif
