#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "ingest/json_reader.h"

enum { PATH_BYTES_MAX = 1100, KEYS_FILE_BYTES_MAX = 1024 * 1024, KEY_RANDOM_BYTES = 32 };

const char *role_name(enum role role)
{
    switch (role) {
    case ROLE_READ: return "read";
    case ROLE_INGEST: return "ingest";
    case ROLE_ADMIN: return "admin";
    case ROLE_NONE: break;
    }
    return "none";
}

enum role role_parse(struct slice name)
{
    for (enum role role = ROLE_READ; role <= ROLE_ADMIN; role++) {
        if (slice_equal_cstr(name, role_name(role))) {
            return role;
        }
    }
    return ROLE_NONE;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void path_of(const char *folder, const char *name, char out[PATH_BYTES_MAX])
{
    snprintf(out, PATH_BYTES_MAX, "%s/%s", folder, name);
}

static err no_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the keys.");
}

static err bad_file(struct error *error, const char *why)
{
    return error_set(error, ERR_INVALID, "keys_file", 0,
                     "keys.json is damaged (%s). Restore it, or remove it and "
                     "make new keys with `kindred key create`.",
                     why);
}

static bool hex_to_bytes(struct slice hex, unsigned char *out, size_t length)
{
    if (hex.length != 2 * length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {hex.data[2 * i], hex.data[2 * i + 1], '\0'};
        char *end = NULL;
        out[i] = (unsigned char)strtoul(pair, &end, 16);
        if (end != pair + 2 || pair[0] == '+' || pair[0] == '-' || pair[0] == ' ') {
            return false;
        }
    }
    return true;
}

static void bytes_to_hex(const unsigned char *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void copy_text(struct slice from, char *to, size_t room)
{
    size_t length = from.length < room - 1 ? from.length : room - 1;
    if (length > 0) { /* an absent slice has no address to copy from */
        memcpy(to, from.data, length);
    }
    to[length] = '\0';
}

static void set_id(struct key *key)
{
    bytes_to_hex(key->digest, 4, key->id);
}

static err read_one(json_value value, struct key *key, struct error *error)
{
    struct slice name = json_text(json_get(value, "name"));
    struct slice digest = json_text(json_get(value, "sha256"));
    key->role = role_parse(json_text(json_get(value, "role")));
    if (key->role == ROLE_NONE || digest.data == NULL ||
        !hex_to_bytes(digest, key->digest, KEY_DIGEST_BYTES)) {
        return bad_file(error, "a key without role or digest");
    }
    copy_text(name.data != NULL ? name : SLICE_LITERAL(""), key->name, sizeof key->name);
    key->created_at_us = json_integer(json_get(value, "created_at_us"));
    key->expires_at_us = json_integer(json_get(value, "expires_at_us"));
    set_id(key);
    return ERR_OK;
}

static uint64_t next_generation(void)
{
    static _Atomic uint64_t generation;
    return atomic_fetch_add(&generation, 1) + 1;
}

static err parse_keys(struct slice text, struct keys **out, struct error *error)
{
    struct json_document *document = NULL;
    struct error why;
    err read = json_read(text, &document, &why);
    if (read != ERR_OK) {
        return read == ERR_MEMORY ? no_memory(error) : bad_file(error, why.message);
    }
    json_value list = json_get(json_root(document), "keys");
    size_t count = json_count(list);
    struct keys *keys = NULL;
    err e = ERR_OK;
    if (json_type(list) != JSON_ARRAY || count > KEYS_MAX) {
        e = bad_file(error, "no list of at most 1,024 keys");
        goto out;
    }
    keys = memory_zalloc(sizeof *keys + count * sizeof keys->keys[0]);
    if (keys == NULL) {
        e = no_memory(error);
        goto out;
    }
    for (struct json_iterator i = json_iterate(list); e == ERR_OK && json_next(&i);) {
        e = read_one(i.value, &keys->keys[keys->count++], error);
    }
    keys->generation = next_generation();
out:
    json_document_destroy(document);
    if (e != ERR_OK) {
        memory_free(keys);
        return e;
    }
    *out = keys;
    return ERR_OK;
}

/* *text is owned by caller; empty when the file is absent. */
static err read_file(const char *path, struct buffer *text, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : error_set_errno(error, errno, "open", path);
    }
    err e = ERR_OK;
    size_t total = 0;
    for (;;) {
        char piece[4096];
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0) {
            e = error_set_errno(error, errno, "read", path);
        }
        if (got <= 0) {
            break;
        }
        buffer_append(text, piece, (size_t)got);
        total += (size_t)got;
    }
    close(fd);
    if (e == ERR_OK && text->failed) {
        e = total > KEYS_FILE_BYTES_MAX ? bad_file(error, "over 1 MiB") : no_memory(error);
    }
    return e;
}

