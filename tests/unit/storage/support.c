#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *folder_make(void)
{
    static char paths[2][256];
    static int turn;
    char *path = paths[turn++ % 2];
    /* What is tested here does not depend on the disk's own syncs, and thousands of them take their
     * time. */
    const char *base = getenv("TMPDIR");
    if (base == NULL) {
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    snprintf(path, sizeof paths[0], "%s/kindred-test-XXXXXX", base);
    CHECK(mkdtemp(path) != NULL);
    return path;
}

static void each_name(const char *path,
                      void (*visit)(const char *full, const char *name, void *context),
                      void *context)
{
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char full[1024];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            CHECK((size_t)snprintf(full, sizeof full, "%s/%s", path, entry->d_name) < sizeof full);
            visit(full, entry->d_name, context);
        }
    }
    closedir(folder);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void remove_one(const char *full, const char *name, void *context)
{
    (void)name;
    (void)context;
    if (is_folder(full)) {
        folder_remove(full);
    } else {
        CHECK(unlink(full) == 0);
    }
}

void folder_remove(const char *path)
{
    each_name(path, remove_one, NULL);
    CHECK(rmdir(path) == 0);
}

char *file_load(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    *length = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*length + 1);
    CHECK(data != NULL && fread(data, 1, *length, file) == *length);
    fclose(file);
    return data;
}

void file_store(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(length == 0 || fwrite(data, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

static void copy_one(const char *full, const char *name, void *context)
{
    char to[1024];
    size_t length;
    snprintf(to, sizeof to, "%s/%s", (const char *)context, name);
    char *data = file_load(full, &length);
    file_store(to, data, length);
    free(data);
}

void folder_copy(const char *from, const char *to)
{
    char *target = strdup(to);
    mkdir(to, 0700);
    each_name(from, copy_one, target);
    free(target);
}

struct search {
    const char *bytes;
    bool found;
};

static void search_one(const char *full, const char *name, void *context)
{
    struct search *search = context;
    size_t length;
    (void)name;
    if (is_folder(full)) {
        each_name(full, search_one, context);
        return;
    }
    char *data = file_load(full, &length);
    search->found |= memmem(data, length, search->bytes, strlen(search->bytes)) != NULL;
    free(data);
}

bool folder_contains(const char *path, const char *bytes)
{
    struct search search = {bytes, false};
    each_name(path, search_one, &search);
    return search.found;
}

struct log *log_open(const char *directory, const struct log_settings *settings,
                     struct rawlog_report *report, struct error *error)
{
    static struct prng prng;
    static struct random_source source;
    if (source.fill == NULL) {
        prng_seed(&prng, 1);
        source = prng_source(&prng);
    }
    struct rawlog_options options = {
        .files = settings->files != NULL ? settings->files : &file_system_posix,
        .random = &source,
        .directory = directory,
        .segment_bytes = settings->segment_bytes,
        .trusted_sequence = settings->trusted_sequence,
        .durable_sequence = settings->durable_sequence,
        .read_only = settings->read_only,
    };
    struct log *log = NULL;
    return rawlog_open(&options, &log, report, error) == ERR_OK ? log : NULL;
}

void entry_make(uint64_t number, struct entry_text *text, struct log_entry *out)
{
    int length =
        snprintf(text->payload, sizeof text->payload, "payload %llu ", (unsigned long long)number);
    size_t payload_bytes = (size_t)length + (size_t)(number * 7919 % 300);
    memset(text->payload + length, 'x', payload_bytes - (size_t)length);
    snprintf(text->source, sizeof text->source, "source-%llu", (unsigned long long)number);
    *out = (struct log_entry){
        .received_at_us = (int64_t)number,
        .etl_version = 1,
        .kind = ENTRY_RECORD,
        .format = 1,
        .source = slice_from_cstr(text->source),
        .payload = slice_of(text->payload, payload_bytes),
    };
}

bool entry_matches(uint64_t number, const struct log_entry *entry)
{
    struct entry_text text;
    struct log_entry expected;
    entry_make(number, &text, &expected);
    bool same = entry->sequence == number && entry->received_at_us == expected.received_at_us &&
                entry->kind == expected.kind && entry->format == expected.format &&
                entry->etl_version == expected.etl_version && entry->mapping_sequence == 0 &&
                entry->header_back == 0;
    if (entry->scrubbed) {
        return same && entry->source.length == 0 && entry->payload.length == 0;
    }
    return same && !entry->created_person && slice_equal(entry->source, expected.source) &&
           slice_equal(entry->payload, expected.payload);
}

err log_append_numbers(struct log *log, uint64_t first, size_t count, struct error *error)
{
    struct entry_text *texts = malloc(count * sizeof *texts);
    struct log_entry *entries = malloc(count * sizeof *entries);
    uint64_t sequence = 0;
    CHECK(texts != NULL && entries != NULL);
    for (size_t i = 0; i < count; i++) {
        entry_make(first + i, &texts[i], &entries[i]);
    }
    err e = log->ops->append(log, entries, count, &sequence, error);
    CHECK(e != ERR_OK || (sequence == first && entries[count - 1].sequence == first + count - 1));
    free(texts);
    free(entries);
    return e;
}
