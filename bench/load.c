/* load.c: the load generator. One thread, epoll, loopback only, bounded in time.
 *
 *   closed loop   each of N connections keeps `depth` requests under way: what can the server do?
 *   open loop     requests fall due at a constant rate, whether the server keeps up or not, and latency counts from the
 *                 moment a request was due, so that a stall is charged to everybody it delays ("coordinated
 *                 omission", Tene 2013)
 *
 * All requests of finite works (ingest) are prepared before the clock starts. The server's CPU time
 * is read from the kernel before and after, so a result does not depend on who else uses the
 * machine. Prints one JSON object. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cpu_time.h"
#include "histogram.h"
#include "people.h"
#include "work.h"

enum {
    CONNECTIONS_MAX = 4096,
    DEPTH_MAX = 256,
    IN_BYTES_START = 128 * 1024,
    OUT_BYTES_MAX = 64 * 1024 * 1024
};
static const uint64_t SECOND_NS = 1000000000u;

struct pending {
    uint64_t start_ns;
    uint32_t answers_left;
    uint32_t units;
    bool failed;
};

struct connection {
    int fd;
    bool wants_write;
    bool second_step; /* redis-page: the profiles are under way */
    struct buffer out;
    const char *prepared;
    size_t prepared_length;
    size_t sent;
    struct buffer in;
    size_t in_start;
    unsigned first_pending, pending_count;
    struct pending pending[DEPTH_MAX];
};

struct options {
    const char *host;
    uint16_t port;
    unsigned connections, depth;
    double rate, seconds, warm_up, limit_seconds;
    pid_t pid;
    const char *user, *database;
    const char *cohorts;
    uint64_t sizes;
};

static struct options options = {.host = "127.0.0.1",
                                 .connections = 64,
                                 .depth = 1,
                                 .seconds = 1,
                                 .warm_up = 0.2,
                                 .limit_seconds = 600,
                                 .user = "bench",
                                 .database = "bench"};
static struct work work;
static enum protocol protocol;
static struct connection *connections;
static struct histogram histogram;
static int epoll_fd;
static uint64_t requests, units, errors, bytes_in;
static uint64_t measure_from_ns, stop_ns;
static uint64_t server_cpu_at_start, own_cpu_at_start;
static bool exhausted;
/* open loop */
static struct connection **idle;
static unsigned idle_count;
static double due_ns;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void set_interest(struct connection *connection, bool write)
{
    if (connection->wants_write != write) {
        connection->wants_write = write;
        struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u),
                                    .data.ptr = connection};
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    }
}

static void flush(struct connection *connection)
{
    const char *data = connection->prepared != NULL ? connection->prepared : connection->out.data;
    size_t length =
        connection->prepared != NULL ? connection->prepared_length : connection->out.length;
    while (connection->sent < length) {
        ssize_t count =
            send(connection->fd, data + connection->sent, length - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            set_interest(connection, true);
            return;
        }
        if (count < 0) {
            die("send");
        }
        connection->sent += (size_t)count;
    }
    connection->sent = 0;
    connection->prepared = NULL;
    buffer_clear(&connection->out);
    set_interest(connection, false);
}

/* Takes the next request of the work; false when there is none. */
static bool add_request(struct connection *connection, uint64_t start_ns)
{
    struct request request;
    if (!work_next(&work, &connection->out, &request)) {
        exhausted = true;
        return false;
    }
    if (request.prepared != NULL) {
        connection->prepared = request.prepared;
        connection->prepared_length = request.prepared_length;
    }
    unsigned slot = (connection->first_pending + connection->pending_count++) % DEPTH_MAX;
    connection->pending[slot] = (struct pending){start_ns, request.answers, request.units, false};
    return true;
}

static void fill(struct connection *connection, uint64_t now)
{
    bool added = false;
    while (connection->pending_count < options.depth && now < stop_ns &&
           add_request(connection, now)) {
        added = true;
    }
    if (added) {
        flush(connection);
    }
}

