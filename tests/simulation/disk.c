#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"

enum { SECTOR = 512 };

struct disk *disk_in_use;

static void *room_for(void *items, size_t count, size_t *room, size_t item_bytes)
{
    if (count < *room) {
        return items;
    }
    *room = *room ? *room * 2 : 16;
    void *bigger = realloc(items, *room * item_bytes);
    CHECK(bigger != NULL);
    return bigger;
}

static uint64_t dice(struct disk *disk, uint64_t sides)
{
    return prng_below(&disk->prng, sides);
}

/* ---- what readers see: the memfd; past our own definitions of the calls ---- */

static void memory_write(const struct inode *inode, const void *from, size_t length,
                         uint64_t offset)
{
    CHECK(length == 0 ||
          syscall(SYS_pwrite64, inode->memory, from, length, offset) == (long)length);
}

static void memory_resize(const struct inode *inode, uint64_t size)
{
    CHECK(syscall(SYS_ftruncate, inode->memory, size) == 0);
}

/* ---- what survives ---- */

static void durable_resize(struct inode *inode, size_t size)
{
    if (size > inode->durable_room) {
        inode->durable_room = size * 2;
        inode->durable = realloc(inode->durable, inode->durable_room);
        CHECK(inode->durable != NULL);
    }
    if (size > inode->durable_bytes) {
        memset(inode->durable + inode->durable_bytes, 0, size - inode->durable_bytes);
    }
    inode->durable_bytes = size;
}

static void durable_apply(struct inode *inode, const struct disk_change *change)
{
    if (change->data == NULL) {
        durable_resize(inode, change->offset);
        return;
    }
    if (change->offset + change->length > inode->durable_bytes) {
        durable_resize(inode, change->offset + change->length);
    }
    memcpy(inode->durable + change->offset, change->data, change->length);
}

/* Some sectors of it arrive. */
static void durable_tear(struct disk *disk, struct inode *inode, const struct disk_change *change,
                         size_t sector)
{
    uint64_t end = change->offset + change->length;
    if (change->data != NULL && dice(disk, 2) == 0 && end > inode->durable_bytes) {
        durable_resize(inode, end);
    }
    for (uint64_t at = change->offset; change->data != NULL && at < end;) {
        uint64_t next = (at / sector + 1) * sector;
        next = next < end ? next : end;
        if (dice(disk, 2) == 0) {
            struct disk_change part = {
                .offset = at, .length = next - at, .data = change->data + (at - change->offset)};
            durable_apply(inode, &part);
        }
        at = next;
    }
    if (change->data == NULL && dice(disk, 2) == 0) {
        durable_apply(inode, change);
    }
}

static void forget_changes(struct inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        free(inode->changes[i].data);
    }
    inode->change_count = 0;
}

/* Of whole sectors, as readers see them now: what goes to a disk carries what stood in its sector
 * before. A length of 0: the size becomes `offset`. */
static void note_change(struct disk *disk, struct inode *inode, size_t length, uint64_t offset,
                        bool certain)
{
    struct disk_change change = {.order = ++disk->order, .offset = offset, .certain = certain};
    if (length > 0) {
        uint64_t end = (offset + length + SECTOR - 1) / SECTOR * SECTOR;
        change.offset = offset / SECTOR * SECTOR;
        change.length = (end < inode->size ? end : inode->size) - change.offset;
        change.data = malloc(change.length);
        CHECK(change.data != NULL && syscall(SYS_pread64, inode->memory, change.data, change.length,
                                             change.offset) == (long)change.length);
    }
    inode->changes =
        room_for(inode->changes, inode->change_count, &inode->change_room, sizeof *inode->changes);
    inode->changes[inode->change_count++] = change;
}

/* ---- names ---- */

static struct disk_name *name_find(const struct names_list *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->at[i].path, path) == 0) {
            return &names->at[i];
        }
    }
    return NULL;
}

static void name_drop(struct names_list *names, const char *path)
{
    struct disk_name *found = name_find(names, path);
    if (found != NULL) {
        *found = names->at[--names->count];
    }
}

