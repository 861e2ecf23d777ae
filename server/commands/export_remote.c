/* export_remote.c: `kindred export --url`: page by page from a running server. */
#include "commands/export.h"
#include "commands/http_client.h"
#include "commands/json_copy.h"
#include "commands/store.h"

/* Members that only the page has; everybody in a page is an object of the list named here. */
struct listing {
    const char *path; /* up to the cursor */
    const char *list; /* name of the array */
    const char *next; /* name of the next page's cursor */
};

static const size_t LINE_BYTES_MAX = 64 * 1024 * 1024;

static err export_list(json_value list, struct export_sink *sink, struct error *error)
{
    err e = ERR_OK;
    struct buffer line;
    buffer_init(&line, LINE_BYTES_MAX);
    for (struct json_iterator i = json_iterate(list); e == ERR_OK && json_next(&i);) {
        buffer_clear(&line);
        struct json_writer json = json_writer_of(&line);
        json_copy(&json, i.value);
        e = line.failed ? error_set(error, ERR_MEMORY, "memory", 0, "Out of memory.")
                        : export_line(sink, buffer_slice(&line), error);
    }
    buffer_deinit(&line);
    return e;
}

/* Cursors come as a number or a text; the next page's goes to *cursor, empty at the end. */
static void read_cursor(json_value value, struct buffer *cursor)
{
    buffer_clear(cursor);
    if (json_type(value) == JSON_INTEGER) {
        buffer_append_u64(cursor, (uint64_t)json_integer(value));
    } else if (json_type(value) == JSON_STRING) {
        http_append_encoded(cursor, json_text(value));
    }
}

static err export_page(struct http_client *client, const struct listing *listing,
                       struct buffer *cursor, struct export_sink *sink, struct error *error)
{
    struct buffer path;
    long status = 0;
    buffer_init(&path, 4096);
    buffer_append_cstr(&path, listing->path);
    buffer_append_slice(&path, buffer_slice(cursor));
    buffer_append_char(&path, '\0');
    struct http_call call = {.method = "GET", .path = path.data};
    err e = http_client_call(client, &call, NULL, &status, error);
    buffer_deinit(&path);
    if (e != ERR_OK || status != 200) {
        return e != ERR_OK ? e : http_client_problem(client, status, error);
    }
    struct json_document *document = NULL;
    e = json_read(http_client_body(client), &document, error);
    if (e == ERR_OK) {
        json_value list = json_get(json_root(document), listing->list);
        e = json_type(list) == JSON_ARRAY
                ? export_list(list, sink, error)
                : error_set(error, ERR_UNSUPPORTED, "page_unknown", 0,
                            "The server's answer has no list '%s': is it a Kindred of "
                            "another version?",
                            listing->list);
        read_cursor(json_get(json_root(document), listing->next), cursor);
    }
    json_document_destroy(document);
    return e;
}

static err export_pages(struct http_client *client, const struct listing *listing,
                        const char *first, struct export_sink *sink, struct error *error)
{
    struct buffer cursor;
    buffer_init(&cursor, 1024);
    buffer_append_cstr(&cursor, first);
    err e;
    do {
        e = export_page(client, listing, &cursor, sink, error);
    } while (e == ERR_OK && cursor.length > 0);
    buffer_deinit(&cursor);
    return e;
}

int export_from_server(const struct export_job *job, struct export_sink *sink)
{
    struct error error = {.err = ERR_MEMORY};
    struct listing listing = {"/api/users?limit=1000&expand=all&cursor=", "users", "next_cursor"};
    const char *first = "0";
    struct buffer path;
    buffer_init(&path, 4096);
    if (job->what == EXPORT_RAW) {
        listing = (struct listing){"/api/log?limit=1000&from=", "entries", "next_from"};
        first = "1";
    } else if (job->what == EXPORT_COHORT) {
        buffer_append_cstr(&path, "/api/cohort/users?cohort=");
        http_append_encoded(&path, slice_from_cstr(job->cohort));
        buffer_append_cstr(&path, "&limit=1000&expand=all&cursor=");
        buffer_append_char(&path, '\0');
        listing.path = path.data;
    }
    struct http_client *client = http_client_create(job->url, job->key);
    if (client != NULL && !path.failed) {
        error.err = export_pages(client, &listing, first, sink, &error);
    }
    http_client_destroy(client);
    buffer_deinit(&path);
    return error.err == ERR_OK ? EXIT_CODE_OK : store_report(&command_export, &error);
}
