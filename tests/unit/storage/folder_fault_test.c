/* Tries to get past the file seam, the data folder and what stands in a backup: system calls that
 * are interrupted or fail, a folder that cannot be opened to its end, manifests and ledgers whose
 * checksums hold and whose content does not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backup_manifest.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "fault.h"
#include "storage/data_folder.h"
#include "support.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

/* ---- system calls ---------------------------------------------------------------------------- */

enum call {
    CALL_NONE,
    CALL_OPEN,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_FDATASYNC,
    CALL_FTRUNCATE,
    CALL_FSYNC,
    CALL_FLOCK,
    CALL_COUNT
};
static struct {
    enum call call;
    int times; /* how often it fails */
    int with;  /* 0: it does nothing and says so */
} broken;

static bool breaks(enum call call)
{
    if (broken.call != call || broken.times == 0) {
        return false;
    }
    broken.times--;
    errno = broken.with;
    return true;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return breaks(CALL_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
ssize_t pread(int descriptor, void *to, size_t length, off_t offset)
{
    return breaks(CALL_PREAD) ? -1 : syscall(SYS_pread64, descriptor, to, length, offset);
}
ssize_t pwrite(int descriptor, const void *from, size_t length, off_t offset)
{
    return breaks(CALL_PWRITE) ? (broken.with == 0 ? 0 : -1)
                               : syscall(SYS_pwrite64, descriptor, from, length, offset);
}
int fdatasync(int descriptor)
{
    return breaks(CALL_FDATASYNC) ? -1 : (int)syscall(SYS_fdatasync, descriptor);
}
int ftruncate(int descriptor, off_t length)
{
    return breaks(CALL_FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, descriptor, length);
}
int fsync(int descriptor)
{
    return breaks(CALL_FSYNC) ? -1 : (int)syscall(SYS_fsync, descriptor);
}
int flock(int descriptor, int operation)
{
    return breaks(CALL_FLOCK) ? -1 : (int)syscall(SYS_flock, descriptor, operation);
}

static err use_every_call(const char *folder, struct error *error)
{
    const struct file_system *files = &file_system_posix;
    char path[300];
    struct file *file = NULL;
    uint64_t size = 0;
    char text[8] = {0};
    size_t got = 0;
    snprintf(path, sizeof path, "%s/file", folder);
    err e = files->open(files->context, path, FILE_CREATE, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    e = files->lock(files->context, file, error);
    if (e == ERR_OK) {
        e = files->write_at(files->context, file, "written", 7, 0, error);
    }
    if (e == ERR_OK) {
        e = files->truncate(files->context, file, 5, error);
    }
    if (e == ERR_OK) {
        e = files->sync(files->context, file, error);
    }
    if (e == ERR_OK) {
        e = files->read_at(files->context, file, text, sizeof text, 0, &got, error);
    }
    if (e == ERR_OK) {
        e = files->size(files->context, file, &size, error);
    }
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, folder, error);
        EXPECT(e != ERR_OK || (got == 5 && size == 5 && memcmp(text, "writt", 5) == 0));
    }
    files->close(files->context, file);
    return e;
}

/* A signal in the middle changes nothing; anything else is an error that names the file, and a full
 * disk is told apart. */
static void test_calls_that_are_interrupted_or_fail(void)
{
    static const struct {
        int with;
        err expected;
    } kinds[] = {{EINTR, ERR_OK},
                 {EIO, ERR_IO},
                 {ENOSPC, ERR_NO_SPACE},
                 {EDQUOT, ERR_NO_SPACE},
                 {EACCES, ERR_DENIED}};
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    for (int call = CALL_OPEN; call < CALL_COUNT; call++) {
        for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
            struct error error = {0};
            broken.call = (enum call)call;
            broken.with = kinds[i].with;
            broken.times = kinds[i].with == EINTR ? 3 : 1;
            err e = use_every_call(folder, &error);
            EXPECT(broken.times == 0, " call %d is not used", call);
            broken.call = CALL_NONE;
            EXPECT(e == kinds[i].expected || (kinds[i].expected != ERR_OK && e == ERR_IO),
                   " call %d with %s: %s (%s)", call, strerror(kinds[i].with), err_name(e),
                   error.message);
            EXPECT(kinds[i].with != ENOSPC || call != CALL_PWRITE || e == ERR_NO_SPACE);
            EXPECT(e == ERR_OK || strstr(error.message, folder) != NULL, " %s", error.message);
        }
    }
    struct error error = {0};
    broken.call = CALL_PWRITE;
    broken.with = 0;
    broken.times = 1;
    EXPECT(use_every_call(folder, &error) == ERR_IO, " a write of nothing is no success");
    broken.call = CALL_NONE;
    folder_remove(folder);
}

