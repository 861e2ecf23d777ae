#include "commands/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "ingest/json_reader.h"

static const size_t ANSWER_BYTES_MAX = 256 * 1024 * 1024;
static const long CONNECT_TIMEOUT_S = 10;
static const long SILENCE_TIMEOUT_S = 120; /* a server that says nothing for so long is gone */

struct http_client {
    CURL *curl;
    char url[1024];
    char authorization[512];
    struct buffer body;
    long retry_after_s;
};

struct http_client *http_client_create(const char *url, const char *key)
{
    struct http_client *client = memory_zalloc(sizeof *client);
    if (client == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        memory_free(client);
        return NULL;
    }
    client->curl = curl_easy_init();
    if (client->curl == NULL) {
        memory_free(client);
        return NULL;
    }
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    snprintf(client->url, sizeof client->url, "%.*s", (int)length, url);
    if (key != NULL && key[0] != '\0') {
        snprintf(client->authorization, sizeof client->authorization, "Authorization: Bearer %s",
                 key);
    }
    buffer_init(&client->body, ANSWER_BYTES_MAX);
    return client;
}

void http_client_destroy(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    curl_easy_cleanup(client->curl);
    buffer_deinit(&client->body);
    memory_free(client);
    curl_global_cleanup();
}

struct slice http_client_body(const struct http_client *client)
{
    return buffer_slice(&client->body);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_client *client = context;
    buffer_append(&client->body, data, size * count);
    return client->body.failed ? 0 : size * count;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    static const char NAME[] = "retry-after:";
    struct http_client *client = context;
    size_t length = size * count;
    uint64_t seconds = 0;
    if (length > sizeof NAME - 1 && strncasecmp(data, NAME, sizeof NAME - 1) == 0 &&
        slice_to_u64(slice_trim(slice_of(data + sizeof NAME - 1, length - sizeof NAME + 1)),
                     &seconds)) {
        client->retry_after_s = seconds < HTTP_PAUSE_MAX_S ? (long)seconds : HTTP_PAUSE_MAX_S;
    }
    return length;
}

static struct curl_slist *headers_of(const struct http_client *client, const struct http_call *call)
{
    char line[512];
    /* Without this libcurl waits for "100 Continue" before larger bodies. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (client->authorization[0] != '\0') {
        headers = curl_slist_append(headers, client->authorization);
    }
    if (call->content_type != NULL) {
        snprintf(line, sizeof line, "Content-Type: %s", call->content_type);
        headers = curl_slist_append(headers, line);
    }
    if (call->idempotency_key != NULL) {
        snprintf(line, sizeof line, "Idempotency-Key: %s", call->idempotency_key);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

static CURLcode send_once(struct http_client *client, const struct http_call *call, long *status)
{
    CURL *curl = client->curl;
    char url[4096];
    snprintf(url, sizeof url, "%s%s", client->url, call->path);
    struct curl_slist *headers = headers_of(client, call);
    curl_easy_reset(curl); /* the connection stays */
    buffer_clear(&client->body);
    client->retry_after_s = -1;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENCE_TIMEOUT_S);
    if (call->content_type != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.data ? call->body.data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.length);
    }
    CURLcode code = curl_easy_perform(curl);
    *status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    return code;
}

static bool worth_another_try(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK: return status == 429 || status == 503;
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT: return true;
    default: return false;
    }
}

/* False when a signal came meanwhile. */
static bool pause_for(long seconds, const volatile int *stop)
{
    for (long tenths = 0; tenths < seconds * 10; tenths++) {
        if (stop != NULL && *stop) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return true;
}

err http_client_call(struct http_client *client, const struct http_call *call,
                     const volatile int *stop, long *status, struct error *error)
{
    for (int try = 1;; try++) {
        CURLcode code = send_once(client, call, status);
        if (!worth_another_try(code, *status)) {
            return code == CURLE_OK ? ERR_OK
                                    : error_set(error, ERR_INVALID, "request_failed", 0, "%s: %s.",
                                                client->url, curl_easy_strerror(code));
        }
        if (try == HTTP_TRIES_MAX) {
            return error_set(error, ERR_BUSY, "server_busy", 0,
                             "%s: %s, tried %d times. Try again later.", client->url,
                             code == CURLE_OK ? "the server is busy" : curl_easy_strerror(code),
                             try);
        }
        if (try == 2) {
            fprintf(stderr, "%s: %s; trying again\n", client->url,
                    code == CURLE_OK ? "the server is busy" : curl_easy_strerror(code));
        }
        long growing_s = try < 5 ? 1L << (try - 1) : HTTP_PAUSE_MAX_S / 2;
        if (!pause_for(client->retry_after_s >= 0 ? client->retry_after_s : growing_s, stop)) {
            return error_set(error, ERR_STOPPING, "interrupted", 0, "Interrupted.");
        }
    }
}

static err err_of_status(long status)
{
    switch (status) {
    case 401:
    case 403: return ERR_DENIED;
    case 404: return ERR_NOT_FOUND;
    case 409:
    case 412: return ERR_CONFLICT;
    case 413: return ERR_TOO_LARGE;
    case 507: return ERR_NO_SPACE;
    default: return status >= 500 ? ERR_IO : ERR_INVALID;
    }
}

err http_client_problem(const struct http_client *client, long status, struct error *error)
{
    struct json_document *document = NULL;
    struct slice title = SLICE_NONE;
    struct slice detail = SLICE_NONE;
    if (json_read(http_client_body(client), &document, NULL) == ERR_OK) {
        title = json_text(json_get(json_root(document), "title"));
        detail = json_text(json_get(json_root(document), "detail"));
    }
    err e = error_set(error, err_of_status(status), "server_refused", (uint64_t)status,
                      "%s answered %ld%s%.*s%s%.*s", client->url, status, title.length ? ": " : "",
                      SLICE_ARGS(title), detail.length ? ". " : "", SLICE_ARGS(detail));
    json_document_destroy(document);
    return e;
}

void http_append_encoded(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            buffer_append_char(out, (char)c);
        } else {
            buffer_append_format(out, "%%%02X", c);
        }
    }
}