static void name_set(struct names_list *names, const char *path, struct inode *inode)
{
    struct disk_name *found = name_find(names, path);
    if (found == NULL) {
        names->at = room_for(names->at, names->count, &names->room, sizeof *names->at);
        found = &names->at[names->count++];
        memcpy(found->path, path, DISK_PATH_MAX);
    }
    found->inode = inode;
}

static void name_apply(struct names_list *names, const struct name_change *change)
{
    if (change->from[0] != '\0') {
        name_drop(names, change->from);
    }
    if (change->to[0] != '\0') {
        name_set(names, change->to, change->inode);
    }
}

static void change_name(struct disk *disk, const char *from, const char *to, struct inode *inode)
{
    struct name_change change = {.order = ++disk->order, .inode = inode};
    strncpy(change.from, from, DISK_PATH_MAX - 1);
    strncpy(change.to, to, DISK_PATH_MAX - 1);
    name_apply(&disk->names, &change);
    disk->name_changes = room_for(disk->name_changes, disk->name_change_count,
                                  &disk->name_change_room, sizeof *disk->name_changes);
    disk->name_changes[disk->name_change_count++] = change;
}

static bool in_folder(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

static void sync_names(struct disk *disk, const char *folder)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk->name_change_count; i++) {
        struct name_change *change = &disk->name_changes[i];
        if (in_folder(change->to[0] != '\0' ? change->to : change->from, folder)) {
            name_apply(&disk->durable_names, change);
        } else {
            disk->name_changes[kept++] = *change;
        }
    }
    disk->name_change_count = kept;
}

bool disk_plain_path(const char *path, char out[DISK_PATH_MAX])
{
    if (path == NULL || strncmp(path, "/sim", 4) != 0 || (path[4] != '/' && path[4] != '\0')) {
        return false;
    }
    size_t length = 0;
    memset(out, 0, DISK_PATH_MAX);
    for (; *path != '\0'; path++) {
        CHECK(length + 1 < DISK_PATH_MAX);
        if (*path != '/' || (path[1] != '/' && path[1] != '\0')) {
            out[length++] = *path;
        }
    }
    if (length > 3 && strcmp(out + length - 3, "/..") == 0) {
        out[length - 3] = '\0';
        *strrchr(out, '/') = '\0';
        memset(out + strlen(out), 0, DISK_PATH_MAX - strlen(out));
    }
    return true;
}

static bool folder_exists(const struct disk *disk, const char *path)
{
    const struct disk_name *found = name_find(&disk->names, path);
    return strcmp(path, "/sim") == 0 || (found != NULL && found->inode->memory < 0);
}

static bool parent_exists(const struct disk *disk, const char *path)
{
    char parent[DISK_PATH_MAX] = "";
    memcpy(parent, path, DISK_PATH_MAX);
    *strrchr(parent, '/') = '\0';
    return folder_exists(disk, parent);
}

