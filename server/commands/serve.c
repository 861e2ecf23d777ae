/* serve.c: `kindred serve`: starts the server, says where it is, waits for signals, stops it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands/options.h"
#include "commands/store.h"
#include "config.h"
#include "ingest/json_reader.h"
#include "server.h"

static const char HELP[] =
    "usage: kindred serve [--data DIR] [--listen HOST:PORT] [options]\n"
    "\n"
    "Starts the server: HTTP in, data in DIR, until SIGTERM or SIGINT. Then it accepts nothing more, finishes what it\n"
    "accepted, writes a checkpoint and ends with 0.\n"
    "\n"
    "  --data DIR            where the data lives; made when absent (./data)\n"
    "  --listen HOST:PORT    where to answer (127.0.0.1:8080). Without keys only a loopback address is allowed; see\n"
    "                        `kindred help key`. Port 0 takes any free one\n"
    "  --workers N           threads that answer requests (one per core)\n"
    "  --durability WORD     when a write is answered (fsync):\n"
    "                          fsync     after it is on disk: nothing acknowledged is ever lost\n"
    "                          interval  at once; synced every second: a power cut may lose the last second\n"
    "                          os        at once; the kernel decides: a power cut may lose half a minute\n"
    "  --memory-max SIZE     memory in use from which what adds data gets 507; reads, erasures and deletions go on. Like 12G\n"
    "                        (times 1,000); 0: no cap (80 % of the machine's or the control group's memory)\n"
    "  --model FILE          the trained model that says what interests are about (the built-in one); none: rules and\n"
    "                        examples only. After a change everything is classified anew, beside the work\n"
    "  --config FILE         these options and more as JSON; the command line wins. Members: data, listen, workers,\n"
    "                        durability, model, demo; settings {…} (docs/ingestion.md); limits {connections, queue,\n"
    "                        memory_max_bytes, header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms,\n"
    "                        stop_timeout_ms}; checkpoint {entries, seconds}\n"
    "  --demo N              when the folder is new: begin with N made-up people\n"
    "\n"
    "Signals: SIGTERM, SIGINT stop it; SIGHUP reads the keys again (so does a change of DIR/keys.json).\n"
    "\n"
    "Examples:\n"
    "  kindred serve --data ./data --demo 2000\n"
    "  kindred key create --role admin --data ./data && kindred serve --data ./data --listen 0.0.0.0:8080\n"
    "\n"
    "Exit codes: 0 stopped · 1 could not start · 2 usage · 3 storage failed or is damaged · 4 data folder in use.\n";

/* ---- options -------------------------------------------------------------------------------- */

struct serve_words {
    const char *data, *listen, *durability, *config, *model;
    uint64_t workers, demo, memory_max; /* memory_max: UINT64_MAX when not given */
};

static int apply_words(struct config *config, const struct serve_words *words)
{
    struct error error = {0};
    struct server_options *options = &config->options;
    if (words->data != NULL) {
        options->data = words->data;
    }
    if (words->model != NULL) {
        if (words->model[0] == '\0' || strlen(words->model) >= sizeof config->model) {
            return options_usage_error(&command_serve,
                                       "--model needs the path of a model's file, or none.");
        }
        memcpy(config->model, words->model, strlen(words->model) + 1);
    }
    if (words->listen != NULL && listen_parse(slice_from_cstr(words->listen), options->host,
                                              &options->port, &error) != ERR_OK) {
        return options_usage_error(&command_serve, "%s", error.message);
    }
    if (words->durability != NULL && !durability_parse(words->durability, &options->durability)) {
        return options_usage_error(
            &command_serve, "--durability is fsync, interval or os, not '%s'.", words->durability);
    }
    if (words->workers > WORKERS_MAX) {
        return options_usage_error(&command_serve, "--workers is at most %d.", WORKERS_MAX);
    }
    if (words->workers > 0) {
        options->workers = (unsigned)words->workers;
    }
    if (words->memory_max != UINT64_MAX) {
        options->memory_max_bytes = words->memory_max;
    }
    if (options->memory_max_bytes != 0 && options->memory_max_bytes < MEMORY_CAP_LEAST_BYTES) {
        return options_usage_error(&command_serve,
                                   "--memory-max is at least %llu bytes, or 0 for none.",
                                   (unsigned long long)MEMORY_CAP_LEAST_BYTES);
    }
    if (words->demo > 0) {
        options->demo_people = words->demo;
    }
    if (options->data[0] == '\0' || strlen(options->data) > 1000) {
        return options_usage_error(&command_serve, "--data needs the path of a folder.");
    }
    return OPTIONS_GO_ON;
}

