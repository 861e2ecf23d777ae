/* disk.h: a disk in RAM, below the system calls.
 *
 *     storage/file.c, LMDB ─▶ open, pwrite, fdatasync, … of calls.c ─▶ disk
 *
 * calls.c defines the file calls of the C library for paths below /sim/, so that the very code that
 * is shipped (storage/file.c with its loops around EINTR and short counts, and LMDB) runs on this
 * disk, in one thread. Each file is a memfd, which holds what a reader sees (the page cache; LMDB
 * maps it); beside it stands what would survive a power failure, and the changes on the way there.
 *
 * The model, harsher than a journaling file system:
 *   - a file's content is certain after fdatasync or fsync of it, or when written through O_DSYNC
 *   - a name made, changed or removed is certain after fsync of its folder
 *   - of everything else any subset may have happened; a write may be torn at 512 or 4,096 bytes, and the size may have
 *     grown for bytes that did not arrive
 *   - a sync that fails leaves pages that readers see and no later sync writes (as Linux does)
 *   - a rename happens whole or not at all
 *
 * Everything is drawn from the disk's own generator, and each call goes into the trace: the same
 * seed, the same calls, the same bytes. Threading: one. */
#ifndef KINDRED_TESTS_SIMULATION_DISK_H
#define KINDRED_TESTS_SIMULATION_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "trace_hash.h"

enum { DISK_PATH_MAX = 112, DISK_DESCRIPTORS = 4096 };

/* How the not yet certain changes fare in a power failure. */
enum disk_loss {
    LOSS_ALL,
    LOSS_NONE,
    LOSS_SUFFIX,
    LOSS_RANDOM,
    LOSS_TORN_512,
    LOSS_TORN_4096,
    LOSS_KINDS
};

struct disk_change {
    uint64_t order, offset;
    size_t length;
    uint8_t *data; /* NULL: the file's size becomes `offset` */
    bool certain;
    bool lost; /* by a sync that failed */
};

struct inode {
    uint32_t number;
    int memory;   /* the memfd; -1: a folder */
    bool foreign; /* LMDB's: it takes short counts for failures, so it gets none */
    bool temporary;
    bool volatile_file; /* lock.mdb holds nothing: gone after a power failure */
    bool failed;        /* a write or sync failed since the process started */
    bool diverged;      /* readers may see what no sync will write */
    size_t size;
    uint8_t *durable;
    size_t durable_bytes, durable_room;
    struct disk_change *changes;
    size_t change_count, change_room;
};

struct disk_name {
    char path[DISK_PATH_MAX];
    struct inode *inode;
};

struct name_change { /* `from` goes, `to` comes; either may be "" */
    uint64_t order;
    char from[DISK_PATH_MAX], to[DISK_PATH_MAX];
    struct inode *inode;
};

struct names_list {
    struct disk_name *at;
    size_t count, room;
};

/* What goes wrong: set per life by the scheduler. Counted in calls from now on; 0: never. */
struct disk_faults {
    unsigned interrupted, shortened; /* per mille of the calls that can be */
    uint64_t crash_in;               /* the machine dies inside that call */
    /* that changing call (write, sync, create, rename, remove, truncate) fails for good */
    uint64_t fail_in;
    uint64_t unread_in;         /* that read fails */
    uint64_t full_in, full_for; /* no space for so many changing calls */
};

struct disk {
    struct prng prng;
    struct trace_hash *trace;
    int64_t *now_us; /* latency moves it */
    struct disk_faults faults;
    bool quiet; /* the checker looks: nothing goes wrong, nothing is counted */
    bool dead;  /* between the crash and disk_power_failure or disk_start */
    uint64_t order;
    uint64_t calls, changes; /* of all */
    uint64_t log_changes;    /* writes, syncs and the like outside LMDB's files */
    uint64_t failures, log_failures, full, unread; /* injected */
    const char *violation;                         /* NULL, or what was done that must not be */
    struct inode **inodes;
    size_t inode_count, inode_room;
    struct names_list names, durable_names;
    struct name_change *name_changes;
    size_t name_change_count, name_change_room;
    struct {
        struct inode *inode;      /* NULL: not ours */
        bool direct;              /* O_DSYNC */
        char path[DISK_PATH_MAX]; /* of a folder */
    } open[DISK_DESCRIPTORS];
};

/* The one that the calls go to; NULL: all go to the system. */
extern struct disk *disk_in_use;

void disk_init(struct disk *disk, uint64_t seed, struct trace_hash *trace, int64_t *now_us);
void disk_deinit(struct disk *disk);
/* What is not certain is lost, kept or torn. All files must be closed. */
void disk_power_failure(struct disk *disk, enum disk_loss loss);
/* A process starts: what failed before is forgotten, as a new process would not know. */
void disk_start(struct disk *disk);

/* Plain access for checks. */
struct inode *disk_find(const struct disk *disk, const char *path);
/* XORs one byte, in cache and on the disk. */
void disk_flip(struct inode *inode, uint64_t offset, uint8_t bits);
/* The last file below the folder in byte order, or NULL. */
const struct disk_name *disk_last_file(const struct disk *disk, const char *folder);
bool disk_contains(const struct disk *disk, const char *folder, const char *text);

/* ---- for calls.c: as the system call of the name, with paths made plain; -1 and errno ---- */
bool disk_plain_path(const char *path, char out[DISK_PATH_MAX]); /* false: not below /sim */
int disk_open(struct disk *disk, const char *path, int flags);
int disk_close(struct disk *disk, int descriptor);
ssize_t disk_read(struct disk *disk, int descriptor, void *to, size_t length, off_t offset);
ssize_t disk_write(struct disk *disk, int descriptor, const void *from, size_t length,
                   off_t offset);
int disk_sync(struct disk *disk, int descriptor);
int disk_truncate(struct disk *disk, int descriptor, off_t size);
int disk_rename(struct disk *disk, const char *from, const char *to);
int disk_remove(struct disk *disk, const char *path);
int disk_make_folder(struct disk *disk, const char *path);
/* Counts a call that only looks; 0, or -1 and errno. */
int disk_look(struct disk *disk, int operation, uint64_t what);

#endif