struct inode *disk_find(const struct disk *disk, const char *path)
{
    const struct disk_name *found = name_find(&disk->names, path);
    return found != NULL ? found->inode : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static struct inode *inode_make(struct disk *disk, const char *path, bool folder)
{
    struct inode *inode = calloc(1, sizeof *inode);
    CHECK(inode != NULL);
    disk->inodes =
        room_for(disk->inodes, disk->inode_count, &disk->inode_room, sizeof(struct inode *));
    disk->inodes[disk->inode_count++] = inode;
    inode->number = (uint32_t)disk->inode_count;
    inode->foreign = ends_with(path, ".mdb") || ends_with(path, "/profiles");
    inode->temporary = ends_with(path, ".tmp");
    inode->volatile_file = ends_with(path, "/lock.mdb");
    inode->memory = folder ? -1 : memfd_create("sim", MFD_CLOEXEC);
    CHECK(folder || inode->memory >= 0);
    return inode;
}

/* ---- calls: what may go wrong, before anything happens ---- */

static int refuse(int code)
{
    errno = code;
    return -1;
}

static void wait_for_disk(struct disk *disk)
{
    static const uint64_t longest_us[] = {1, 1, 1, 200, 5000, 60000};
    *disk->now_us += (int64_t)dice(disk, longest_us[dice(disk, 6)]);
}

/* True when the machine dies in this call. */
static bool dies(struct disk *disk)
{
    disk->calls++;
    wait_for_disk(disk);
    if (!disk->quiet && disk->faults.crash_in > 0 && --disk->faults.crash_in == 0) {
        disk->dead = true;
        trace_event(disk->trace, "dies", disk->calls, 0, 0);
    }
    return disk->dead;
}

static bool interrupted(struct disk *disk, const struct inode *inode)
{
    return !disk->quiet && !inode->foreign && dice(disk, 1000) < disk->faults.interrupted;
}

static bool reached(uint64_t *left)
{
    return *left > 0 && --*left == 0;
}

/* Of a changing call: 0, or the errno it has to end with. */
static int changing(struct disk *disk, const struct inode *inode, bool takes_space)
{
    if (disk->quiet) {
        return 0;
    }
    disk->changes++;
    disk->log_changes += !inode->foreign;
    if (inode->failed && !inode->foreign) {
        disk->violation = "a file was written or synced after a write or sync of it had failed";
    }
    if (reached(&disk->faults.fail_in)) {
        disk->failures++;
        disk->log_failures += !inode->foreign;
        return dice(disk, 8) == 0 ? EDQUOT : EIO;
    }
    if (disk->faults.full_in > 0) {
        disk->faults.full_in--;
    } else if (disk->faults.full_for > 0) {
        disk->faults.full_for--;
        if (takes_space) {
            disk->full++;
            return ENOSPC;
        }
    }
    return 0;
}

int disk_look(struct disk *disk, int operation, uint64_t what)
{
    trace_event(disk->trace, "look", (uint64_t)operation, what, 0);
    return dies(disk) ? refuse(EIO) : 0;
}

/* ---- opening ---- */

static int descriptor_for(struct disk *disk, struct inode *inode, const char *path, int flags)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", inode->memory);
    int access = flags & (O_ACCMODE | O_DSYNC);
    int descriptor = inode->memory < 0
                         ? memfd_create("folder", MFD_CLOEXEC)
                         : (int)syscall(SYS_openat, AT_FDCWD, link, access | O_CLOEXEC, 0);
    CHECK(descriptor >= 0 && descriptor < DISK_DESCRIPTORS);
    disk->open[descriptor].inode = inode;
    disk->open[descriptor].direct = (flags & O_DSYNC) != 0;
    memcpy(disk->open[descriptor].path, path, DISK_PATH_MAX);
    return descriptor;
}

int disk_open(struct disk *disk, const char *path, int flags)
{
    static struct inode root = {.memory = -1};
    struct inode *inode = strcmp(path, "/sim") == 0 ? &root : disk_find(disk, path);
    trace_event(disk->trace, "open", hash64(slice_from_cstr(path), 0), (uint64_t)flags,
                inode != NULL ? inode->number : 0);
    if (dies(disk)) {
        return refuse(EIO);
    }
    if (inode != NULL && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return refuse(EEXIST);
    }
    if (inode == NULL && ((flags & O_CREAT) == 0 || !parent_exists(disk, path))) {
        return refuse(ENOENT);
    }
    if (inode != NULL && inode->memory >= 0 && interrupted(disk, inode)) {
        return refuse(EINTR);
    }
    if (inode == NULL) {
        struct inode unnamed = {.foreign = ends_with(path, ".mdb")};
        int code = changing(disk, &unnamed, true);
        if (code != 0) {
            return refuse(code == EDQUOT ? EIO : code);
        }
        inode = inode_make(disk, path, false);
        change_name(disk, "", path, inode);
    }
    return descriptor_for(disk, inode, path, flags);
}

int disk_close(struct disk *disk, int descriptor)
{
    disk->open[descriptor].inode = NULL;
    return (int)syscall(SYS_close, descriptor);
}

/* ---- content ---- */

