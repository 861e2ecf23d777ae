/* config.h: `kindred serve --config FILE`: the options of the command line as JSON, plus the
 * settings of intake.
 *
 *   {"data": "./data", "listen": "127.0.0.1:8080", "workers": 4, "durability": "fsync", "demo": 0,
 *    "model": "FILE" | "none",
 *    "limits": {"connections": 16384, "queue": 4096, "header_timeout_ms": 10000, …},
 *    "checkpoint": {"entries": 200000, "seconds": 30},
 *    "settings": {…}}                                             ingest/settings.h
 *
 * Unknown members are errors: a typo must not be silent. The command line wins over the file.
 *
 * Threading: any. */
#ifndef KINDRED_SERVER_CONFIG_H
#define KINDRED_SERVER_CONFIG_H

#include "base/buffer.h"
#include "server.h"

enum { CONFIG_BYTES_MAX = 8 * 1024 * 1024 };

struct config {
    struct server_options options;
    char data[1024];
    char model[1024];       /* "": the built-in one */
    struct buffer settings; /* options.settings_json points here */
};

void config_init(struct config *config);
void config_deinit(struct config *config);
/* Takes over what the text says, leaves the rest. error->position is the byte in `json` where that
 * is known. */
err config_parse(struct config *config, struct slice json, struct error *error) MUST_USE;
err config_read_file(struct config *config, const char *path, struct error *error) MUST_USE;

#endif
