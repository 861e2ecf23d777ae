/* data_folder.h: one deployment's folder on disk.
 *
 *   DIR/LOCK            held by the one process that uses the folder
 *   DIR/log/            the raw log, N.seg (rawlog.h)
 *   DIR/profiles/       the checkpoint (checkpoint.h): data.mdb, lock.mdb
 *
 * Opening order: lock, checkpoint (how far is the fold?), log (check what lies behind that).
 *
 * Threading: open and close on one thread. Failure: see the parts; ERR_LOCKED names the folder,
 * ERR_CONFLICT: a restore into it did not come to its end (backup.h). */
#ifndef KINDRED_STORAGE_DATA_FOLDER_H
#define KINDRED_STORAGE_DATA_FOLDER_H

#include "storage/checkpoint.h"
#include "storage/rawlog.h"

struct data_folder {
    const struct file_system *files;
    struct file *lock;
    struct checkpoint *checkpoint;
    struct log *log;
    struct rawlog_report report;
    char path[1024];
};

struct data_folder_options {
    const struct file_system *files; /* borrowed */
    const struct random_source *random;
    const char *path;
    uint64_t segment_bytes; /* 0: default */
    bool must_exist;        /* ERR_NOT_FOUND instead of making a new one */
};

err data_folder_open(const struct data_folder_options *options, struct data_folder *out,
                     struct error *error) MUST_USE;
void data_folder_close(struct data_folder *folder);

#endif