static void test_folders_that_are_none(void)
{
    const struct file_system *files = &file_system_posix;
    struct error error = {0};
    char folder[256];
    char path[300];
    struct file *file = NULL;
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/file", folder);
    file_store(path, "x", 1);
    EXPECT(files->make_directory(files->context, folder, &error) == ERR_OK);
    EXPECT(files->make_directory(files->context, path, &error) != ERR_OK);
    EXPECT(files->sync_directory(files->context, path, &error) != ERR_OK);
    EXPECT(files->list(files->context, path, NULL, NULL, &error) != ERR_OK);
    EXPECT(files->open(files->context, path, FILE_CREATE_NEW, &file, &error) != ERR_OK &&
           file == NULL);
    snprintf(path, sizeof path, "%s/none/deeper", folder);
    EXPECT(files->make_directory(files->context, path, &error) == ERR_NOT_FOUND);
    EXPECT(files->rename(files->context, path, folder, &error) == ERR_NOT_FOUND);
    EXPECT(files->remove(files->context, path, NULL) == ERR_NOT_FOUND);
    folder_remove(folder);
}

/* ---- the data folder ------------------------------------------------------------------------- */

static err open_folder(const struct file_system *files, const char *path, bool must_exist,
                       struct data_folder *out, struct error *error)
{
    static struct prng prng;
    static struct random_source random;
    prng_seed(&prng, 1);
    random = prng_source(&prng);
    const struct data_folder_options options = {
        .files = files, .random = &random, .path = path, .must_exist = must_exist};
    return data_folder_open(&options, out, error);
}

/* Whatever fails while it is opened: it is closed again, lock and all, and opens afterwards. */
static void test_every_call_fails_while_a_folder_opens(void)
{
    for (unsigned n = 1;; n++) {
        struct fault fault;
        struct data_folder folder;
        struct error error = {0};
        char root[256];
        char path[300];
        snprintf(root, sizeof root, "%s", folder_make());
        snprintf(path, sizeof path, "%s/data", root);
        fault_init(&fault);
        fault_arm(&fault, n, ERR_IO, FAULT_ANY);
        err e = open_folder(&fault.files, path, false, &folder, &error);
        const bool hit = fault.hit;
        if (e == ERR_OK) {
            data_folder_close(&folder);
        }
        EXPECT(!hit || e == ERR_IO, " call %u: %s", n, err_name(e));
        REQUIRE(open_folder(&file_system_posix, path, false, &folder, &error) == ERR_OK,
                " call %u: %s", n, error.message);
        data_folder_close(&folder);
        folder_remove(root);
        if (!hit) {
            EXPECT(n > 8, " only %u calls", n);
            break;
        }
    }
}

