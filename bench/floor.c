/* floor.c: a server that answers every request with the same bytes.
 *
 * Same libuv, same llhttp, same sockets as Kindred's workers (SO_REUSEPORT, keep-alive, one write
 * for all answers to what one read brought), and nothing behind it: what it reaches is what HTTP
 * alone costs on this machine. Kindred is measured against it.
 *
 *   floor PORT BODY_FILE [WORKERS] */
#include <arpa/inet.h>
#include <llhttp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"

enum {
    READ_BYTES = 64 * 1024,
    OUT_BYTES_MAX = 16 * 1024 * 1024,
    BODY_BYTES_MAX = 1024 * 1024,
    WORKERS_MAX = 64
};

static char *answer;
static size_t answer_length;
static uint16_t port;
static llhttp_settings_t parser_settings;

struct worker {
    uv_thread_t thread;
    uv_loop_t loop;
    uv_tcp_t listener;
    char read_buffer[READ_BYTES];
};

struct client {
    uv_tcp_t tcp; /* first: a handle is its client */
    llhttp_t parser;
    struct buffer out;
    uv_write_t write; /* one at a time: reading pauses while it is under way */
};

static int on_message_complete(llhttp_t *parser)
{
    struct client *client = parser->data;
    buffer_append(&client->out, answer, answer_length);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;
    buffer_deinit(&client->out);
    free(client);
}

static void client_close(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp)) {
        uv_close((uv_handle_t *)&client->tcp, on_closed);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct worker *worker = handle->loop->data;
    *out = uv_buf_init(worker->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes);

static void on_written(uv_write_t *request, int status)
{
    struct client *client = request->data;
    if (status != 0) {
        client_close(client);
        return;
    }
    buffer_clear(&client->out);
    uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read);
}

static void send_answers(struct client *client)
{
    uv_buf_t bytes = uv_buf_init(client->out.data, (unsigned)client->out.length);
    int sent = uv_try_write((uv_stream_t *)&client->tcp, &bytes, 1);
    if (sent == (int)client->out.length) {
        buffer_clear(&client->out);
        return;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        client_close(client);
        return;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    bytes = uv_buf_init(client->out.data + done, (unsigned)(client->out.length - done));
    uv_read_stop((uv_stream_t *)&client->tcp);
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->tcp, &bytes, 1, on_written) != 0) {
        client_close(client);
    }
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *bytes)
{
    struct client *client = (struct client *)stream;
    if (length < 0) {
        client_close(client);
        return;
    }
    if (length > 0) {
        if (llhttp_execute(&client->parser, bytes->base, (size_t)length) != HPE_OK ||
            client->out.failed) {
            client_close(client);
        } else if (client->out.length > 0) {
            send_answers(client);
        }
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (client == NULL) {
        return;
    }
    uv_tcp_init(listener->loop, &client->tcp);
    buffer_init(&client->out, OUT_BYTES_MAX);
    llhttp_init(&client->parser, HTTP_REQUEST, &parser_settings);
    client->parser.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->tcp) != 0) {
        client_close(client);
        return;
    }
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void run_worker(void *argument)
{
    struct worker *worker = argument;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("floor: listening");
    }
    uv_loop_init(&worker->loop);
    worker->loop.data = worker;
    uv_tcp_init(&worker->loop, &worker->listener);
    uv_tcp_open(&worker->listener, fd);
    if (uv_listen((uv_stream_t *)&worker->listener, 1024, on_connection) != 0) {
        fail("floor: listening");
    }
    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

static void make_answer(const char *path)
{
    static char body[BODY_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail(path);
    }
    size_t length = fread(body, 1, sizeof(body), file);
    fclose(file);
    answer = malloc(length + 256);
    if (answer == NULL) {
        fail("floor: memory");
    }
    int head = snprintf(answer, 256,
                        "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 01:44:59 GMT\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        length);
    memcpy(answer + head, body, length);
    answer_length = (size_t)head + length;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: floor PORT BODY_FILE [WORKERS]\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    port = (uint16_t)strtoul(argv[1], NULL, 10);
    make_answer(argv[2]);
    unsigned long workers = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    if (workers == 0 || workers > WORKERS_MAX) {
        fputs("floor: workers is 1 to 64\n", stderr);
        return 2;
    }
    llhttp_settings_init(&parser_settings);
    parser_settings.on_message_complete = on_message_complete;
    struct worker *all = calloc(workers, sizeof(*all));
    if (all == NULL) {
        fail("floor: memory");
    }
    for (unsigned long w = 0; w < workers; w++) {
        uv_thread_create(&all[w].thread, run_worker, &all[w]);
    }
    for (unsigned long w = 0; w < workers; w++) {
        uv_thread_join(&all[w].thread);
    }
    return 0;
}