ssize_t disk_read(struct disk *disk, int descriptor, void *to, size_t length, off_t offset)
{
    struct inode *inode = disk->open[descriptor].inode;
    trace_event(disk->trace, "read", inode->number, (uint64_t)offset, length);
    if (dies(disk)) {
        return refuse(EIO);
    }
    if (!disk->quiet && reached(&disk->faults.unread_in)) {
        disk->unread++;
        return refuse(EIO);
    }
    if (interrupted(disk, inode)) {
        return refuse(EINTR);
    }
    if (!disk->quiet && !inode->foreign && length > 1 &&
        dice(disk, 1000) < disk->faults.shortened) {
        length = 1 + dice(disk, length - 1);
    }
    return syscall(SYS_pread64, inode->memory, to, length, offset);
}

/* How much of a write that is cut short is done: up to a sector's end, or nothing. (A regular
 * file's pages are filled one by one, and a disk's space is given out in blocks: no cut lies inside
 * a sector.) */
static size_t cut_short(struct disk *disk, size_t length, uint64_t offset)
{
    uint64_t end = (offset + dice(disk, length + 1)) / SECTOR * SECTOR;
    return end > offset ? end - offset : 0;
}

/* The first `length` bytes arrive in the cache. */
static void write_some(struct disk *disk, struct inode *inode, const void *from, size_t length,
                       uint64_t offset, bool certain)
{
    if (length == 0) {
        return;
    }
    memory_write(inode, from, length, offset);
    inode->size = offset + length > inode->size ? offset + length : inode->size;
    note_change(disk, inode, length, offset, certain);
}

ssize_t disk_write(struct disk *disk, int descriptor, const void *from, size_t length, off_t at)
{
    struct inode *inode = disk->open[descriptor].inode;
    uint64_t offset = (uint64_t)at;
    trace_event(disk->trace, "write", inode->number, offset, length);
    /* LMDB leaves gaps as they were in RAM */
    trace_mix(disk->trace, inode->foreign ? 0 : hash64(slice_of(from, length), 0));
    if (disk->dead) {
        return refuse(EIO);
    }
    if (dies(disk)) {
        write_some(disk, inode, from, cut_short(disk, length, offset), offset, false);
        return refuse(EIO);
    }
    if (interrupted(disk, inode)) {
        return refuse(EINTR);
    }
    int code = changing(disk, inode, offset + length > inode->size);
    if (code == ENOSPC) {
        size_t some =
            inode->foreign || dice(disk, 2) == 0 ? 0 : cut_short(disk, length - 1, offset);
        write_some(disk, inode, from, some, offset, false);
        return some > 0 ? (ssize_t)some : refuse(ENOSPC);
    }
    if (code != 0) {
        inode->failed = true;
        write_some(disk, inode, from, dice(disk, 2) == 0 ? length : cut_short(disk, length, offset),
                   offset, false);
        return refuse(EIO);
    }
    if (!disk->quiet && !inode->foreign && dice(disk, 1000) < disk->faults.shortened) {
        size_t some = cut_short(disk, length, offset);
        length = some > 0 ? some : length;
    }
    write_some(disk, inode, from, length, offset, disk->open[descriptor].direct);
    return (ssize_t)length;
}

/* A failed one: some pages have arrived, the others are never tried again. A size is not in a page:
 * the journal has it. */
static int sync_content(struct disk *disk, struct inode *inode, int code)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        struct disk_change *change = &inode->changes[i];
        if (code != 0 && change->data != NULL && !change->certain && dice(disk, 2) == 0) {
            change->lost = true;
            inode->diverged = true;
        }
        if (!change->lost) {
            durable_apply(inode, change);
        }
    }
    forget_changes(inode);
    return code == 0 ? 0 : refuse(code);
}

int disk_sync(struct disk *disk, int descriptor)
{
    struct inode *inode = disk->open[descriptor].inode;
    trace_event(disk->trace, "sync", inode->number, inode->change_count, 0);
    if (dies(disk)) {
        return refuse(EIO);
    }
    if (interrupted(disk, inode)) {
        return refuse(EINTR);
    }
    int code = changing(disk, inode, false);
    /* a copy that found no room is given up: no failure of the log's */
    code = code == EDQUOT && inode->temporary ? EIO : code;
    if (inode->memory < 0) {
        if (code != 0) {
            return refuse(code);
        }
        sync_names(disk, disk->open[descriptor].path);
        return 0;
    }
    inode->failed |= code != 0;
    return sync_content(disk, inode, code);
}

