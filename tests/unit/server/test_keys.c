/* Tries to break: API keys: who is let in, and what a damaged file does. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "keys.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

static char folder[] = "/tmp/kindred-keys-XXXXXX";
static struct error error;

static void write_file(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/keys.json", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void test_bearer(void)
{
    EXPECT(slice_equal_cstr(keys_bearer(SLICE_LITERAL("Bearer abc")), "abc"));
    EXPECT(slice_equal_cstr(keys_bearer(SLICE_LITERAL("bEARER   abc  ")), "abc"));
    EXPECT(keys_bearer(SLICE_NONE).data == NULL);
    EXPECT(keys_bearer(SLICE_LITERAL("")).data == NULL);
    EXPECT(keys_bearer(SLICE_LITERAL("Bearer")).data == NULL);
    EXPECT(keys_bearer(SLICE_LITERAL("Basic abc")).data == NULL);
    EXPECT(keys_bearer(SLICE_LITERAL("Bearer ")).length == 0);
}

static void test_made_loaded_expired_removed(void)
{
    char text[4][KEY_TEXT_MAX];
    struct key key[4];
    struct prng prng;
    prng_seed(&prng, 1);
    struct random_source random = prng_source(&prng);
    REQUIRE(keys_file_add(folder, ROLE_READ, SLICE_LITERAL("a \"quoted\" name"), 1, 0, &random,
                          text[0], &key[0], &error) == ERR_OK);
    REQUIRE(keys_file_add(folder, ROLE_INGEST, SLICE_NONE, 1, 0, &random, text[1], &key[1],
                          &error) == ERR_OK);
    REQUIRE(keys_file_add(folder, ROLE_ADMIN, SLICE_NONE, 1, 100, &random, text[2], &key[2],
                          &error) == ERR_OK);
    struct keys *keys = NULL;
    REQUIRE(keys_load(folder, &keys, &error) == ERR_OK);
    EXPECT(keys->count == 3 && strcmp(keys->keys[0].name, "a \"quoted\" name") == 0);
    EXPECT(keys_role(keys, slice_from_cstr(text[0]), 50) == ROLE_READ);
    EXPECT(keys_role(keys, slice_from_cstr(text[1]), 50) == ROLE_INGEST);
    EXPECT(keys_role(keys, slice_from_cstr(text[2]), 99) == ROLE_ADMIN);
    EXPECT(keys_role(keys, slice_from_cstr(text[2]), 100) == ROLE_NONE);
    EXPECT(keys_role(keys, slice_of(text[0], strlen(text[0]) - 1), 50) == ROLE_NONE);
    EXPECT(keys_role(keys, SLICE_LITERAL(""), 50) == ROLE_NONE);
    EXPECT(keys_role(keys, SLICE_NONE, 50) == ROLE_NONE);
    text[0][5] ^= 1;
    EXPECT(keys_role(keys, slice_from_cstr(text[0]), 50) == ROLE_NONE);
    text[0][5] ^= 1;
    keys_destroy(keys);
    EXPECT(keys_file_remove(folder, slice_from_cstr(key[0].id), &error) == ERR_OK);
    EXPECT(keys_file_remove(folder, slice_from_cstr(key[0].id), &error) == ERR_NOT_FOUND);
    REQUIRE(keys_load(folder, &keys, &error) == ERR_OK);
    EXPECT(keys->count == 2 && keys_role(keys, slice_from_cstr(text[0]), 50) == ROLE_NONE);
    keys_destroy(keys);
}

static void test_damaged_files(void)
{
    static const char *const texts[] = {
        "{",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[1]}",
        "{\"keys\":[{\"role\":\"god\",\"sha256\":\"\"}]}",
        "{\"keys\":[{\"role\":\"read\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"00\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"-100000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\" 100000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"0g00000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"zz00000000000000000000000000000000000000000000000000000000000000\"}]}",
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"+100000000000000000000000000000000000000000000000000000000000000\"}]}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct keys *keys = NULL;
        write_file(texts[i]);
        EXPECT(keys_load(folder, &keys, &error) == ERR_INVALID && keys == NULL, ": %s", texts[i]);
    }
    write_file("");
    struct keys *keys = NULL;
    EXPECT(keys_load(folder, &keys, &error) == ERR_OK && keys->count == 0);
    keys_destroy(keys);
}

static struct prng prng;

static err add(const char *where, char text[KEY_TEXT_MAX], struct key *key)
{
    struct random_source random = prng_source(&prng);
    error = (struct error){0};
    return keys_file_add(where, ROLE_READ, SLICE_LITERAL("one"), 1, 0, &random, text, key, &error);
}

/* How many keys the file holds. */
static size_t count_keys(void)
{
    struct keys *keys = NULL;
    struct error why;
    if (keys_load(folder, &keys, &why) != ERR_OK) {
        return SIZE_MAX;
    }
    const size_t count = keys->count;
    keys_destroy(keys);
    return count;
}

/* Whatever call fails while the file changes, the old file or the new one is there, whole, and the
 * error names a file. */
