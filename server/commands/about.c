/* about.c: `kindred version`, and `kindred routes`, which prints the route table for tests and
 * tools. */
#include <stdio.h>

#include "commands/options.h"
#include "openapi.h"

static int run_version(int argc, char **argv)
{
    int left = 0;
    int code = options_parse(&command_version, NULL, 0, argc, argv, &left);
    if (code == OPTIONS_GO_ON) {
        printf("kindred %s\n", KINDRED_VERSION);
        code = EXIT_CODE_OK;
    }
    return code;
}

const struct command command_version = {
    .name = "version",
    .summary = "Print the version",
    .run = run_version,
    .help = "usage: kindred version\n\nPrints name and version.\n",
};

static int run_routes(int argc, char **argv)
{
    int left = 0;
    int code = options_parse(&command_routes, NULL, 0, argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    struct buffer out;
    buffer_init(&out, 1024 * 1024);
    struct json_writer json = json_writer_of(&out);
    openapi_write_routes(&json);
    printf("%.*s\n", (int)out.length, out.data);
    buffer_deinit(&out);
    return EXIT_CODE_OK;
}

const struct command command_routes = {
    .name = "routes",
    .run = run_routes,
    .help = "usage: kindred routes\n\nPrints the server's route table as JSON.\n",
};