/* Open loop: hand what is due to connections that are free. */
static void dispatch_due(uint64_t now)
{
    while (idle_count > 0 && due_ns <= (double)now && now < stop_ns && !exhausted) {
        struct connection *connection = idle[--idle_count];
        if (add_request(connection, (uint64_t)due_ns)) {
            due_ns += (double)SECOND_NS / options.rate;
            flush(connection);
        }
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* The second half of a page: one HGETALL for each name in the answer to ZRANGE. */
static void ask_for_page(struct connection *connection, const char *answer, size_t length,
                         struct pending *pending)
{
    const char *end = answer + length;
    const char *at = memchr(answer, '\n', length);
    uint32_t count = 0;
    while (at != NULL && ++at < end) {
        const char *name = memchr(at, '\n', (size_t)(end - at));
        if (name == NULL) {
            break;
        }
        name++;
        const char *name_end = memchr(name, '\r', (size_t)(end - name));
        buffer_append_format(&connection->out,
                             "*2\r\n$7\r\nHGETALL\r\n$%d\r\nu:", (int)(name_end - name) + 2);
        buffer_append(&connection->out, name, (size_t)(name_end - name));
        buffer_append(&connection->out, "\r\n", 2);
        count++;
        at = name_end + 1;
    }
    pending->failed = count != 100;
    pending->answers_left = count;
    connection->second_step = true;
}

static void finish_request(struct connection *connection, const struct pending *pending,
                           uint64_t now)
{
    connection->first_pending = (connection->first_pending + 1) % DEPTH_MAX;
    connection->pending_count--;
    if (options.rate > 0) {
        idle[idle_count++] = connection;
    }
    if (now < measure_from_ns) {
        return;
    }
    requests++;
    units += pending->units;
    errors += pending->failed;
    histogram_add(&histogram, now > pending->start_ns ? now - pending->start_ns : 0);
}

static void take_answers(struct connection *connection, uint64_t now)
{
    while (connection->pending_count > 0) {
        const char *data = connection->in.data + connection->in_start;
        bool good = true;
        long length =
            protocol_answer(protocol, data, connection->in.length - connection->in_start, &good);
        if (length < 0) {
            fputs("load: the answer is not what the protocol says\n", stderr);
            exit(1);
        }
        if (length == 0) {
            break;
        }
        connection->in_start += (size_t)length;
        struct pending *pending = &connection->pending[connection->first_pending];
        pending->failed = pending->failed || !good;
        if (work.kind == WORK_REDIS_PAGE && !connection->second_step) {
            ask_for_page(connection, data, (size_t)length, pending);
            flush(connection);
        } else if (--pending->answers_left == 0) {
            connection->second_step = false;
            finish_request(connection, pending, now);
        }
    }
    if (connection->in_start == connection->in.length) {
        buffer_clear(&connection->in);
        connection->in_start = 0;
    } else if (connection->in_start > IN_BYTES_START / 2) {
        buffer_consume(&connection->in, connection->in_start);
        connection->in_start = 0;
    }
}

static void receive(struct connection *connection)
{
    char *room = buffer_reserve(&connection->in, IN_BYTES_START);
    if (room == NULL) {
        die("memory");
    }
    ssize_t count = recv(connection->fd, room, IN_BYTES_START, 0);
    if (count < 0 && errno == EAGAIN) {
        return;
    }
    if (count <= 0) {
        errno = count == 0 ? ECONNRESET : errno;
        die("the server closed a connection");
    }
    buffer_commit(&connection->in, (size_t)count);
    uint64_t now = now_ns();
    bytes_in += now >= measure_from_ns ? (uint64_t)count : 0;
    take_answers(connection, now);
    if (options.rate <= 0 && !connection->wants_write) {
        fill(connection, now);
    }
}

/* ---- connecting ------------------------------------------------------------------------------ */

static void send_all(int fd, const struct buffer *bytes)
{
    if (send(fd, bytes->data, bytes->length, MSG_NOSIGNAL) != (ssize_t)bytes->length) {
        die("send");
    }
}

/* Reads messages until ReadyForQuery; an error ends the run with its text. */
static void await_ready(int fd)
{
    char message[8192];
    for (;;) {
        char head[5];
        if (recv(fd, head, 5, MSG_WAITALL) != 5) {
            die("PostgreSQL's greeting");
        }
        uint32_t size;
        memcpy(&size, head + 1, 4);
        size = ntohl(size) - 4;
        if (size > sizeof(message) || recv(fd, message, size, MSG_WAITALL) != (ssize_t)size) {
            die("PostgreSQL's greeting");
        }
        if (head[0] == 'E') {
            fprintf(stderr, "load: PostgreSQL says: ");
            for (uint32_t k = 0; k < size; k++) {
                fputc(message[k] == '\0' ? ' ' : message[k], stderr);
            }
            exit(1);
        }
        if (head[0] == 'Z') {
            return;
        }
    }
}

static void greet_postgres(int fd)
{
    struct buffer out, body;
    buffer_init(&out, OUT_BYTES_MAX);
    buffer_init(&body, OUT_BYTES_MAX);
    pg_append_u32(&body, 196608);
    buffer_append(&body, "user", 5);
    buffer_append(&body, options.user, strlen(options.user) + 1);
    buffer_append(&body, "database", 9);
    buffer_append(&body, options.database, strlen(options.database) + 1);
    buffer_append_char(&body, '\0');
    pg_append_u32(&out, (uint32_t)body.length + 4);
    buffer_append(&out, body.data, body.length);
    send_all(fd, &out);
    await_ready(fd);

    buffer_clear(&out);
    buffer_append_char(&out, 'P');
    const char *sql = work_sql(work.kind);
    pg_append_u32(&out, (uint32_t)(4 + 2 + strlen(sql) + 1 + 2));
    buffer_append(&out, "s", 2);
    buffer_append(&out, sql, strlen(sql) + 1);
    buffer_append(&out, "\0\0S\0\0\0\x04", 7);
    send_all(fd, &out);
    await_ready(fd);
    if (work.kind == WORK_PG_COPY) {
        static const char staging[] = "CREATE TEMP TABLE staging (LIKE person)";
        buffer_clear(&out);
        buffer_append_char(&out, 'Q');
        pg_append_u32(&out, 4 + sizeof(staging));
        buffer_append(&out, staging, sizeof(staging));
        send_all(fd, &out);
        await_ready(fd);
    }
    buffer_deinit(&body);
    buffer_deinit(&out);
}

static void open_connection(struct connection *connection)
{
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    inet_pton(AF_INET, options.host, &address.sin_addr);
    int on = 1;
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        die("connecting");
    }
    if (protocol == PROTOCOL_POSTGRES) {
        greet_postgres(connection->fd);
    }
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0) {
        die("connecting");
    }
    buffer_init(&connection->in, OUT_BYTES_MAX);
    buffer_init(&connection->out, OUT_BYTES_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        die("connecting");
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static bool anything_pending(void)
{
    for (unsigned k = 0; k < options.connections; k++) {
        if (connections[k].pending_count > 0) {
            return true;
        }
    }
    return false;
}

static bool is_over(uint64_t now)
{
    if (exhausted || now >= stop_ns) {
        return !anything_pending() || now >= stop_ns + 5 * SECOND_NS;
    }
    return false;
}

static struct timespec time_to_wait(uint64_t now)
{
    uint64_t wait = SECOND_NS / 10;
    if (options.rate > 0 && idle_count > 0 && !exhausted && now < stop_ns) {
        wait = due_ns > (double)now ? (uint64_t)(due_ns - (double)now) : 0;
        wait = wait < SECOND_NS / 10 ? wait : SECOND_NS / 10;
    }
    return (struct timespec){(time_t)(wait / SECOND_NS), (long)(wait % SECOND_NS)};
}

static void start_measuring(void)
{
    server_cpu_at_start = cpu_time_ns(options.pid);
    own_cpu_at_start = cpu_time_own_ns();
}

/* Returns how long was measured. */
static uint64_t run(void)
{
    static struct epoll_event events[CONNECTIONS_MAX];
    bool finite = work_is_finite(work.kind) && options.rate <= 0;
    uint64_t begin = now_ns();
    measure_from_ns = finite ? begin : begin + (uint64_t)(options.warm_up * (double)SECOND_NS);
    stop_ns = finite ? begin + (uint64_t)(options.limit_seconds * (double)SECOND_NS)
                     : measure_from_ns + (uint64_t)(options.seconds * (double)SECOND_NS);
    bool measuring = false;
    if (finite) {
        start_measuring();
        measuring = true;
    }
    due_ns = (double)begin;
    for (unsigned k = 0; k < options.connections; k++) {
        if (options.rate > 0) {
            idle[idle_count++] = &connections[k];
        } else {
            fill(&connections[k], begin);
        }
    }
    uint64_t now = now_ns();
    while (!is_over(now)) {
        if (options.rate > 0) {
            dispatch_due(now);
        }
        struct timespec wait = time_to_wait(now);
        int count = epoll_pwait2(epoll_fd, events, CONNECTIONS_MAX, &wait, NULL);
        if (!measuring && now_ns() >= measure_from_ns) {
            measure_from_ns = now_ns();
            start_measuring();
            measuring = true;
        }
        for (int k = 0; k < count; k++) {
            struct connection *connection = events[k].data.ptr;
            if ((events[k].events & EPOLLOUT) != 0) {
                flush(connection);
            }
            if ((events[k].events & ~(uint32_t)EPOLLOUT) != 0) {
                receive(connection);
            }
        }
        now = now_ns();
    }
    return now - measure_from_ns;
}

static void report(uint64_t elapsed_ns, uint64_t server_cpu_ns, uint64_t own_cpu_ns)
{
    uint64_t lost = 0;
    for (unsigned k = 0; k < options.connections; k++) {
        lost += connections[k].pending_count;
    }
    double seconds = (double)elapsed_ns / (double)SECOND_NS;
    printf(
        "{\"seconds\": %.6f, \"requests\": %llu, \"units\": %llu, \"errors\": %llu, \"unanswered\": %llu, "
        "\"per_second\": %.1f, \"units_per_second\": %.1f, \"bytes_in\": %llu, "
        "\"server_cpu_us_per_unit\": %.4f, \"server_cpu_seconds\": %.6f, \"own_cpu_us_per_unit\": %.4f, "
        "\"own_cpu_seconds\": %.6f, "
        "\"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f, \"curve\": ",
        seconds, (unsigned long long)requests, (unsigned long long)units,
        (unsigned long long)errors, (unsigned long long)lost, (double)requests / seconds,
        (double)units / seconds, (unsigned long long)bytes_in,
        units > 0 ? (double)server_cpu_ns / 1e3 / (double)units : 0, (double)server_cpu_ns / 1e9,
        units > 0 ? (double)own_cpu_ns / 1e3 / (double)units : 0, (double)own_cpu_ns / 1e9,
        (double)histogram_quantile(&histogram, 0.5) / 1e3,
        (double)histogram_quantile(&histogram, 0.99) / 1e3,
        (double)histogram_quantile(&histogram, 0.999) / 1e3, (double)histogram.max_ns / 1e3);
    histogram_print_curve(&histogram, stdout);
    puts("}");
}

/* ---- options --------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: load --port PORT --work KIND [options]      (127.0.0.1 only; kinds are in work.h)\n"
    "       load --interests                            every interest that anybody may have, one a line\n"
    "       load --sizes PEOPLE --cohorts FILE          how many of the first so many people are in which cohort, as JSON\n"
    "  --cohorts FILE (each interest with the cohorts it leads to: what the peers are told)\n"
    "  --connections N (64)  --depth N (1)  --rate PER_SECOND (0: closed loop)  --seconds S (1)  --warm-up S (0.2)\n"
    "  --people N (lookups)  --first I --count N --per-body N  --again N (ingest)  --path P  --offset N  --seed N\n"
    "  --pid SERVER (whose CPU time is read)  --user U --database D (PostgreSQL)  --limit S (600)\n";

static bool set_option(const char *name, const char *value)
{
    double number = strtod(value, NULL);
    uint64_t whole = strtoull(value, NULL, 10);
    const struct {
        const char *name;
        double *real;
        uint64_t *integer;
        unsigned *count;
        const char **text;
    } known[] = {
        {"--connections", NULL, NULL, &options.connections, NULL},
        {"--depth", NULL, NULL, &options.depth, NULL},
        {"--rate", &options.rate, NULL, NULL, NULL},
        {"--seconds", &options.seconds, NULL, NULL, NULL},
        {"--warm-up", &options.warm_up, NULL, NULL, NULL},
        {"--limit", &options.limit_seconds, NULL, NULL, NULL},
        {"--people", NULL, &work.people, NULL, NULL},
        {"--first", NULL, &work.first, NULL, NULL},
        {"--count", NULL, &work.count, NULL, NULL},
        {"--per-body", NULL, &work.per_body, NULL, NULL},
        {"--again", NULL, &work.again, NULL, NULL},
        {"--sizes", NULL, &options.sizes, NULL, NULL},
        {"--offset", NULL, &work.offset, NULL, NULL},
        {"--seed", NULL, &work.random, NULL, NULL},
        {"--cohorts", NULL, NULL, NULL, &options.cohorts},
        {"--path", NULL, NULL, NULL, &work.path},
        {"--user", NULL, NULL, NULL, &options.user},
        {"--database", NULL, NULL, NULL, &options.database},
    };
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        if (strcmp(known[k].name, name) == 0) {
            if (known[k].real != NULL) {
                *known[k].real = number;
            } else if (known[k].integer != NULL) {
                *known[k].integer = whole;
            } else if (known[k].count != NULL) {
                *known[k].count = (unsigned)whole;
            } else {
                *known[k].text = value;
            }
            return true;
        }
    }
    if (strcmp(name, "--port") == 0) {
        options.port = (uint16_t)whole;
    } else if (strcmp(name, "--pid") == 0) {
        options.pid = (pid_t)whole;
    } else if (strcmp(name, "--work") == 0) {
        return work_kind_parse(value, &work.kind);
    } else {
        return false;
    }
    return true;
}

static bool options_valid(void)
{
    return options.port != 0 && options.connections >= 1 &&
           options.connections <= CONNECTIONS_MAX && options.depth >= 1 &&
           options.depth <= DEPTH_MAX && (options.rate <= 0 || options.depth == 1) &&
           (!work_is_finite(work.kind) || options.depth == 1);
}

static bool read_cohorts(void)
{
    FILE *file = fopen(options.cohorts, "r");
    bool good = file != NULL && people_read_cohorts(file);
    if (file != NULL) {
        fclose(file);
    }
    if (!good) {
        fprintf(stderr, "load: %s does not say what each interest leads to\n", options.cohorts);
    }
    return good;
}

/* What Kindred has to come to on its own: {"cohort": people, …}. */
static void print_sizes(void)
{
    const char *names[COHORT_NAMES_MAX];
    uint64_t sizes[COHORT_NAMES_MAX] = {0};
    unsigned count = 0;
    for (uint64_t i = 0; i < options.sizes; i++) {
        struct person person;
        person_make(i, &person);
        for (unsigned k = 0; k < person.cohort_count; k++) {
            unsigned at = 0;
            while (at < count && names[at] != person.cohorts[k]) {
                at++;
            }
            count += at == count;
            names[at] = person.cohorts[k];
            sizes[at]++;
        }
    }
    for (unsigned k = 0; k < count; k++) {
        printf("%s\"%s\": %llu", k == 0 ? "{" : ", ", names[k], (unsigned long long)sizes[k]);
    }
    puts(count == 0 ? "{}" : "}");
}

int main(int argc, char **argv)
{
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--interests") == 0) {
        people_write_interests(stdout);
        return 0;
    }
    work = (struct work){.kind = WORK_GET, .path = "/", .people = 1, .per_body = 500};
    for (int k = 1; k < argc; k += 2) {
        if (k + 1 == argc || !set_option(argv[k], argv[k + 1])) {
            fprintf(stderr, "load: cannot read %s\n%s", argv[k], usage);
            return 2;
        }
    }
    if (options.cohorts != NULL && !read_cohorts()) {
        return 1;
    }
    if (options.sizes > 0) {
        print_sizes();
        return 0;
    }
    if (!options_valid()) {
        fputs(usage, stderr);
        return 2;
    }
    protocol = work_protocol(work.kind);
    connections = calloc(options.connections, sizeof(*connections));
    idle = calloc(options.connections, sizeof(struct connection *));
    if (connections == NULL || idle == NULL || !work_prepare(&work)) {
        return 1;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned k = 0; k < options.connections; k++) {
        open_connection(&connections[k]);
    }
    uint64_t elapsed = run();
    report(elapsed, cpu_time_ns(options.pid) - server_cpu_at_start,
           cpu_time_own_ns() - own_cpu_at_start);
    return 0;
}
