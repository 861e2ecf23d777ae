/* keys.h: who may call. API keys in DIR/keys.json (mode 0600), stored as SHA-256, never in clear.
 *
 *   kd_<role>_<43 characters of base64url: 32 random bytes>      shown once, by `kindred key create`
 *
 *   role     may call routes of scope
 *   read     read
 *   ingest   ingest; it cannot read anything back
 *   admin    all
 *
 * A key with 256 random bits needs no slow hash. Comparison of digests takes the same time wherever
 * they differ, and all keys are compared with, whichever matches.
 *
 * The file is replaced whole (written beside, synced, renamed), so a reader sees the old or the new
 * one. The server loads it again on SIGHUP and when it changed; a file it cannot read leaves the
 * old keys in force.
 *
 * Threading: a loaded set is immutable; keys_file_* change the file, one process at a time (a lock
 * file). */
#ifndef KINDRED_SERVER_KEYS_H
#define KINDRED_SERVER_KEYS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

enum role { ROLE_NONE = 0, ROLE_READ, ROLE_INGEST, ROLE_ADMIN };
const char *role_name(enum role role);
enum role role_parse(struct slice name); /* ROLE_NONE when it is none */

enum {
    KEY_TEXT_MAX = 64,
    KEY_ID_MAX = 16,
    KEY_NAME_MAX = 64,
    KEYS_MAX = 1024,
    KEY_DIGEST_BYTES = 32
};

struct key {
    char id[KEY_ID_MAX]; /* first hexadecimal digits of the digest: names it in list and revoke */
    char name[KEY_NAME_MAX + 1];
    enum role role;
    unsigned char digest[KEY_DIGEST_BYTES];
    int64_t created_at_us;
    int64_t expires_at_us; /* 0: never */
};

struct keys {
    size_t count;
    uint64_t generation; /* differs between any two loads of a process */
    struct key keys[];
};

/* An absent file is an empty set. Owned by caller, keys_destroy. ERR_INVALID when the file is no
 * such file, ERR_IO when it cannot be read. */
err keys_load(const char *data_folder, struct keys **out, struct error *error) MUST_USE;
void keys_destroy(struct keys *keys);

/* The role that `token` grants now; ROLE_NONE when it is unknown or expired. */
enum role keys_role(const struct keys *keys, struct slice token, int64_t now_us);

/* "Bearer <token>", the scheme without case; SLICE_NONE when it is not that. */
struct slice keys_bearer(struct slice authorization);

/* Makes the data folder when absent. `text` gets the key itself, the only time it is seen. */
err keys_file_add(const char *data_folder, enum role role, struct slice name, int64_t now_us,
                  int64_t expires_at_us, const struct random_source *random,
                  char text[KEY_TEXT_MAX], struct key *added, struct error *error) MUST_USE;
/* ERR_NOT_FOUND when no key has that id. */
err keys_file_remove(const char *data_folder, struct slice id, struct error *error) MUST_USE;

#endif
