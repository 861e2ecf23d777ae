/* sockets.h: a client's calls, made again when they were interrupted.
 *
 * No signal handler is needed for that: where libuv has an io_uring (1.45 and newer), the kernel
 * interrupts the thread that made the ring whenever work on it is done, in whatever call it waits.
 * In these tests that is the thread which is the client, too. */
#ifndef KINDRED_TESTS_SERVER_SOCKETS_H
#define KINDRED_TESTS_SERVER_SOCKETS_H

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SOCKET_PATIENCE_SECONDS = 20 };

/* To the port on the loopback; -1: refused. It gives up reading and writing after 20 s. */
__attribute__((unused)) static int socket_connect(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = SOCKET_PATIENCE_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    /* Interrupted, it goes on by itself: asked again, it says EALREADY until it is done. */
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
           errno != EISCONN) {
        if (errno != EINTR && errno != EALREADY) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

__attribute__((unused)) static ssize_t socket_receive(int fd, void *to, size_t room)
{
    ssize_t got = 0;
    do {
        got = recv(fd, to, room, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

__attribute__((unused)) static ssize_t socket_send(int fd, const void *bytes, size_t length)
{
    ssize_t sent = 0;
    do {
        sent = send(fd, bytes, length, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

#endif
