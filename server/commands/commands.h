/* commands.h: the words after `kindred`, in one table (server/main.c).
 *
 * A command is one file in server/commands/ that defines one `const struct command`. It parses its
 * own options with options.h, prints what a person wants to read to standard output, trouble to
 * standard error, and returns one of the exit codes below.
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_COMMANDS_H
#define KINDRED_COMMANDS_COMMANDS_H

#include <stddef.h>

struct command {
    const char *name;
    const char *summary;               /* one line, no full stop: for `kindred --help` */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *help; /* the whole of `kindred help NAME`, ending in a line break */
};

/* Documented in docs/operations.md; scripts may rely on them. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,  /* the job could not be done; the message says why */
    EXIT_CODE_USAGE = 2,   /* unknown command or option, bad value, bad configuration file */
    EXIT_CODE_STORAGE = 3, /* a write or sync failed, or stored bytes are damaged */
    EXIT_CODE_LOCKED = 4,  /* another process uses the data folder */
};

extern const struct command command_serve, command_key, command_routes, command_version;
extern const struct command command_import, command_export, command_verify, command_generate;
extern const struct command command_backup, command_restore, command_classify;

#endif
