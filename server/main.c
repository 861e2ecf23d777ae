/* main.c: `kindred COMMAND …`: finds the command in the table and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "storage/checkpoint.h"

#include "commands/commands.h"
#include "commands/options.h"

static const struct command *const commands[] = {
    &command_serve,  &command_import,  &command_export,   &command_verify,
    &command_backup, &command_restore, &command_generate, &command_classify,
    &command_key,    &command_version, &command_routes, /* not listed: it has no summary */
};

static void print_overview(FILE *to)
{
    fputs("Kindred, a customer data platform: data in, one profile per person, cohorts out.\n\n"
          "usage: kindred COMMAND [options]\n\n",
          to);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (commands[i]->summary != NULL) {
            fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
        }
    }
    fputs("\n`kindred help COMMAND` explains one of them. To begin: kindred serve --demo 2000\n",
          to);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[ARRAY_COUNT(commands)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (commands[i]->summary != NULL) {
            names[count++] = commands[i]->name;
        }
    }
    const char *nearest = options_nearest(name, names, count);
    fprintf(stderr, "kindred: there is no command '%s'", name);
    if (nearest != NULL) {
        fprintf(stderr, "; did you mean '%s'?\n", nearest);
    } else {
        fputs(".\n", stderr);
    }
    fputs("`kindred --help` lists all commands.\n", stderr);
    return EXIT_CODE_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc < 3) {
        print_overview(stdout);
        return EXIT_CODE_OK;
    }
    const struct command *command = find_command(argv[2]);
    if (command == NULL) {
        return unknown_command(argv[2]);
    }
    fputs(command->help, stdout);
    return EXIT_CODE_OK;
}

int main(int argc, char **argv)
{
    /* A reader that went away is an error of that write, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    checkpoint_guard_install(EXIT_CODE_STORAGE);
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(argc, argv);
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    const struct command *command = find_command(name);
    if (command == NULL) {
        return unknown_command(name);
    }
    return command->run(argc - 1, argv + 1);
}