static void test_memory_fails_while_a_folder_opens(void)
{
    char root[256];
    char path[300];
    snprintf(root, sizeof root, "%s", folder_make());
    snprintf(path, sizeof path, "%s/data", root);
    for (uint64_t n = 1;; n++) {
        struct data_folder folder;
        struct error error = {0};
        failing_memory_begin_once(n);
        err e = open_folder(&file_system_posix, path, false, &folder, &error);
        if (e == ERR_OK) {
            data_folder_close(&folder);
        }
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0 && e == (end.failed ? ERR_MEMORY : ERR_OK), " call %u: %s",
               (unsigned)n, err_name(e));
        if (!end.failed) {
            break;
        }
    }
    folder_remove(root);
}

static void test_folders_that_do_not_open(void)
{
    struct data_folder folder;
    struct error error = {0};
    char root[256];
    char path[2000];
    snprintf(root, sizeof root, "%s", folder_make());
    snprintf(path, sizeof path, "%s/none", root);
    EXPECT(open_folder(&file_system_posix, path, true, &folder, &error) == ERR_NOT_FOUND &&
           strstr(error.message, "none") != NULL);
    for (size_t length = 1000; length < 1100; length += 7) { /* around the room for a path */
        memset(path, 'x', length);
        path[length] = '\0';
        err e = open_folder(&file_system_posix, path, true, &folder, &error);
        EXPECT(e != ERR_OK && (length < 1024 || strcmp(error.code, "path_too_long") == 0),
               " %zu: %s", length, error.message);
    }
    snprintf(path, sizeof path, "%s/file", root);
    file_store(path, "x", 1);
    EXPECT(open_folder(&file_system_posix, path, false, &folder, &error) != ERR_OK);
    snprintf(path, sizeof path, "%s/data", root);
    REQUIRE(open_folder(&file_system_posix, path, false, &folder, &error) == ERR_OK);
    struct data_folder second;
    EXPECT(open_folder(&file_system_posix, path, true, &second, &error) == ERR_LOCKED);
    data_folder_close(&folder);
    folder_remove(root);
}

/* ---- manifests ------------------------------------------------------------------------------- */

#define LOG   "log 00112233445566778899aabbccddeeff\n"
#define CHAIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD  "kindred-backup 1\n" LOG "taken 5\nlast 9 -7\nerased 2 0000000a\n"

static err decode_manifest(const char *lines, struct backup_manifest *out, struct error *error)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "%s", lines);
    length += snprintf(text + length, sizeof text - (size_t)length, "crc32c %08x\n",
                       crc32c(0, text, (size_t)length));
    *out = (struct backup_manifest){0};
    return manifest_decode(slice_of(text, (size_t)length), "a-manifest", out, error);
}

