/* Tries to break: the configuration file, the address to listen on, and the command line's own
 * parser. */
#include "commands/options.h"
#include "config.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

static struct error error;

static err parse(struct config *config, const char *text)
{
    error = (struct error){0};
    return config_parse(config, slice_from_cstr(text), &error);
}

static void test_config(void)
{
    struct config config;
    config_init(&config);
    EXPECT(config.options.port == 8080 && config.options.durability == DURABILITY_FSYNC);
    EXPECT(
        parse(
            &config,
            "{\"data\":\"/x\",\"listen\":\"[::1]:99\",\"workers\":3,\"durability\":\"os\",\"demo\":5,"
            "\"limits\":{\"queue\":7,\"idle_timeout_ms\":1000},\"checkpoint\":{\"seconds\":9},"
            "\"settings\":{\"default_country\":\"GB\"}}") == ERR_OK,
        ": %s", error.message);
    EXPECT(strcmp(config.options.data, "/x") == 0 && strcmp(config.options.host, "::1") == 0);
    EXPECT(config.options.port == 99 && config.options.workers == 3 &&
           config.options.durability == DURABILITY_OS);
    EXPECT(config.options.queue_max == 7 && config.options.idle_timeout_ms == 1000 &&
           config.options.demo_people == 5);
    EXPECT(config.options.checkpoint_seconds == 9);
    EXPECT(slice_equal_cstr(config.options.settings_json, "{\"default_country\":\"GB\"}"));
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"x\":1}",
        "{\"data\":1}",
        "{\"data\":\"\"}",
        "{\"data\":\"a\\u0000b\"}",
        "{\"model\":1}",
        "{\"model\":\"\"}",
        "{\"model\":\"a\\u0000b\"}",
        "{\"settings\":{},\"listen\":\"a\\u0000b:1\"}",
        "{\"limits\":{\"queue\":1,\"queue\":2}}",
        "{\"demo\":-1}",
        "{\"listen\":\"8080\"}",
        "{\"listen\":null}",
        "{\"workers\":0}",
        "{\"workers\":257}",
        "{\"workers\":1.5}",
        "{\"workers\":\"1\"}",
        "{\"durability\":\"none\"}",
        "{\"durability\":null}",
        "{\"durability\":\"a very long word indeed\"}",
        "{\"limits\":1}",
        "{\"limits\":{\"connections\":0}}",
        "{\"limits\":{\"x\":1}}",
        "{\"checkpoint\":{\"entries\":-1}}",
        "{\"settings\":[]}",
        "{\"settings\":{\"x\":1}}",
        "{\"workers\":1,\"workers\":1}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(parse(&config, bad[i]) != ERR_OK, ": %s", bad[i]);
    }
    /* A path as long as there is room for, and one more. */
    static const char *const members[] = {"data", "model"};
    const size_t rooms[] = {sizeof config.data, sizeof config.model};
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        char path[2048];
        char text[2200];
        memset(path, 'p', sizeof path);
        path[rooms[i]] = '\0';
        snprintf(text, sizeof text, "{\"%s\":\"%s\"}", members[i], path);
        EXPECT(parse(&config, text) == ERR_INVALID && strstr(error.message, members[i]) != NULL,
               ": %s", error.message);
        path[rooms[i] - 1] = '\0';
        snprintf(text, sizeof text, "{\"%s\":\"%s\"}", members[i], path);
        EXPECT(parse(&config, text) == ERR_OK, ": %s", error.message);
        EXPECT(strcmp(i == 0 ? config.data : config.model, path) == 0);
    }
    EXPECT(parse(&config, "{\"model\":\"none\"}") == ERR_OK && strcmp(config.model, "none") == 0);
    config_deinit(&config);
}

static void test_file(void)
{
    struct config config;
    config_init(&config);
    error = (struct error){0};
    EXPECT(config_read_file(&config, "/nonexistent/config.json", &error) == ERR_NOT_FOUND &&
               error.message[0] != '\0',
           ": %s", error.message);
    EXPECT(config_read_file(&config, "/dev/null", &error) == ERR_INVALID, ": %s", error.message);
    config_deinit(&config);
}

static void test_memory(void)
{
    for (unsigned n = 1;; n++) {
        struct config config;
        config_init(&config);
        failing_memory_begin(n);
        err e = parse(
            &config,
            "{\"workers\":3,\"settings\":{\"default_country\":\"GB\"},\"limits\":{\"queue\":7}}");
        config_deinit(&config);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        if (!end.failed) {
            EXPECT(e == ERR_OK && n > 1);
            break;
        }
        EXPECT(e == ERR_MEMORY, ": allocation %u: %s %s", n, err_name(e), error.message);
    }
}

