/* ghosts_format.h: what ghosts_encode.c writes and ghosts_replay.c reads. Stored. */
#ifndef KINDRED_ENGINE_GHOSTS_FORMAT_H
#define KINDRED_ENGINE_GHOSTS_FORMAT_H

enum ghost_flag {
    GHOST_THERE = 1,
    GHOST_NAMES = 2,
    GHOST_MESSAGE = 4,
    GHOST_SOURCE = 8,
    GHOST_EARLIER = 16,
};

#endif
