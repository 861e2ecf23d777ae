#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

struct content {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* Folders have file 0. */
struct name {
    char *path;
    uint32_t file;
};

struct image {
    const struct trace *trace;
    struct image_plan plan;
    struct prng prng;
    bool *certain;
    size_t uncertain_left; /* for IMAGE_PREFIX: so many more happen */
    size_t last_write;     /* for IMAGE_LAST_TORN */
    struct content *contents;
    size_t content_count;
    struct name *names;
    size_t name_count;
};

const char *image_mode_name(enum image_mode mode)
{
    static const char *const names[IMAGE_MODE_COUNT] = {
        "none", "all", "prefix", "random", "torn-512", "torn-4096", "last-torn",
    };
    return mode < IMAGE_MODE_COUNT ? names[mode] : "?";
}

/* ---- what is certain ------------------------------------------------------------------------- */

static bool in_folder(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 0;
    return strlen(folder) == length && strncmp(path, folder, length) == 0;
}

static bool changes_name(const struct trace_event *event)
{
    return event->op == TRACE_CREATE || event->op == TRACE_RENAME || event->op == TRACE_REMOVE ||
           event->op == TRACE_MAKE_FOLDER;
}

static bool changes_content(const struct trace_event *event)
{
    return event->op == TRACE_WRITE || event->op == TRACE_TRUNCATE;
}

/* Folders that were synced at some later place; there are few. */
struct synced_folders {
    const char *paths[64];
    size_t count;
};

static bool folder_synced(const struct synced_folders *folders, const char *path)
{
    size_t i = 0;
    while (i < folders->count && !in_folder(path, folders->paths[i])) {
        i++;
    }
    return i < folders->count;
}

static void add_folder(struct synced_folders *folders, const char *path)
{
    for (size_t i = 0; i < folders->count; i++) {
        if (strcmp(folders->paths[i], path) == 0) {
            return;
        }
    }
    CHECK(folders->count < ARRAY_COUNT(folders->paths));
    folders->paths[folders->count++] = path;
}

/* Backwards: an event is certain when a sync of its file, or of its folder, comes after it. */
static void find_certain(struct image *image)
{
    const struct trace_event *events = image->trace->events;
    struct synced_folders folders = {.count = 0};
    uint32_t files = 0;
    size_t uncertain = 0;
    for (size_t i = 0; i < image->plan.cut; i++) {
        files = events[i].file > files ? events[i].file : files;
    }
    bool *file_synced = calloc((size_t)files + 1, sizeof *file_synced);
    CHECK(file_synced != NULL);
    for (size_t i = image->plan.cut; i-- > 0;) {
        const struct trace_event *event = &events[i];
        image->certain[i] = (event->flags & TRACE_DURABLE) != 0;
        if (event->op == TRACE_SYNC) {
            file_synced[event->file] = true;
        } else if (event->op == TRACE_SYNC_FOLDER) {
            add_folder(&folders, event->path);
        } else if (changes_content(event)) {
            image->certain[i] |= file_synced[event->file];
        } else if (changes_name(event)) {
            image->certain[i] |= folder_synced(&folders, event->path);
        } else {
            continue;
        }
        if (!image->certain[i] && (changes_name(event) || changes_content(event))) {
            uncertain++;
            if (event->op == TRACE_WRITE && image->last_write == SIZE_MAX) {
                image->last_write = i;
            }
        }
    }
    free(file_synced);
    image->uncertain_left = (size_t)prng_below(&image->prng, uncertain + 1);
}

/* Does the uncertain event i happen (at least in part)? Asked once for each, in order. */
static bool happens(struct image *image)
{
    switch (image->plan.mode) {
    case IMAGE_NONE: return false;
    case IMAGE_PREFIX:
        if (image->uncertain_left == 0) {
            return false;
        }
        image->uncertain_left--;
        return true;
    case IMAGE_RANDOM:
    case IMAGE_TORN_512:
    case IMAGE_TORN_4096: return prng_below(&image->prng, 2) == 0;
    case IMAGE_ALL:
    case IMAGE_LAST_TORN:
    case IMAGE_MODE_COUNT: break;
    }
    return true;
}

/* ---- contents -------------------------------------------------------------------------------- */

static struct content *content_of(struct image *image, uint32_t file)
{
    if (file >= image->content_count) {
        size_t count = (size_t)file + 16;
        image->contents = realloc(image->contents, count * sizeof *image->contents);
        CHECK(image->contents != NULL);
        memset(image->contents + image->content_count, 0,
               (count - image->content_count) * sizeof *image->contents);
        image->content_count = count;
    }
    return &image->contents[file];
}

static void resize(struct content *content, size_t size)
{
    if (size > content->capacity) {
        content->capacity = size * 2;
        content->bytes = realloc(content->bytes, content->capacity);
        CHECK(content->bytes != NULL);
    }
    if (size > content->size) {
        memset(content->bytes + content->size, 0, size - content->size);
    }
    content->size = size;
}

static void put_bytes(struct content *content, size_t offset, const uint8_t *data, size_t length)
{
    if (length == 0) {
        return; /* an empty file that was adopted */
    }
    if (offset + length > content->size) {
        resize(content, offset + length);
    }
    memcpy(content->bytes + offset, data, length);
}

/* Sectors are the disk's, so they are counted from the beginning of the file. */
static void write_torn(struct image *image, const struct trace_event *event, size_t sector,
                       bool prefix)
{
    struct content *content = content_of(image, event->file);
    size_t offset = (size_t)event->offset;
    size_t end = offset + event->data_bytes;
    size_t sectors = (end + sector - 1) / sector - offset / sector;
    size_t kept = (size_t)prng_below(&image->prng, sectors + 1);
    size_t index = 0;
    bool size_grows = prng_below(&image->prng, 2) == 0;
    for (size_t at = offset; at < end; index++) {
        size_t next = (at / sector + 1) * sector;
        next = next < end ? next : end;
        if (prefix ? index < kept : prng_below(&image->prng, 2) == 0) {
            put_bytes(content, at, event->data + (at - offset), next - at);
        }
        at = next;
    }
    if (size_grows && content->size < end) {
        resize(content, end);
    }
}

static void apply_content(struct image *image, size_t index)
{
    const struct trace_event *event = &image->trace->events[index];
    struct content *content = content_of(image, event->file);
    bool torn = !image->certain[index];
    if (event->op == TRACE_TRUNCATE) {
        resize(content, (size_t)event->offset);
    } else if (torn && image->plan.mode == IMAGE_TORN_512) {
        write_torn(image, event, 512, false);
    } else if (torn && image->plan.mode == IMAGE_TORN_4096) {
        write_torn(image, event, 4096, false);
    } else if (torn && image->plan.mode == IMAGE_LAST_TORN && index == image->last_write) {
        write_torn(image, event, 512, true);
    } else {
        put_bytes(content, (size_t)event->offset, event->data, event->data_bytes);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static struct name *find_name(struct image *image, const char *path)
{
    for (size_t i = 0; i < image->name_count; i++) {
        if (strcmp(image->names[i].path, path) == 0) {
            return &image->names[i];
        }
    }
    return NULL;
}

static void set_name(struct image *image, const char *path, uint32_t file)
{
    struct name *name = find_name(image, path);
    if (name == NULL) {
        image->names = realloc(image->names, (image->name_count + 1) * sizeof *image->names);
        CHECK(image->names != NULL);
        name = &image->names[image->name_count++];
        name->path = strdup(path);
    }
    name->file = file;
}

static void drop_name(struct image *image, const char *path)
{
    struct name *name = find_name(image, path);
    if (name != NULL) {
        free(name->path);
        *name = image->names[--image->name_count];
    }
}

/* Which file a name meant when the event happened, whatever became of the events before: a rename
 * carries its file along. */
static uint32_t file_named(const struct trace *trace, size_t before, const char *path)
{
    for (size_t i = before; i-- > 0;) {
        const struct trace_event *event = &trace->events[i];
        if (event->op == TRACE_CREATE && strcmp(event->path, path) == 0) {
            return event->file;
        }
        if (event->op == TRACE_RENAME && strcmp(event->second, path) == 0) {
            return file_named(trace, i, event->path);
        }
    }
    return 0;
}

static void apply_name(struct image *image, size_t index)
{
    const struct trace_event *event = &image->trace->events[index];
    switch (event->op) {
    case TRACE_CREATE: set_name(image, event->path, event->file); break;
    case TRACE_MAKE_FOLDER: set_name(image, event->path, 0); break;
    case TRACE_REMOVE: drop_name(image, event->path); break;
    case TRACE_RENAME:
        drop_name(image, event->path);
        set_name(image, event->second, file_named(image->trace, index, event->path));
        break;
    default: break;
    }
}

/* ---- writing it out -------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

/* In order of the paths a folder comes before what is in it. What lies in a folder that is not
 * there is not there. */
static void write_out(struct image *image, const char *folder)
{
    if (image->name_count > 0) {
        qsort(image->names, image->name_count, sizeof *image->names, by_path);
    }
    for (size_t i = 0; i < image->name_count; i++) {
        char path[1024];
        CHECK((size_t)snprintf(path, sizeof path, "%s/%s", folder, image->names[i].path) <
              sizeof path);
        if (image->names[i].file == 0) {
            (void)mkdir(path, 0700);
            continue;
        }
        const struct content *content = content_of(image, image->names[i].file);
        FILE *file = fopen(path, "wb");
        if (file != NULL) {
            CHECK(content->size == 0 ||
                  fwrite(content->bytes, 1, content->size, file) == content->size);
            CHECK(fclose(file) == 0);
        }
    }
}

void image_build(const struct trace *trace, const struct image_plan *plan, const char *folder)
{
    struct image image = {.trace = trace, .plan = *plan, .last_write = SIZE_MAX};
    CHECK(plan->cut <= trace->count);
    prng_seed(&image.prng, plan->seed);
    image.certain = calloc(plan->cut + 1, sizeof *image.certain);
    CHECK(image.certain != NULL);
    find_certain(&image);
    for (size_t i = 0; i < plan->cut; i++) {
        const struct trace_event *event = &trace->events[i];
        if (!changes_name(event) && !changes_content(event)) {
            continue;
        }
        if (image.certain[i] || happens(&image)) {
            if (changes_name(event)) {
                apply_name(&image, i);
            } else {
                apply_content(&image, i);
            }
        }
    }
    write_out(&image, folder);
    for (size_t i = 0; i < image.content_count; i++) {
        free(image.contents[i].bytes);
    }
    for (size_t i = 0; i < image.name_count; i++) {
        free(image.names[i].path);
    }
    free(image.contents);
    free(image.names);
    free(image.certain);
}