int disk_truncate(struct disk *disk, int descriptor, off_t size)
{
    struct inode *inode = disk->open[descriptor].inode;
    trace_event(disk->trace, "truncate", inode->number, (uint64_t)size, inode->size);
    if (dies(disk)) {
        return refuse(EIO);
    }
    if (interrupted(disk, inode)) {
        return refuse(EINTR);
    }
    int code = changing(disk, inode, false);
    if (code != 0) {
        inode->failed = true;
        return refuse(EIO);
    }
    memory_resize(inode, (uint64_t)size);
    note_change(disk, inode, 0, (uint64_t)size, false);
    inode->size = (size_t)size;
    return 0;
}

/* ---- names ---- */

static int change_of_names(struct disk *disk, const char *what, const struct inode *inode,
                           bool takes_space)
{
    trace_event(disk->trace, what, inode->number, 0, 0);
    if (dies(disk)) {
        return EIO;
    }
    int code = changing(disk, inode, takes_space);
    return code == EDQUOT ? EIO : code;
}

int disk_rename(struct disk *disk, const char *from, const char *to)
{
    struct inode *inode = disk_find(disk, from);
    if (inode == NULL) {
        return refuse(ENOENT);
    }
    int code = change_of_names(disk, "rename", inode, false);
    if (code != 0) {
        return refuse(code);
    }
    inode->foreign = ends_with(to, ".mdb");
    inode->temporary = false;
    change_name(disk, from, to, inode);
    return 0;
}

int disk_remove(struct disk *disk, const char *path)
{
    const struct inode *inode = disk_find(disk, path);
    if (inode == NULL) {
        return disk_look(disk, 'u', 0) != 0 ? -1 : refuse(ENOENT);
    }
    /* May go, whatever it went through; and what is left of a scrub is nobody's content. */
    struct inode after_failure = {.foreign = inode->foreign || ends_with(path, ".tmp"),
                                  .number = inode->number};
    int code = change_of_names(disk, "remove", &after_failure, false);
    if (code != 0) {
        return refuse(code);
    }
    change_name(disk, path, "", NULL);
    return 0;
}

int disk_make_folder(struct disk *disk, const char *path)
{
    struct inode unnamed = {.foreign = true}; /* nobody's content */
    int code = change_of_names(disk, "mkdir", &unnamed, true);
    if (code != 0) {
        return refuse(code);
    }
    if (disk_find(disk, path) != NULL || strcmp(path, "/sim") == 0) {
        return refuse(EEXIST);
    }
    if (!parent_exists(disk, path)) {
        return refuse(ENOENT);
    }
    change_name(disk, "", path, inode_make(disk, path, true));
    return 0;
}

/* ---- power ---- */

static void settle_content(struct disk *disk, struct inode *inode, enum disk_loss loss,
                           uint64_t until)
{
    if (inode->memory < 0 || (inode->change_count == 0 && !inode->diverged)) {
        return;
    }
    for (size_t i = 0; i < inode->change_count; i++) {
        const struct disk_change *change = &inode->changes[i];
        if (change->lost) {
            continue;
        }
        bool keep = loss == LOSS_NONE || (loss == LOSS_SUFFIX && change->order < until) ||
                    (loss == LOSS_RANDOM && dice(disk, 2) == 0);
        if (change->certain || keep) {
            durable_apply(inode, change);
        } else if (loss == LOSS_TORN_512 || loss == LOSS_TORN_4096) {
            durable_tear(disk, inode, change, loss == LOSS_TORN_512 ? 512 : 4096);
        }
    }
    forget_changes(inode);
    memory_resize(inode, 0);
    memory_resize(inode, inode->durable_bytes);
    memory_write(inode, inode->durable, inode->durable_bytes, 0);
    inode->size = inode->durable_bytes;
    inode->diverged = false;
}

