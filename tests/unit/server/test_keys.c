/* Tries to break: API keys: who is let in, and what a damaged file does. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "keys.h"
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
        "{\"keys\":[{\"role\":\"read\",\"sha256\":\"00\"}]}",
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

int main(void)
{
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    RUN(test_bearer);
    RUN(test_made_loaded_expired_removed);
    RUN(test_damaged_files);
    char path[64];
    static const char *const names[] = {"keys.json", "keys.lock", "keys.json.new"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return test_summary();
}
