#include "commands/import_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "ingest/json_reader.h"

enum { END_BYTES = 64 * 1024, STATE_BYTES_MAX = 4096 };
static const int64_t NOTE_EVERY_US = 1000000;

/* Size, first and last 64 KiB, and the destination. A file that was changed only in its middle
 * passes here; the fingerprints of its parts then do not match their keys, and the import stops
 * with a clear message. */
static void fingerprint(struct import_state *state, int fd, const char *target)
{
    char bytes[END_BYTES];
    struct stat info = {0};
    uint64_t hash = hash64(slice_from_cstr(target), 1);
    if (fstat(fd, &info) == 0) {
        hash ^= (uint64_t)info.st_size * 0x9E3779B97F4A7C15u;
    }
    off_t tail = info.st_size > END_BYTES ? info.st_size - END_BYTES : 0;
    ssize_t got = pread(fd, bytes, sizeof bytes, 0);
    hash = hash64(slice_of(bytes, got > 0 ? (size_t)got : 0), hash);
    got = pread(fd, bytes, sizeof bytes, tail);
    hash = hash64(slice_of(bytes, got > 0 ? (size_t)got : 0), hash);
    snprintf(state->fingerprint, sizeof state->fingerprint, "%016llx", (unsigned long long)hash);
}

static bool read_note(struct import_state *state)
{
    int fd = open(state->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char text[STATE_BYTES_MAX];
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    struct json_document *document = NULL;
    if (got <= 0 || json_read(slice_of(text, (size_t)got), &document, NULL) != ERR_OK) {
        return false;
    }
    json_value root = json_root(document);
    struct slice run = json_text(json_get(root, "run"));
    int64_t parts = json_integer(json_get(root, "parts"));
    int64_t reject_bytes = json_integer(json_get(root, "reject_bytes"));
    bool ours = slice_equal_cstr(json_text(json_get(root, "fingerprint")), state->fingerprint) &&
                run.length > 0 && run.length < sizeof state->run && parts >= 0 && reject_bytes >= 0;
    if (ours) {
        memcpy(state->run, run.data, run.length);
        state->run[run.length] = '\0';
        state->parts = (uint64_t)parts;
        state->reject_bytes = (uint64_t)reject_bytes;
    }
    json_document_destroy(document);
    return ours;
}

/* Replaced by renaming, so that a crash leaves the old note or the new one. */
static bool write_note(const struct import_state *state)
{
    char temporary[sizeof state->path + 8];
    snprintf(temporary, sizeof temporary, "%s.new", state->path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    char text[STATE_BYTES_MAX];
    int length = snprintf(
        text, sizeof text,
        "{\"what\": \"an interrupted kindred import; the same command goes on where it stopped\",\n"
        " \"fingerprint\": \"%s\", \"run\": \"%s\", \"parts\": %llu, \"reject_bytes\": %llu}\n",
        state->fingerprint, state->run, (unsigned long long)state->parts,
        (unsigned long long)state->reject_bytes);
    bool good = write(fd, text, (size_t)length) == length && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good && rename(temporary, state->path) == 0;
}

void import_state_note(struct import_state *state, uint64_t parts, bool now)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    state->parts = parts;
    if (state->path[0] == '\0' || (!now && now_us - state->written_us < NOTE_EVERY_US)) {
        return;
    }
    state->written_us = now_us;
    if (!write_note(state) && !state->warned) {
        state->warned = true;
        fprintf(
            stderr,
            "kindred import: cannot write %s (%s); if this run is interrupted, it starts again from the "
            "beginning.\n",
            state->path, strerror(errno));
    }
}

void import_state_open(struct import_state *state, const char *path, int fd, const char *target)
{
    *state = (struct import_state){0};
    uint64_t run = 0;
    random_fill(&system_random, &run, sizeof run);
    snprintf(state->run, sizeof state->run, "%016llx", (unsigned long long)run);
    if (path == NULL || lseek(fd, 0, SEEK_SET) != 0) {
        return;
    }
    fingerprint(state, fd, target);
    size_t length = strlen(path);
    bool folder = length > 0 && path[length - 1] == '/';
    snprintf(state->path, sizeof state->path, "%s%s%s%s", path, folder ? "import-" : "",
             folder ? state->fingerprint : "", folder ? ".state" : "");
    state->resumed = read_note(state);
    state->skip_parts = state->parts;
    if (!state->resumed) {
        /* The run id must be on disk before the first part is taken under it. */
        import_state_note(state, 0, true);
    }
}

void import_state_finish(struct import_state *state)
{
    if (state->path[0] != '\0') {
        unlink(state->path);
    }
}