static int read_words(struct config *config, int argc, char **argv)
{
    struct serve_words words = {.memory_max = UINT64_MAX};
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &words.data},
        {"listen", OPTION_TEXT, &words.listen},
        {"workers", OPTION_COUNT, &words.workers},
        {"durability", OPTION_TEXT, &words.durability},
        {"config", OPTION_TEXT, &words.config},
        {"demo", OPTION_COUNT, &words.demo},
        {"memory-max", OPTION_COUNT, &words.memory_max},
        {"model", OPTION_TEXT, &words.model},
    };
    int left = 0;
    int code = options_parse(&command_serve, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (left > 0) {
        return options_usage_error(&command_serve, "'%s' is not an option.", argv[1]);
    }
    struct error error = {0};
    if (words.config != NULL && config_read_file(config, words.config, &error) != ERR_OK) {
        return options_usage_error(&command_serve, "%s: %s", words.config, error.message);
    }
    return apply_words(config, &words);
}

/* ---- what is printed ------------------------------------------------------------------------ */

static void print_base(const struct server *server, char base[300])
{
    const char *host = server->options.host[0] != '\0' ? server->options.host : "localhost";
    bool v6 = strchr(host, ':') != NULL;
    snprintf(base, 300, "http://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", server->port);
}

/* One of the first people, as JSON without expansion, who has both a cookie and an e-mail if there
 * is one. */
static bool find_example(struct server *server, char cookie[128], char email[128])
{
    enum { LOOK_AT = 200 };
    struct engine *engine = atomic_load(&server->engine);
    uint32_t numbers[LOOK_AT];
    uint64_t total = 0;
    uint32_t next = 0;
    bool found = false;
    struct buffer text;
    buffer_init(&text, 1024 * 1024);
    gate_enter(server->gate, server->worker_count);
    size_t count = engine_page(engine, COHORT_NONE, true, 1, LOOK_AT, numbers, &total, &next);
    for (size_t i = 0; i < count && !found; i++) {
        struct json_document *document = NULL;
        struct json_writer json = json_writer_of(&text);
        buffer_clear(&text);
        engine_write_user(engine, numbers[i], 0, &json);
        if (json_read(buffer_slice(&text), &document, NULL) == ERR_OK) {
            struct slice a = json_text(json_get(json_root(document), "cookie"));
            struct slice b = json_text(json_get(json_root(document), "email"));
            found = a.length > 0 && a.length < 128 && b.length > 0 && b.length < 128;
            if (found) {
                snprintf(cookie, 128, "%.*s", SLICE_ARGS(a));
                snprintf(email, 128, "%.*s", SLICE_ARGS(b));
            }
            json_document_destroy(document);
        }
    }
    gate_leave(server->gate, server->worker_count);
    buffer_deinit(&text);
    return found;
}

static void print_examples(struct server *server, const char *base)
{
    char cookie[128];
    char email[128];
    const char *key =
        atomic_load(&server->keys_required) ? " -H 'Authorization: Bearer YOUR_KEY'" : "";
    puts("\nTry:");
    if (find_example(server, cookie, email)) {
        printf("  curl%s '%s/api/user?cookie=%s'\n", key, base, cookie);
        printf("  curl%s '%s/api/user?email=%s&expand=all'\n", key, base, email);
        printf("  curl%s '%s/api/cohort/users?cohort=sports&limit=3'\n", key, base);
    } else {
        printf(
            "  curl%s -X POST %s/api/ingest -H 'Content-Type: application/json' \\\n"
            "       -d '{\"data\":{\"cookie\":\"dk5h2p9s7f3j\",\"email\":\"ann@example.com\",\"interests\":[\"tennis\"]}}'\n",
            key, base);
        printf("  curl%s '%s/api/user?email=ann@example.com'\n", key, base);
    }
    printf("  curl%s '%s/api/cohorts'\n", key, base);
}