err keys_load(const char *data_folder, struct keys **out, struct error *error)
{
    char path[PATH_BYTES_MAX];
    path_of(data_folder, "keys.json", path);
    struct buffer text;
    buffer_init(&text, KEYS_FILE_BYTES_MAX);
    err e = read_file(path, &text, error);
    if (e == ERR_OK) {
        struct slice json = text.length > 0 ? buffer_slice(&text) : SLICE_LITERAL("{\"keys\":[]}");
        e = parse_keys(json, out, error);
    }
    buffer_deinit(&text);
    return e;
}

void keys_destroy(struct keys *keys)
{
    memory_free(keys);
}

/* ---- asking --------------------------------------------------------------------------------- */

struct slice keys_bearer(struct slice authorization)
{
    struct slice scheme = slice_of(authorization.data, authorization.length < 7 ? 0 : 7);
    if (authorization.data == NULL ||
        !slice_equal_ignoring_case(scheme, SLICE_LITERAL("bearer "))) {
        return SLICE_NONE;
    }
    return slice_trim(slice_of(authorization.data + 7, authorization.length - 7));
}

enum role keys_role(const struct keys *keys, struct slice token, int64_t now_us)
{
    if (token.data == NULL || token.length == 0 || token.length > KEY_TEXT_MAX) {
        return ROLE_NONE;
    }
    unsigned char digest[KEY_DIGEST_BYTES];
    SHA256((const unsigned char *)token.data, token.length, digest);
    enum role role = ROLE_NONE;
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = &keys->keys[i];
        bool alive = key->expires_at_us == 0 || now_us < key->expires_at_us;
        if (CRYPTO_memcmp(digest, key->digest, KEY_DIGEST_BYTES) == 0 && alive) {
            role = key->role;
        }
    }
    return role;
}

/* ---- changing the file
 * ---------------------------------------------------------------------------- */

static void write_json(const struct keys *keys, struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json_object_begin(&json);
    json_key(&json, "keys");
    json_array_begin(&json);
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = &keys->keys[i];
        char digest[2 * KEY_DIGEST_BYTES + 1];
        bytes_to_hex(key->digest, KEY_DIGEST_BYTES, digest);
        json_object_begin(&json);
        json_member_cstr(&json, "name", key->name);
        json_member_cstr(&json, "role", role_name(key->role));
        json_member_cstr(&json, "sha256", digest);
        json_key(&json, "created_at_us");
        json_i64(&json, key->created_at_us);
        json_key(&json, "expires_at_us");
        json_i64(&json, key->expires_at_us);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    buffer_append_char(out, '\n');
}

static err sync_folder(const char *folder, struct error *error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return error_set_errno(error, why, "sync", folder);
    }
    close(fd);
    return ERR_OK;
}

