/* Tries to catch the real file system not keeping file.h's promises: short writes, ends of files,
 * modes, locks, order of names. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "storage/file.h"
#include "support.h"
#include "unit/test.h"

static const struct file_system *files = &file_system_posix;

static void test_write_read_truncate(void)
{
    struct error error;
    struct file *file;
    char path[300];
    char bytes[16] = {0};
    size_t got;
    uint64_t size = 0;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/a", folder);
    EXPECT(files->open(NULL, path, FILE_READ, &file, &error) == ERR_NOT_FOUND &&
           error.err == ERR_NOT_FOUND);
    EXPECT(files->open(NULL, path, FILE_WRITE, &file, &error) == ERR_NOT_FOUND);
    REQUIRE(files->open(NULL, path, FILE_CREATE_NEW, &file, &error) == ERR_OK, " %s",
            error.message);
    EXPECT(files->write_at(NULL, file, "hello", 5, 3, &error) == ERR_OK);
    EXPECT(files->read_at(NULL, file, bytes, 16, 0, &got, &error) == ERR_OK && got == 8);
    EXPECT(memcmp(bytes, "\0\0\0hello", 8) == 0);
    EXPECT(files->read_at(NULL, file, bytes, 16, 100, &got, &error) == ERR_OK && got == 0);
    EXPECT(files->truncate(NULL, file, 4, &error) == ERR_OK &&
           files->size(NULL, file, &size, &error) == ERR_OK);
    EXPECT(size == 4 && files->sync(NULL, file, &error) == ERR_OK);
    files->close(NULL, file);
    files->close(NULL, NULL);
    EXPECT(files->open(NULL, path, FILE_CREATE_NEW, &file, &error) == ERR_CONFLICT);
    EXPECT(files->remove(NULL, path, &error) == ERR_OK &&
           files->remove(NULL, path, &error) == ERR_NOT_FOUND);
    EXPECT(files->sync_directory(NULL, folder, &error) == ERR_OK);
    EXPECT(files->make_directory(NULL, folder, &error) == ERR_OK);
    folder_remove(folder);
}

/* The kernel takes what fits under the limit and reports a short write: it must come out as an
 * error, not as success. */
static void test_a_short_write_is_an_error(void)
{
    struct error error;
    struct file *file;
    struct rlimit before;
    char path[300];
    char bytes[8192];
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/a", folder);
    memset(bytes, 'x', sizeof bytes);
    REQUIRE(files->open(NULL, path, FILE_CREATE, &file, &error) == ERR_OK);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit limit = {5000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    err e = files->write_at(NULL, file, bytes, sizeof bytes, 0, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT(e == ERR_IO && strstr(error.message, path) != NULL, " %s", error.message);
    uint64_t size = 0;
    EXPECT(files->size(NULL, file, &size, &error) == ERR_OK && size == 5000, " it was short");
    files->close(NULL, file);
    folder_remove(folder);
}

static void test_lock(void)
{
    struct error error;
    struct file *first;
    struct file *second;
    char path[300];
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/LOCK", folder);
    REQUIRE(files->open(NULL, path, FILE_CREATE, &first, &error) == ERR_OK);
    REQUIRE(files->open(NULL, path, FILE_CREATE, &second, &error) == ERR_OK);
    EXPECT(files->lock(NULL, first, &error) == ERR_OK);
    EXPECT(files->lock(NULL, second, &error) == ERR_LOCKED);
    files->close(NULL, first);
    EXPECT(files->lock(NULL, second, &error) == ERR_OK);
    files->close(NULL, second);
    folder_remove(folder);
}

static void append_name(void *visitor, const char *name)
{
    strcat(visitor, name);
    strcat(visitor, " ");
}

static void test_list_and_rename(void)
{
    struct error error;
    char path[300];
    char other[300];
    char names[100] = "";
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    static const char *const some[] = {"b", "a", "c10", "c9"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, some[i]);
        file_store(path, "x", 1);
    }
    snprintf(path, sizeof path, "%s/inner", folder);
    EXPECT(files->make_directory(NULL, path, &error) == ERR_OK);
    EXPECT(files->list(NULL, folder, append_name, names, &error) == ERR_OK);
    EXPECT(strcmp(names, "a b c10 c9 ") == 0, " %s", names);
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(other, sizeof other, "%s/b", folder);
    EXPECT(files->rename(NULL, path, other, &error) == ERR_OK);
    EXPECT(files->rename(NULL, path, other, &error) == ERR_NOT_FOUND);
    snprintf(path, sizeof path, "%s/nowhere", folder);
    EXPECT(files->list(NULL, path, append_name, names, &error) == ERR_NOT_FOUND);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_write_read_truncate);
    RUN(test_a_short_write_is_an_error);
    RUN(test_lock);
    RUN(test_list_and_rename);
    return test_summary();
}