static void print_ready(struct server *server)
{
    char base[300];
    print_base(server, base);
    struct engine_stats stats;
    gate_enter(server->gate, server->worker_count);
    engine_stats(atomic_load(&server->engine), &stats);
    gate_leave(server->gate, server->worker_count);
    printf("Ready: %s\n", base);
    printf("  data       %s (%llu people%s)\n", server->options.data,
           (unsigned long long)stats.people, server->demo_loaded ? ", made up for the demo" : "");
    printf("  workers    %u\n  durability %s\n", server->worker_count,
           durability_word(server->options.durability));
    if (server->options.model.model != NULL) {
        printf("  model      %s (%016llx, %s)\n", server->options.model.classifier->name,
               (unsigned long long)server->options.model.classifier->version,
               model_kernel(server->options.model.model));
    } else {
        puts("  model      none: interests go by rules and examples only");
    }
    printf("  keys       %s\n", atomic_load(&server->keys_required)
                                    ? "required"
                                    : "none: loopback only (`kindred help key`)");
    print_examples(server, base);
    puts("\nCtrl-C stops it.");
    fflush(stdout);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* What tells one state of keys.json from the next. */
static struct timespec keys_changed_at(const struct server *server, ino_t *inode)
{
    char path[1100];
    struct stat status = {0};
    snprintf(path, sizeof path, "%s/keys.json", server->options.data);
    (void)!stat(path, &status);
    *inode = status.st_ino;
    return status.st_mtim;
}

static void reload(struct server *server)
{
    struct error error = {0};
    if (server_reload_keys(server, &error) == ERR_OK) {
        puts("Keys read again.");
    } else {
        fprintf(stderr, "kindred serve: %s The old keys stay in force.\n", error.message);
    }
    fflush(stdout);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Until a signal to stop, or the engine thread ended by itself. */
static void wait_for_end(struct server *server, const sigset_t *signals)
{
    bool announced = false;
    ino_t inode = 0;
    struct timespec seen = keys_changed_at(server, &inode);
    while (!server_failed(server)) {
        if (!announced && server_ready(server)) {
            announced = true;
            print_ready(server);
        }
        struct timespec wait = {.tv_sec = announced, .tv_nsec = announced ? 0 : 20000000};
        int number = sigtimedwait(signals, NULL, &wait);
        if (number == SIGTERM || number == SIGINT) {
            if (!announced) {
                /* Recovery only reads the log into memory: nothing is lost by not finishing it. */
                fputs("kindred serve: stopped before it was ready.\n", stderr);
                fflush(NULL);
                _exit(EXIT_CODE_OK);
            }
            return;
        }
        ino_t inode_now = 0;
        struct timespec now = keys_changed_at(server, &inode_now);
        if (number == SIGHUP || !same_time(now, seen) || inode_now != inode) {
            seen = now;
            inode = inode_now;
            reload(server);
        }
    }
}

static int exit_code_of(const struct error *error)
{
    return store_report(&command_serve, error);
}

static int serve(const struct server_options *options)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    /* Before any thread is made: all of them inherit it, and only this one takes signals. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct error error = {0};
    struct server *server = NULL;
    error.err = server_create(options, &server, &error);
    if (error.err != ERR_OK) {
        return exit_code_of(&error);
    }
    error.err = server_start(server, &error);
    if (error.err == ERR_OK) {
        wait_for_end(server, &signals);
        if (!server_failed(server)) {
            puts("Stopping: finishing what was accepted.");
            fflush(stdout);
        }
    }
    struct error stop_error = {0};
    stop_error.err = server_stop(server, &stop_error);
    if (error.err == ERR_OK) {
        error = stop_error;
    }
    server_destroy(server);
    if (error.err != ERR_OK) {
        return exit_code_of(&error);
    }
    puts("Stopped.");
    return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
    struct config config;
    config_init(&config);
    int code = read_words(&config, argc, argv);
    struct error error = {0};
    if (code == OPTIONS_GO_ON) {
        error.err = model_choice_open(config.model[0] != '\0' ? config.model : NULL,
                                      &config.options.model, &error);
        code = error.err == ERR_OK ? serve(&config.options) : exit_code_of(&error);
    }
    model_choice_close(&config.options.model);
    config_deinit(&config);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "Start the server",
    .run = run,
    .help = HELP,
};
