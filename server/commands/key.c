/* key.c: `kindred key create|list|revoke`: the API keys of a data folder (server/keys.h). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "commands/options.h"
#include "commands/store.h"
#include "keys.h"

static const char HELP[] =
    "usage: kindred key create --role read|ingest|admin [--data DIR] [--name TEXT] [--expires-days N]\n"
    "       kindred key list [--data DIR]\n"
    "       kindred key revoke ID [--data DIR]\n"
    "\n"
    "Who may call the server. Without any key it answers on loopback addresses only, to everybody there; from the first\n"
    "key on, every request but /livez and /readyz needs one: 'Authorization: Bearer kd_…'.\n"
    "\n"
    "  create    makes a key and prints it: once, for only its digest is kept (DIR/keys.json)\n"
    "  list      shows all keys: id, role, name, when made, until when good\n"
    "  revoke    removes the key with that id; a running server notices within a second\n"
    "\n"
    "  --role WORD        read: may read profiles and cohorts · ingest: may send records, reads nothing back ·\n"
    "                     admin: may do everything\n"
    "  --data DIR         the server's data folder (./data)\n"
    "  --name TEXT        a note, for the list\n"
    "  --expires-days N   good for so many days only\n"
    "\n"
    "Example:\n"
    "  kindred key create --role ingest --name web-shop --data ./data\n"
    "\n"
    "Exit codes: 0 done · 1 could not be done · 2 usage.\n";

static const int64_t DAY_US = 86400ll * 1000000;

struct key_words {
    const char *data, *role, *name;
    uint64_t expires_days;
};

static void print_time(int64_t wall_us, const char *otherwise)
{
    char text[TIMESTAMP_TEXT_MAX];
    if (wall_us == 0) {
        printf("%-22s", otherwise);
        return;
    }
    timestamp_format(wall_us / 1000000 * 1000000, text);
    printf("%-22s", text);
}

static int report(const struct error *error)
{
    fprintf(stderr, "kindred key: %s\n", error->message);
    return EXIT_CODE_FAILED;
}

static int create(const struct key_words *words)
{
    enum role role = words->role != NULL ? role_parse(slice_from_cstr(words->role)) : ROLE_NONE;
    if (role == ROLE_NONE) {
        return options_usage_error(&command_key, "--role must be read, ingest or admin.");
    }
    if (strlen(words->name) > KEY_NAME_MAX) {
        return options_usage_error(&command_key, "--name may have at most %d bytes.", KEY_NAME_MAX);
    }
    char text[KEY_TEXT_MAX];
    struct key added;
    struct error error = {0};
    int64_t now_us = clock_wall_us(&system_clock);
    int64_t expires_at_us =
        words->expires_days > 0 ? now_us + (int64_t)words->expires_days * DAY_US : 0;
    if (keys_file_add(words->data, role, slice_from_cstr(words->name), now_us, expires_at_us,
                      &system_random, text, &added, &error) != ERR_OK) {
        return report(&error);
    }
    printf("%s\n", text);
    fprintf(
        stderr,
        "Key %s, role %s. It is shown this once; keep it. Send it as: Authorization: Bearer %.8s…\n",
        added.id, role_name(role), text);
    return EXIT_CODE_OK;
}

static int list(const struct key_words *words)
{
    struct keys *keys = NULL;
    struct error error = {0};
    if (keys_load(words->data, &keys, &error) != ERR_OK) {
        return report(&error);
    }
    if (keys->count == 0) {
        puts("No keys: the server answers on loopback addresses only, to everybody there.");
    } else {
        printf("%-10s%-8s%-22s%-22s%s\n", "id", "role", "made", "good until", "name");
    }
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = &keys->keys[i];
        printf("%-10s%-8s", key->id, role_name(key->role));
        print_time(key->created_at_us, "?");
        print_time(key->expires_at_us, "for ever");
        printf("%s\n", key->name);
    }
    keys_destroy(keys);
    return EXIT_CODE_OK;
}

static int revoke(const struct key_words *words, const char *id)
{
    struct error error = {0};
    if (keys_file_remove(words->data, slice_from_cstr(id), &error) != ERR_OK) {
        return report(&error);
    }
    printf("Revoked %s.\n", id);
    return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
    struct key_words words = {.data = "data", .name = ""};
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &words.data},
        {"role", OPTION_TEXT, &words.role},
        {"name", OPTION_TEXT, &words.name},
        {"expires-days", OPTION_COUNT, &words.expires_days},
    };
    int left = 0;
    int code = options_parse(&command_key, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    const char *verb = left > 0 ? argv[1] : "";
    if (words.expires_days > 36500) {
        return options_usage_error(&command_key, "--expires-days is at most 36500.");
    }
    if (strcmp(verb, "create") == 0 && left == 1) {
        return create(&words);
    }
    if (strcmp(verb, "list") == 0 && left == 1) {
        return list(&words);
    }
    if (strcmp(verb, "revoke") == 0 && left == 2) {
        return revoke(&words, argv[2]);
    }
    return options_usage_error(&command_key, "say create, list, or revoke ID.");
}

const struct command command_key = {
    .name = "key",
    .summary = "Make, list and revoke API keys",
    .run = run,
    .help = HELP,
};
