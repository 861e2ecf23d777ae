/* live.h: a whole server inside the test's process, with one worker, so that a test reaches its
 * parts, its memory and the calls it makes; and clients of it. */
#ifndef KINDRED_TESTS_SERVER_LIVE_H
#define KINDRED_TESTS_SERVER_LIVE_H

#include <stddef.h>

#include "server.h"

struct live {
    struct server *server;
    struct server_options options; /* may be changed before live_begin */
    char root[256];
    char data[300];
};

/* A new folder, and options: one worker, any port, nothing synced, no checkpoint by itself. */
void live_init(struct live *live);
/* Starts and waits until it is ready. Otherwise everything is ended again, and *error says why. */
bool live_begin(struct live *live, struct error *error) MUST_USE;
/* Stops; what went wrong, if anything. */
err live_end(struct live *live, struct error *error) MUST_USE;
void live_remove(struct live *live);

/* ---- memory that is refused ------------------------------------------------------------------ */

/* From the beginning of the program on: counts blocks. */
void live_memory_install(void);
int64_t live_memory_blocks(void);
/* The at-th allocation of this thread fails, once; of this server's only worker. False: it was not
 * reached. */
void live_memory_break_thread(pthread_t thread, uint64_t at);
void live_memory_break(const struct live *live, uint64_t at);
bool live_memory_refused(void);
bool live_memory_mend(void);

/* ---- clients --------------------------------------------------------------------------------- */

/* A connection, or -1. It gives up reading after 20 s. */
int live_connect(const struct live *live);
bool live_send(int fd, const void *bytes, size_t length);
/* Reads until the server closes; ends `out` with a NUL. */
size_t live_read_all(int fd, char *out, size_t room);
/* Reads one answer with Content-Length; its status, 0 when the connection ended. */
int live_read_answer(int fd, char *out, size_t room);
/* One request on a connection of its own: the answer's status, 0: none came. `headers` may be
 * "". */
int live_ask(const struct live *live, const char *method, const char *path, const char *headers,
             const char *body, char *out, size_t room);
/* Polls for up to 20 s. */
bool live_wait(bool (*holds)(const struct live *live), const struct live *live);

#endif
