/* fault.h: a file_system that fails one call. It counts every call that can fail; the Nth answers
 * `with`. A write that fails may have written its first half. From then on, `for_ever` decides
 * whether the disk stays broken. */
#ifndef KINDRED_TESTS_STORAGE_FAULT_H
#define KINDRED_TESTS_STORAGE_FAULT_H

#include "storage/file.h"

enum fault_kind { FAULT_ANY, FAULT_WRITES, FAULT_SYNCS, FAULT_READS };

struct fault {
    struct file_system files;
    unsigned calls; /* of the chosen kind */
    unsigned at;    /* 0: never */
    err with;
    enum fault_kind kind;
    bool for_ever;
    bool half_write;
    bool hit;
    unsigned syncs_after;  /* successful syncs of a file or folder after the failure */
    unsigned writes_after; /* calls that change something after the failure */
};

void fault_init(struct fault *fault);
/* The Nth call from now on. */
void fault_arm(struct fault *fault, unsigned at, err with, enum fault_kind kind);

#endif
