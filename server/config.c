#include "config.h"

#include <stdio.h>

#include "commands/file_text.h"
#include "commands/json_copy.h"
#include "commands/store.h"
#include "ingest/json_reader.h"

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    server_options_init(&config->options);
    snprintf(config->data, sizeof config->data, "data");
    config->options.data = config->data;
    buffer_init(&config->settings, CONFIG_BYTES_MAX);
}

void config_deinit(struct config *config)
{
    buffer_deinit(&config->settings);
}

static err wrong(struct error *error, const char *name, const char *what)
{
    return error_set(error, ERR_INVALID, "config_value", 0, "'%s' in the configuration must be %s.",
                     name, what);
}

static err read_count(const char *name, json_value value, uint64_t least, uint64_t most,
                      uint64_t *out, struct error *error)
{
    int64_t number = json_integer(value);
    if (json_type(value) != JSON_INTEGER || number < 0 || (uint64_t)number < least ||
        (uint64_t)number > most) {
        char what[80];
        snprintf(what, sizeof what, "a whole number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        return wrong(error, name, what);
    }
    *out = (uint64_t)number;
    return ERR_OK;
}

struct count_rule {
    const char *name;
    uint64_t least, most;
    size_t offset; /* in struct server_options */
};
#define COUNT(name, least, most, field)                                                            \
    {                                                                                              \
        name, least, most, offsetof(struct server_options, field)                                  \
    }

static const struct count_rule limit_rules[] = {
    COUNT("connections", 1, 1000000, connections_max),
    COUNT("queue", 1, 1000000, queue_max),
    COUNT("memory_max_bytes", 0, 1ull << 50, memory_max_bytes),
    COUNT("header_timeout_ms", 100, 600000, header_timeout_ms),
    COUNT("body_timeout_ms", 100, 600000, body_timeout_ms),
    COUNT("idle_timeout_ms", 100, 3600000, idle_timeout_ms),
    COUNT("write_timeout_ms", 100, 600000, write_timeout_ms),
    COUNT("stop_timeout_ms", 0, 600000, stop_timeout_ms),
};
static const struct count_rule checkpoint_rules[] = {
    COUNT("entries", 1, 1000000000, checkpoint_entries),
    COUNT("seconds", 1, 86400, checkpoint_seconds),
};

static err unknown(struct error *error, struct slice name)
{
    return error_set(
        error, ERR_INVALID, "config_unknown", 0,
        "The configuration has a member '%.*s' that means nothing here; `kindred help serve` lists all.",
        SLICE_ARGS(name));
}

static err read_group(struct config *config, const char *group, json_value value,
                      const struct count_rule *rules, size_t count, struct error *error)
{
    if (json_type(value) != JSON_OBJECT) {
        return wrong(error, group, "an object");
    }
    err e = ERR_OK;
    for (struct json_iterator i = json_iterate(value); e == ERR_OK && json_next(&i);) {
        size_t rule = 0;
        while (rule < count && !slice_equal_cstr(i.key, rules[rule].name)) {
            rule++;
        }
        if (rule == count) {
            return unknown(error, i.key);
        }
        uint64_t *to = (uint64_t *)(void *)((char *)&config->options + rules[rule].offset);
        e = read_count(rules[rule].name, i.value, rules[rule].least, rules[rule].most, to, error);
    }
    return e;
}

static err read_text_member(struct config *config, struct slice name, json_value value,
                            struct error *error)
{
    struct slice text = json_text(value);
    if (slice_equal_cstr(name, "data")) {
        if (text.length == 0 || text.length >= sizeof config->data ||
            memchr(text.data, '\0', text.length) != NULL) {
            return wrong(error, "data", "the path of a folder");
        }
        memcpy(config->data, text.data, text.length);
        config->data[text.length] = '\0';
        return ERR_OK;
    }
    if (slice_equal_cstr(name, "model")) {
        if (text.length == 0 || text.length >= sizeof config->model ||
            memchr(text.data, '\0', text.length) != NULL) {
            return wrong(error, "model", "the path of a model's file, or \"none\"");
        }
        memcpy(config->model, text.data, text.length);
        config->model[text.length] = '\0';
        return ERR_OK;
    }
    if (slice_equal_cstr(name, "listen")) {
        return text.data != NULL
                   ? listen_parse(text, config->options.host, &config->options.port, error)
                   : wrong(error, "listen", "\"HOST:PORT\"");
    }
    char word[16] = "";
    if (text.length < sizeof word && text.data != NULL) {
        memcpy(word, text.data, text.length);
    }
    return durability_parse(word, &config->options.durability)
               ? ERR_OK
               : wrong(error, "durability", "\"fsync\", \"interval\" or \"os\"");
}

static err read_member(struct config *config, struct slice name, json_value value,
                       struct error *error)
{
    if (slice_equal_cstr(name, "data") || slice_equal_cstr(name, "listen") ||
        slice_equal_cstr(name, "durability") || slice_equal_cstr(name, "model")) {
        return read_text_member(config, name, value, error);
    }
    if (slice_equal_cstr(name, "workers")) {
        uint64_t workers = 0;
        err e = read_count("workers", value, 1, WORKERS_MAX, &workers, error);
        config->options.workers = e == ERR_OK ? (unsigned)workers : config->options.workers;
        return e;
    }
    if (slice_equal_cstr(name, "demo")) {
        return read_count("demo", value, 0, 100000000, &config->options.demo_people, error);
    }
    if (slice_equal_cstr(name, "limits")) {
        return read_group(config, "limits", value, limit_rules, ARRAY_COUNT(limit_rules), error);
    }
    if (slice_equal_cstr(name, "checkpoint")) {
        return read_group(config, "checkpoint", value, checkpoint_rules,
                          ARRAY_COUNT(checkpoint_rules), error);
    }
    if (slice_equal_cstr(name, "settings")) {
        buffer_clear(&config->settings);
        struct json_writer json = json_writer_of(&config->settings);
        json_copy(&json, value);
        config->options.settings_json = buffer_slice(&config->settings);
        struct settings *settings = NULL;
        err e = settings_parse(config->options.settings_json, &settings, error);
        settings_destroy(settings);
        return e;
    }
    return unknown(error, name);
}

err config_parse(struct config *config, struct slice json, struct error *error)
{
    struct json_document *document = NULL;
    err e = json_read(json, &document, error);
    if (e != ERR_OK) {
        return e;
    }
    json_value root = json_root(document);
    if (json_type(root) != JSON_OBJECT) {
        e = error_set(error, ERR_INVALID, "config_value", 0,
                      "The configuration must be a JSON object.");
    }
    for (struct json_iterator i = json_iterate(root); e == ERR_OK && json_next(&i);) {
        e = read_member(config, i.key, i.value, error);
    }
    json_document_destroy(document);
    return e;
}

err config_read_file(struct config *config, const char *path, struct error *error)
{
    struct slice text = SLICE_NONE;
    err e = file_text_read(path, CONFIG_BYTES_MAX, &text, error);
    if (e != ERR_OK) {
        return e;
    }
    e = config_parse(config, text, error);
    file_text_free(text);
    return e;
}