static void test_manifests(void)
{
    static const struct {
        const char *lines;
        err expected;
    } cases[] = {
        {HEAD "segment 1 0000000000000000 4096 " CHAIN "\n", ERR_OK},
        {HEAD "keys 0000001f 77\nsegment 1 0000000000000000 4096 " CHAIN
              "\nsegment 5 00000000000000ff 4096 " CHAIN "\n",
         ERR_OK},
        {HEAD, ERR_CORRUPT}, /* no segment */
        {HEAD "segment 5 0000000000000000 4096 " CHAIN "\nsegment 5 0000000000000000 4096 " CHAIN
              "\n",
         ERR_CORRUPT},
        {HEAD "segment 5 0000000000000000 4096 " CHAIN "\nsegment 1 0000000000000000 4096 " CHAIN
              "\n",
         ERR_CORRUPT},
        {HEAD "segment 0 0000000000000000 4096 " CHAIN "\n", ERR_CORRUPT},
        {HEAD "segment 1 0000000000000000 3 " CHAIN "\n", ERR_UNSUPPORTED}, /* less than a header */
        {HEAD "segment x 0000000000000000 4096 " CHAIN "\n", ERR_UNSUPPORTED},
        {HEAD "segment 1 000000000000000 4096 " CHAIN "\n", ERR_UNSUPPORTED},
        {HEAD "segment 1 0000000000000000 4o96 " CHAIN "\n", ERR_UNSUPPORTED},
        {HEAD "segment 1 0000000000000000 4096 " CHAIN "0\n", ERR_UNSUPPORTED},
        {HEAD "segment 1 0000000000000000 4096 zz\n", ERR_UNSUPPORTED},
        {HEAD "colour blue\nsegment 1 0000000000000000 4096 " CHAIN "\n", ERR_UNSUPPORTED},
        {"kindred-backup 2\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\nlog 0011\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\nlog 0011223344556677889gaabbccddeeff\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "taken 99999999999999999999\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "taken 9223372036854775808\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "taken -\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "taken\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "last 9\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "last x 9\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "erased 2 a\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "erased -2 0000000a\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "keys 0000001f\n", ERR_UNSUPPORTED},
        {"kindred-backup 1\n" LOG "keys 1f 77\n", ERR_UNSUPPORTED},
        {"\n", ERR_UNSUPPORTED},
        {"", ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct backup_manifest manifest;
        struct error error = {0};
        err e = decode_manifest(cases[i].lines, &manifest, &error);
        EXPECT(e == cases[i].expected, " case %zu: %s %s", i, err_name(e), error.message);
        EXPECT(e == ERR_OK || strstr(error.message, "a-manifest") != NULL, " %s", error.message);
        EXPECT(e != ERR_OK || (manifest.last_received_at_us == -7 && manifest.last_sequence == 9 &&
                               manifest.ledger_crc == 10));
        manifest_deinit(&manifest);
    }
    static const char *const no_checksum[] = {"",
                                              "x",
                                              "crc32c 00000000",
                                              "crc32c 0000000g\n",
                                              HEAD "crc32c 00000000\n",
                                              "crc33c 00000000\n"};
    for (size_t i = 0; i < ARRAY_COUNT(no_checksum); i++) {
        struct backup_manifest manifest = {0};
        struct error error = {0};
        EXPECT(manifest_decode(slice_from_cstr(no_checksum[i]), "a-manifest", &manifest, &error) ==
                   ERR_CORRUPT,
               " %zu", i);
        manifest_deinit(&manifest);
    }
}

/* ---- ledgers --------------------------------------------------------------------------------- */

/* A ledger with two unfinished and three entries; `change` bytes at `at`, and the checksum made
 * right again. */
static err decode_ledger(size_t at, uint64_t value, size_t change, size_t cut,
                         struct erasure_ledger *out, struct error *error)
{
    struct erasure_ledger ledger = {.last_sequence = 99};
    struct buffer bytes;
    uint8_t word[8];
    buffer_init(&bytes, 4096);
    for (uint64_t n = 1; n <= 3; n++) {
        struct erased_entry entry = {.sequence = n * 10, .created_person = n == 2};
        CHECK(erasure_ledger_add(&ledger, &entry, error) == ERR_OK);
        CHECK(n == 3 || erasure_ledger_add_unfinished(&ledger, n * 7, error) == ERR_OK);
    }
    erasure_ledger_encode(&ledger, &bytes);
    store_u64(word, value);
    memcpy(bytes.data + at, word, change);
    bytes.length -= 4 + cut;
    store_u32(word, crc32c(0, bytes.data, bytes.length));
    buffer_append(&bytes, word, 4);
    err e = erasure_ledger_decode(buffer_slice(&bytes), "a-ledger", out, error);
    buffer_deinit(&bytes);
    erasure_ledger_deinit(&ledger);
    return e;
}

/* One with two erasures comes back as it was, and no shorter one is taken. */
static void test_ledger_with_erasures(void)
{
    struct erasure_ledger ledger = {.last_sequence = 99};
    struct erased_entry entry = {.sequence = 10};
    struct error error = {0};
    struct buffer bytes;
    uint8_t word[4];
    buffer_init(&bytes, 4096);
    CHECK(erasure_ledger_add(&ledger, &entry, &error) == ERR_OK &&
          erasure_ledger_add_erasure(&ledger, 20, SLICE_LITERAL("the first"), &error) == ERR_OK &&
          erasure_ledger_add_erasure(&ledger, 30, SLICE_NONE, &error) == ERR_OK);
    erasure_ledger_encode(&ledger, &bytes);
    const size_t whole = bytes.length - 4;
    for (size_t length = 48; length <= whole; length++) {
        struct erasure_ledger out = {0};
        bytes.length = length;
        store_u32(word, crc32c(0, bytes.data, bytes.length));
        buffer_append(&bytes, word, 4);
        err e = erasure_ledger_decode(buffer_slice(&bytes), "a-ledger", &out, &error);
        EXPECT(e == (length == whole ? ERR_OK : ERR_CORRUPT), " %zu bytes: %s", length,
               err_name(e));
        EXPECT(e != ERR_OK ||
               (out.count == 1 && out.erasures_count == 2 && out.erasures[0].sequence == 20 &&
                slice_equal_cstr(out.erasures[0].payload, "the first") &&
                out.erasures[1].sequence == 30 && out.erasures[1].payload.length == 0));
        erasure_ledger_deinit(&out);
        bytes.length = length;
        if (length == whole) {
            break;
        }
        /* What was written over. */
        bytes.length = 0;
        erasure_ledger_encode(&ledger, &bytes);
    }
    buffer_deinit(&bytes);
    erasure_ledger_deinit(&ledger);
}

static void test_ledgers(void)
{
    enum { MAGIC = 0, VERSION = 8, UNFINISHED = 12, COUNT = 40, ENTRIES = 48 + 2 * 8, ENTRY = 32 };
    static const struct {
        size_t at;
        uint64_t value;
        size_t change, cut;
        err expected;
    } cases[] = {
        {MAGIC, 0, 0, 0, ERR_OK},
        {MAGIC, 1, 1, 0, ERR_CORRUPT},
        {VERSION, 3, 4, 0, ERR_UNSUPPORTED},
        {VERSION, 2, 4, 0, ERR_CORRUPT}, /* erasures are announced, and there are none */
        {UNFINISHED, 3, 4, 0, ERR_CORRUPT},
        {UNFINISHED, 0xFFFFFFFF, 4, 0, ERR_CORRUPT},
        {COUNT, 2, 8, 0, ERR_CORRUPT},
        {COUNT, UINT64_MAX, 8, 0, ERR_CORRUPT},
        {COUNT, UINT64_MAX / ENTRY + 4, 8, 0, ERR_CORRUPT},
        {ENTRIES + ENTRY, 10, 8, 0, ERR_CORRUPT}, /* the same again */
        {ENTRIES + ENTRY, 5, 8, 0, ERR_CORRUPT},  /* descending */
        {MAGIC, 0, 0, 1, ERR_CORRUPT},
        {MAGIC, 0, 0, ENTRY, ERR_CORRUPT},
        {MAGIC, 0, 0, 3 * ENTRY + 2 * 8 + 20, ERR_CORRUPT}, /* less than a head */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct erasure_ledger ledger = {0};
        struct error error = {0};
        err e = decode_ledger(cases[i].at, cases[i].value, cases[i].change, cases[i].cut, &ledger,
                              &error);
        EXPECT(e == cases[i].expected, " case %zu: %s %s", i, err_name(e), error.message);
        EXPECT(e != ERR_OK || (ledger.count == 3 && ledger.unfinished_count == 2 &&
                               ledger.entries[1].created_person));
        erasure_ledger_deinit(&ledger);
    }
}

int main(void)
{
    RUN(test_calls_that_are_interrupted_or_fail);
    RUN(test_folders_that_are_none);
    RUN(test_every_call_fails_while_a_folder_opens);
    RUN(test_memory_fails_while_a_folder_opens);
    RUN(test_folders_that_do_not_open);
    RUN(test_manifests);
    RUN(test_ledgers);
    RUN(test_ledger_with_erasures);
    return test_summary();
}
