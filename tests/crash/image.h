/* image.h: from a trace and a place in it to the folder that a power failure at that place could
 * have left.
 *
 * The model, harsher than a journaling file system:
 *   - what was done to a file's content is certain after TRACE_SYNC of the file (or with
 *     TRACE_DURABLE)
 *   - a name made, changed or removed is certain after TRACE_SYNC_FOLDER of its folder
 *   - of everything else any subset may have happened: IMAGE_* says which one. A torn write is
 *     one of which some sectors arrived; the others keep what was there, zeros if nothing was. The
 *     file's size may have grown for sectors that did not arrive.
 *   - a rename happens whole or not at all
 * Not modelled: sectors with garbage, writes that land in another file, disks that lie about a
 * sync. */
#ifndef KINDRED_TESTS_CRASH_IMAGE_H
#define KINDRED_TESTS_CRASH_IMAGE_H

#include "base/clock.h"
#include "trace.h"

enum image_mode {
    IMAGE_NONE,      /* only what is certain */
    IMAGE_ALL,       /* as if only the process had died */
    IMAGE_PREFIX,    /* the uncertain events up to a random one */
    IMAGE_RANDOM,    /* each uncertain event or not */
    IMAGE_TORN_512,  /* as IMAGE_RANDOM, and each sector of each uncertain write or not */
    IMAGE_TORN_4096, /* the same in pages */
    IMAGE_LAST_TORN, /* all but the last write, and of that one a prefix of sectors */
    IMAGE_MODE_COUNT,
};

struct image_plan {
    size_t cut; /* events before this one happened; trace->count: all */
    enum image_mode mode;
    uint64_t seed;
};

const char *image_mode_name(enum image_mode mode);
/* Fills `folder`, which must exist and be empty. */
void image_build(const struct trace *trace, const struct image_plan *plan, const char *folder);

#endif
