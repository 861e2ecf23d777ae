/* Tries to break: reading the configuration file of `kindred serve`. Whatever is accepted is within
 * its limits. */
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct error error = {0};
    config_init(&config);
    err e = config_parse(&config, slice_of(data, size), &error);
    const struct server_options *options = &config.options;
    if (e == ERR_OK) {
        CHECK(options->workers >= 1 && options->workers <= WORKERS_MAX);
        CHECK(options->queue_max >= 1 && options->connections_max >= 1 &&
              options->checkpoint_entries >= 1);
        CHECK(strlen(options->host) < HOST_TEXT_MAX && options->data[0] != '\0');
    } else {
        CHECK(error.code[0] != '\0' && error.message[0] != '\0');
    }
    config_deinit(&config);
    return 0;
}
