#include "fault.h"

static const struct file_system *below = &file_system_posix;

enum { READS = 1, CHANGES = 2, SYNCS = 4, WRITES = 8 };

static bool counts(const struct fault *fault, unsigned traits)
{
    switch (fault->kind) {
    case FAULT_ANY: return true;
    case FAULT_WRITES: return (traits & WRITES) != 0;
    case FAULT_SYNCS: return (traits & SYNCS) != 0;
    case FAULT_READS: return (traits & READS) != 0;
    }
    return false;
}

/* Does this call fail? */
static bool fails(struct fault *fault, unsigned traits, const char *operation, err *e,
                  struct error *error)
{
    if (fault->hit) {
        fault->syncs_after += (traits & SYNCS) != 0;
        fault->writes_after += (traits & CHANGES) != 0;
    }
    if (fault->at == 0 || !counts(fault, traits)) {
        return false;
    }
    fault->calls++;
    if (fault->calls == fault->at || (fault->for_ever && fault->calls > fault->at)) {
        fault->hit = true;
        *e = error_set(error, fault->with, err_name(fault->with), 0, "injected failure of %s",
                       operation);
        return true;
    }
    return false;
}

static err fault_open(void *context, const char *path, enum file_mode mode, struct file **out,
                      struct error *error)
{
    err e;
    unsigned traits = mode == FILE_READ || mode == FILE_WRITE ? READS : CHANGES;
    return fails(context, traits, "open", &e, error)
               ? e
               : below->open(below->context, path, mode, out, error);
}

static void fault_close(void *context, struct file *file)
{
    (void)context;
    below->close(below->context, file);
}

static err fault_read_at(void *context, struct file *file, void *to, size_t length, uint64_t offset,
                         size_t *got, struct error *error)
{
    err e;
    return fails(context, READS, "read", &e, error)
               ? e
               : below->read_at(below->context, file, to, length, offset, got, error);
}

static err fault_write_at(void *context, struct file *file, const void *from, size_t length,
                          uint64_t offset, struct error *error)
{
    struct fault *fault = context;
    err e;
    if (fails(fault, WRITES | CHANGES, "write", &e, error)) {
        struct error ignored;
        if (fault->half_write &&
            below->write_at(below->context, file, from, length / 2, offset, &ignored) != ERR_OK) {
            return ERR_IO;
        }
        return e;
    }
    return below->write_at(below->context, file, from, length, offset, error);
}

static err fault_sync(void *context, struct file *file, struct error *error)
{
    err e;
    (void)file; /* the tests here do not crash: no need to wait for a disk */
    return fails(context, SYNCS | CHANGES, "sync", &e, error) ? e : ERR_OK;
}

static err fault_truncate(void *context, struct file *file, uint64_t size_bytes,
                          struct error *error)
{
    err e;
    return fails(context, CHANGES, "truncate", &e, error)
               ? e
               : below->truncate(below->context, file, size_bytes, error);
}

static err fault_size(void *context, struct file *file, uint64_t *size_bytes, struct error *error)
{
    err e;
    return fails(context, READS, "size", &e, error)
               ? e
               : below->size(below->context, file, size_bytes, error);
}

static err fault_rename(void *context, const char *from, const char *to, struct error *error)
{
    err e;
    return fails(context, CHANGES, "rename", &e, error)
               ? e
               : below->rename(below->context, from, to, error);
}

static err fault_remove(void *context, const char *path, struct error *error)
{
    err e;
    return fails(context, CHANGES, "remove", &e, error)
               ? e
               : below->remove(below->context, path, error);
}

static err fault_make_directory(void *context, const char *path, struct error *error)
{
    err e;
    return fails(context, CHANGES, "make folder", &e, error)
               ? e
               : below->make_directory(below->context, path, error);
}

static err fault_sync_directory(void *context, const char *path, struct error *error)
{
    err e;
    (void)path;
    return fails(context, SYNCS | CHANGES, "sync folder", &e, error) ? e : ERR_OK;
}

static err fault_list(void *context, const char *path,
                      void (*visit)(void *visitor, const char *name), void *visitor,
                      struct error *error)
{
    err e;
    return fails(context, READS, "list", &e, error)
               ? e
               : below->list(below->context, path, visit, visitor, error);
}

static err fault_lock(void *context, struct file *file, struct error *error)
{
    err e;
    return fails(context, READS, "lock", &e, error) ? e : below->lock(below->context, file, error);
}

void fault_init(struct fault *fault)
{
    *fault = (struct fault){
        .files =
            {
                .context = fault,
                .open = fault_open,
                .close = fault_close,
                .read_at = fault_read_at,
                .write_at = fault_write_at,
                .sync = fault_sync,
                .truncate = fault_truncate,
                .size = fault_size,
                .rename = fault_rename,
                .remove = fault_remove,
                .make_directory = fault_make_directory,
                .sync_directory = fault_sync_directory,
                .list = fault_list,
                .lock = fault_lock,
            },
    };
}

void fault_arm(struct fault *fault, unsigned at, err with, enum fault_kind kind)
{
    fault->calls = 0;
    fault->at = at;
    fault->with = with;
    fault->kind = kind;
    fault->hit = false;
    fault->syncs_after = 0;
    fault->writes_after = 0;
}