static void test_listen(void)
{
    char host[HOST_TEXT_MAX];
    uint16_t port = 0;
    EXPECT(listen_parse(SLICE_LITERAL("127.0.0.1:8080"), host, &port, &error) == ERR_OK &&
           port == 8080);
    EXPECT(listen_parse(SLICE_LITERAL(":0"), host, &port, &error) == ERR_OK && host[0] == '\0' &&
           port == 0);
    EXPECT(listen_parse(SLICE_LITERAL("[::1]:65535"), host, &port, &error) == ERR_OK &&
           strcmp(host, "::1") == 0);
    static const char *const bad[] = {"",        "8080", "a",      "a:",   "a:b",
                                      "a:65536", "a:-1", "::1:80", "a:80 "};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(listen_parse(slice_from_cstr(bad[i]), host, &port, &error) == ERR_INVALID, ": %s",
               bad[i]);
    }
    char text[HOST_TEXT_MAX + 10];
    memset(text, 'h', sizeof text);
    memcpy(text + HOST_TEXT_MAX - 1, ":80", 3);
    EXPECT(listen_parse(slice_of(text, HOST_TEXT_MAX + 2), host, &port, &error) == ERR_OK &&
           strlen(host) == HOST_TEXT_MAX - 1);
    memcpy(text + HOST_TEXT_MAX - 1, "h:80", 4);
    EXPECT(listen_parse(slice_of(text, HOST_TEXT_MAX + 3), host, &port, &error) == ERR_INVALID);
    EXPECT(listen_parse(slice_of("a\0b:80", 6), host, &port, &error) == ERR_INVALID);
    EXPECT(listen_parse(SLICE_LITERAL("[::1:80"), host, &port, &error) == ERR_INVALID);
    EXPECT(host_is_loopback("127.0.0.1") && host_is_loopback("::1") &&
           host_is_loopback("localhost"));
    EXPECT(!host_is_loopback("") && !host_is_loopback("0.0.0.0") &&
           !host_is_loopback("1270.0.0.1") && !host_is_loopback("localhost.evil.example"));
}

static int options(const char **data, uint64_t *count, bool *flag, int *left, int argc,
                   const char *const *words, char **argv)
{
    static const struct command command = {.name = "test", .help = ""};
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, data}, {"count", OPTION_COUNT, count}, {"force", OPTION_FLAG, flag}};
    static char copies[16][64];
    for (int i = 0; i < argc; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", words[i]);
        argv[i] = copies[i];
    }
    return options_parse(&command, rules, ARRAY_COUNT(rules), argc, argv, left);
}

static void test_options(void)
{
    char *argv[16];
    const char *data = NULL;
    uint64_t count = 0;
    bool flag = false;
    int left = 0;
    const char *const good[] = {"test", "a",       "--data", "--x",   "--count=5k",
                                "-",    "--force", "--",     "--data"};
    EXPECT(options(&data, &count, &flag, &left, 9, good, argv) == OPTIONS_GO_ON);
    EXPECT(strcmp(data, "--x") == 0 && count == 5000 && flag && left == 3);
    EXPECT(strcmp(argv[1], "a") == 0 && strcmp(argv[2], "-") == 0 &&
           strcmp(argv[3], "--data") == 0);
    static const char *const bad[][2] = {{"--dat", "x"},     {"--count", "x"}, {"--count", "-1"},
                                         {"--force=1", "x"}, {"-d", "x"},      {"x", "--data"},
                                         {"--count", "5kk"}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        const char *const words[] = {"test", bad[i][0], bad[i][1]};
        EXPECT(options(&data, &count, &flag, &left, 3, words, argv) == EXIT_CODE_USAGE, ": %s",
               bad[i][0]);
    }
    EXPECT(!options_read_count("18446744073709551616", &count) &&
           !options_read_count("18446744073709551615k", &count));
    EXPECT(options_read_count("18446744073709551615", &count) && count == UINT64_MAX);
    static const char *const names[] = {"serve", "import", "export", "key"};
    EXPECT(strcmp(options_nearest("srve", names, 4), "serve") == 0 &&
           options_nearest("completely", names, 4) == NULL);
}

int main(void)
{
    /* Usage errors are expected here; they need not be seen. */
    if (freopen("/dev/null", "w", stderr) == NULL) {
        return 1;
    }
    RUN(test_config);
    RUN(test_file);
    RUN(test_memory);
    RUN(test_listen);
    RUN(test_options);
    return test_summary();
}