static err replace_file(const char *folder, const struct keys *keys, struct error *error)
{
    char path[PATH_BYTES_MAX];
    char beside[PATH_BYTES_MAX];
    path_of(folder, "keys.json", path);
    path_of(folder, "keys.json.new", beside);
    struct buffer text;
    buffer_init(&text, KEYS_FILE_BYTES_MAX);
    write_json(keys, &text);
    err e = text.failed
                ? error_set(error, ERR_TOO_LARGE, "keys_too_many", 0, "There are too many keys.")
                : ERR_OK;
    int fd = e == ERR_OK ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (e == ERR_OK && fd < 0) {
        e = error_set_errno(error, errno, "create", beside);
    }
    if (e == ERR_OK) {
        bool written = fchmod(fd, 0600) == 0 &&
                       write(fd, text.data, text.length) == (ssize_t)text.length &&
                       fsync(fd) == 0 && rename(beside, path) == 0;
        e = written ? sync_folder(folder, error) : error_set_errno(error, errno, "write", beside);
    }
    if (fd >= 0) {
        close(fd);
    }
    buffer_deinit(&text);
    return e;
}

/* Two `kindred key` at the same time must not lose one's change. Returns a descriptor to close, or
 * -1. */
static int lock_keys(const char *folder, struct error *error)
{
    char path[PATH_BYTES_MAX];
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        (void)error_set_errno(error, errno, "make", folder);
        return -1;
    }
    path_of(folder, "keys.lock", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        (void)error_set_errno(error, errno, "lock", path);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static void make_text(enum role role, const struct random_source *random, char text[KEY_TEXT_MAX])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[KEY_RANDOM_BYTES + 1] = {0};
    random_fill(random, bytes, KEY_RANDOM_BYTES);
    int length = snprintf(text, KEY_TEXT_MAX, "kd_%s_", role_name(role));
    for (size_t bit = 0; bit < KEY_RANDOM_BYTES * 8; bit += 6) {
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        text[length++] = alphabet[pair >> (10 - bit % 8) & 63];
    }
    text[length] = '\0';
    OPENSSL_cleanse(bytes, sizeof bytes);
}

err keys_file_add(const char *data_folder, enum role role, struct slice name, int64_t now_us,
                  int64_t expires_at_us, const struct random_source *random,
                  char text[KEY_TEXT_MAX], struct key *added, struct error *error)
{
    CHECK(role != ROLE_NONE);
    int lock = lock_keys(data_folder, error);
    if (lock < 0) {
        return ERR_IO;
    }
    struct keys *keys = NULL;
    err e = keys_load(data_folder, &keys, error);
    if (e == ERR_OK && keys->count >= KEYS_MAX) {
        e = error_set(error, ERR_TOO_LARGE, "keys_too_many", 0,
                      "There are 1,024 keys already; revoke some first.");
    }
    if (e == ERR_OK) {
        struct keys *grown =
            memory_realloc(keys, sizeof *keys + (keys->count + 1) * sizeof keys->keys[0]);
        if (grown == NULL) {
            e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the keys.");
        } else {
            keys = grown;
        }
    }
    if (e == ERR_OK) {
        struct key *key = &keys->keys[keys->count++];
        memset(key, 0, sizeof *key);
        make_text(role, random, text);
        SHA256((const unsigned char *)text, strlen(text), key->digest);
        copy_text(name, key->name, sizeof key->name);
        key->role = role;
        key->created_at_us = now_us;
        key->expires_at_us = expires_at_us;
        set_id(key);
        *added = *key;
        e = replace_file(data_folder, keys, error);
    }
    keys_destroy(keys);
    close(lock);
    return e;
}

err keys_file_remove(const char *data_folder, struct slice id, struct error *error)
{
    int lock = lock_keys(data_folder, error);
    if (lock < 0) {
        return ERR_IO;
    }
    struct keys *keys = NULL;
    err e = keys_load(data_folder, &keys, error);
    if (e == ERR_OK) {
        size_t kept = 0;
        for (size_t i = 0; i < keys->count; i++) {
            if (!slice_equal_cstr(id, keys->keys[i].id)) {
                keys->keys[kept++] = keys->keys[i];
            }
        }
        if (kept == keys->count) {
            e = error_set(error, ERR_NOT_FOUND, "key_unknown", 0,
                          "There is no key '%.*s'; `kindred key list` shows them.", SLICE_ARGS(id));
        } else {
            keys->count = kept;
            e = replace_file(data_folder, keys, error);
        }
    }
    keys_destroy(keys);
    close(lock);
    return e;
}