static void test_every_call_fails(void)
{
    static const enum call kinds[] = {CALL_MKDIR,  CALL_OPEN,  CALL_FLOCK, CALL_READ,
                                      CALL_FCHMOD, CALL_WRITE, CALL_FSYNC, CALL_RENAME};
    char text[KEY_TEXT_MAX];
    struct key key;
    write_file("");
    REQUIRE(add(folder, text, &key) == ERR_OK, " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        for (int removing = 0; removing < 2; removing++) {
            for (unsigned n = 1;; n++) {
                char spare_text[KEY_TEXT_MAX];
                struct key spare;
                REQUIRE(add(folder, spare_text, &spare) == ERR_OK, " %s", error.message);
                const size_t before = count_keys();
                calls_break(kinds[i], n, 1, EIO);
                error = (struct error){0};
                err e = removing ? keys_file_remove(folder, slice_from_cstr(spare.id), &error)
                                 : add(folder, text, &key);
                const bool hit = calls_mend() > 0;
                const size_t after = count_keys();
                EXPECT(e == (hit ? ERR_IO : ERR_OK), " call %zu, the %u-th: %s %s", i, n,
                       err_name(e), error.message);
                EXPECT(after == before || after == before + 1 - 2 * (size_t)removing,
                       " call %zu, the %u-th: %zu of %zu", i, n, after, before);
                EXPECT(!hit || strstr(error.message, folder) != NULL, " %s", error.message);
                if (!hit) {
                    EXPECT(n > 1, " call %zu is not used", i);
                    break;
                }
            }
        }
    }
    /* A write of a part is none. */
    struct stat status;
    char path[64];
    snprintf(path, sizeof path, "%s/keys.json", folder);
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600, " nobody else reads it");
    EXPECT(add("/proc/none/of/it", text, &key) == ERR_IO && error.message[0] != '\0');
    write_file("{");
    EXPECT(add(folder, text, &key) == ERR_INVALID, " a damaged file is not written over");
    EXPECT(keys_file_remove(folder, SLICE_LITERAL("00000000"), &error) == ERR_INVALID);
}

static void test_memory_fails(void)
{
    char text[KEY_TEXT_MAX];
    struct key key;
    write_file("");
    for (unsigned n = 1;; n++) {
        failing_memory_begin(n);
        err e = add(folder, text, &key);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, " allocation %u: %lld blocks are left", n,
               (long long)end.live_blocks);
        if (!end.failed) {
            EXPECT(e == ERR_OK && n > 2);
            break;
        }
        EXPECT((e == ERR_MEMORY || e == ERR_TOO_LARGE) && error.message[0] != '\0',
               " allocation %u: %s", n, err_name(e));
        EXPECT(count_keys() == 0, " allocation %u", n);
    }
}

/* As many as there may be, and one more; a file that is too long; names that are too long. */
static void test_limits(void)
{
    enum { KEYS = 1024 };
    static char file[(KEYS + 1) * 120 + 100];
    static char large[1024 * 1024 + 100];
    char text[KEY_TEXT_MAX];
    struct key key;
    for (int count = KEYS; count <= KEYS + 1; count++) {
        size_t length = (size_t)snprintf(file, sizeof file, "{\"keys\":[");
        for (int i = 0; i < count; i++) {
            length +=
                (size_t)snprintf(file + length, sizeof file - length,
                                 "%s{\"role\":\"read\",\"sha256\":\"%064d\"}", i > 0 ? "," : "", i);
        }
        snprintf(file + length, sizeof file - length, "]}");
        write_file(file);
        struct keys *keys = NULL;
        EXPECT(keys_load(folder, &keys, &error) == (count == KEYS ? ERR_OK : ERR_INVALID),
               " %d: %s", count, error.message);
        EXPECT(keys == NULL || (keys->count == KEYS && keys->keys[KEYS - 1].name[0] == '\0'));
        keys_destroy(keys);
        if (count == KEYS) {
            EXPECT(add(folder, text, &key) == ERR_TOO_LARGE &&
                       strcmp(error.code, "keys_too_many") == 0,
                   " %s", error.message);
            EXPECT(count_keys() == KEYS);
        }
    }
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{\"keys\":[]}", 11);
    write_file(large);
    struct keys *keys = NULL;
    EXPECT(keys_load(folder, &keys, &error) == ERR_INVALID &&
               strstr(error.message, "over 1 MiB") != NULL,
           " %s", error.message);
    char token[KEY_TEXT_MAX + 2];
    memset(token, 'k', sizeof token);
    write_file("");
    REQUIRE(keys_load(folder, &keys, &error) == ERR_OK);
    EXPECT(keys_role(keys, slice_of(token, sizeof token), 1) == ROLE_NONE);
    keys_destroy(keys);
    EXPECT(strcmp(role_name(ROLE_NONE), "none") == 0 &&
           role_parse(SLICE_LITERAL("none")) == ROLE_NONE);
}

int main(void)
{
    prng_seed(&prng, 2);
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    RUN(test_bearer);
    RUN(test_made_loaded_expired_removed);
    RUN(test_damaged_files);
    RUN(test_every_call_fails);
    RUN(test_memory_fails);
    RUN(test_limits);
    char path[64];
    static const char *const names[] = {"keys.json", "keys.lock", "keys.json.new"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return test_summary();
}