static void settle_names(struct disk *disk, enum disk_loss loss, uint64_t until)
{
    struct names_list *names = &disk->durable_names;
    for (size_t i = 0; i < disk->name_change_count; i++) {
        const struct name_change *change = &disk->name_changes[i];
        bool keep = loss == LOSS_NONE || (loss == LOSS_SUFFIX && change->order < until) ||
                    (loss >= LOSS_RANDOM && dice(disk, 2) == 0);
        if (keep) {
            name_apply(names, change);
        }
    }
    disk->name_change_count = 0;
    disk->names.count = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (!names->at[i].inode->volatile_file) {
            name_set(&disk->names, names->at[i].path, names->at[i].inode);
        }
    }
    for (size_t i = 0;
         i < disk->names.count;) { /* what lies in a folder that is not there is not there */
        if (parent_exists(disk, disk->names.at[i].path)) {
            i++;
        } else {
            disk->names.at[i] = disk->names.at[--disk->names.count];
            i = 0;
        }
    }
    names->count = 0;
    for (size_t i = 0; i < disk->names.count; i++) {
        name_set(names, disk->names.at[i].path, disk->names.at[i].inode);
    }
}

void disk_power_failure(struct disk *disk, enum disk_loss loss)
{
    uint64_t until = dice(disk, disk->order + 2);
    trace_event(disk->trace, "power failure", (uint64_t)loss, until, 0);
    for (size_t i = 0; i < disk->inode_count; i++) {
        settle_content(disk, disk->inodes[i], loss, until);
    }
    settle_names(disk, loss, until);
}

void disk_start(struct disk *disk)
{
    disk->dead = false;
    disk->failures = disk->log_failures = disk->full = disk->unread = 0;
    disk->faults = (struct disk_faults){0};
    for (size_t i = 0; i < disk->inode_count; i++) {
        disk->inodes[i]->failed = false;
    }
}

/* ---- life and looks ---- */

void disk_init(struct disk *disk, uint64_t seed, struct trace_hash *trace, int64_t *now_us)
{
    memset(disk, 0, sizeof *disk);
    prng_seed(&disk->prng, seed);
    disk->trace = trace;
    disk->now_us = now_us;
}

void disk_deinit(struct disk *disk)
{
    for (int i = 0; i < DISK_DESCRIPTORS; i++) {
        CHECK(disk->open[i].inode == NULL); /* everything that was opened was closed */
    }
    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *inode = disk->inodes[i];
        forget_changes(inode);
        if (inode->memory >= 0) {
            syscall(SYS_close, inode->memory);
        }
        free(inode->changes);
        free(inode->durable);
        free(inode);
    }
    free(disk->inodes);
    free(disk->names.at);
    free(disk->durable_names.at);
    free(disk->name_changes);
}

void disk_flip(struct inode *inode, uint64_t offset, uint8_t bits)
{
    CHECK(offset < inode->durable_bytes && inode->change_count == 0);
    inode->durable[offset] ^= bits;
    memory_write(inode, &inode->durable[offset], 1, offset);
}

const struct disk_name *disk_last_file(const struct disk *disk, const char *folder)
{
    const struct disk_name *last = NULL;
    for (size_t i = 0; i < disk->names.count; i++) {
        const struct disk_name *name = &disk->names.at[i];
        if (in_folder(name->path, folder) && name->inode->memory >= 0 &&
            (last == NULL || strcmp(name->path, last->path) > 0)) {
            last = name;
        }
    }
    return last;
}

bool disk_contains(const struct disk *disk, const char *folder, const char *text)
{
    for (size_t i = 0; i < disk->names.count; i++) {
        const struct inode *inode = disk->names.at[i].inode;
        if (inode->memory >= 0 && in_folder(disk->names.at[i].path, folder) &&
            inode->durable_bytes > 0 &&
            memmem(inode->durable, inode->durable_bytes, text, strlen(text)) != NULL) {
            return true;
        }
    }
    return false;
}
