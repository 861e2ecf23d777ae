/* Tries to break the checkpoint: what was committed must be there after reopening, all of it or
 * nothing; snapshots must not move; the map must grow; a scrub must leave no deleted byte; damage
 * must be named; after a failed commit nothing goes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/checkpoint.h"
#include "support.h"
#include "unit/test.h"

/* liblmdb.so calls these through its symbol table, so the ones here come first. */
static int fail_fdatasync_with;
static int fail_writes_with;

int fdatasync(int descriptor)
{
    if (fail_fdatasync_with != 0) {
        errno = fail_fdatasync_with;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, descriptor);
}

ssize_t pwrite(int descriptor, const void *from, size_t length, off_t offset)
{
    if (fail_writes_with != 0) {
        errno = fail_writes_with;
        return -1;
    }
    return syscall(SYS_pwrite64, descriptor, from, length, offset);
}

static struct checkpoint *open_at(const char *folder, struct error *error)
{
    struct checkpoint_options options = {.directory = folder, .map_bytes = 1024 * 1024};
    struct checkpoint *checkpoint = NULL;
    return checkpoint_open(&options, &checkpoint, error) == ERR_OK ? checkpoint : NULL;
}

static void put_text(struct checkpoint_txn *txn, enum checkpoint_table table, const char *key,
                     const char *value)
{
    struct error error;
    EXPECT(checkpoint_put(txn, table, slice_from_cstr(key), slice_from_cstr(value), &error) ==
           ERR_OK);
}

static err commit_text(struct checkpoint *checkpoint, const char *key, const char *value,
                       uint64_t sequence, struct error *error)
{
    struct checkpoint_txn *txn;
    err e = checkpoint_begin(checkpoint, &txn, error);
    if (e != ERR_OK) {
        return e;
    }
    put_text(txn, TABLE_NAMES, key, value);
    return checkpoint_commit(txn, sequence, error);
}

static bool holds(struct checkpoint *checkpoint, enum checkpoint_table table, const char *key,
                  const char *value)
{
    struct checkpoint_snapshot *snapshot;
    struct error error;
    struct slice found;
    if (checkpoint_snapshot_begin(checkpoint, &snapshot, &error) != ERR_OK) {
        return false;
    }
    err e = checkpoint_get(snapshot, table, slice_from_cstr(key), &found, &error);
    bool same = value == NULL ? e == ERR_NOT_FOUND : e == ERR_OK && slice_equal_cstr(found, value);
    checkpoint_snapshot_end(snapshot);
    return same;
}

static void test_commit_and_reopen(void)
{
    struct error error;
    struct checkpoint_txn *txn;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(checkpoint_applied_sequence(checkpoint) == 0);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    put_text(txn, TABLE_PROFILES, "b", "two");
    put_text(txn, TABLE_PROFILES, "a", "one");
    put_text(txn, TABLE_META, "name", "");
    put_text(txn, TABLE_COHORTS, "sports", "gone");
    EXPECT(checkpoint_delete(txn, TABLE_COHORTS, slice_from_cstr("sports"), &error) == ERR_OK);
    EXPECT(checkpoint_delete(txn, TABLE_COHORTS, slice_from_cstr("never"), &error) == ERR_OK);
    REQUIRE(checkpoint_commit(txn, 7, &error) == ERR_OK);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    put_text(txn, TABLE_PROFILES, "a", "changed");
    EXPECT(checkpoint_clear(txn, TABLE_PROFILES, &error) == ERR_OK);
    checkpoint_abort(txn);
    checkpoint_close(checkpoint);

    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(checkpoint_applied_sequence(checkpoint) == 7);
    EXPECT(holds(checkpoint, TABLE_PROFILES, "a", "one") &&
           holds(checkpoint, TABLE_PROFILES, "b", "two"));
    EXPECT(holds(checkpoint, TABLE_META, "name", "") &&
           holds(checkpoint, TABLE_COHORTS, "sports", NULL));
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

struct seen {
    char text[256];
    size_t stop_after;
};

static err collect(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%.*s=%.*s ", SLICE_ARGS(key),
             SLICE_ARGS(value));
    return seen->stop_after > 0 && --seen->stop_after == 0 ? ERR_STOPPING : ERR_OK;
}

static void test_scan_is_ordered_and_a_snapshot_stands_still(void)
{
    struct error error;
    struct checkpoint_txn *txn;
    struct checkpoint_snapshot *snapshot;
    struct seen seen = {.text = ""};
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(commit_text(checkpoint, "b", "2", 1, &error) == ERR_OK);
    EXPECT(commit_text(checkpoint, "a", "1", 2, &error) == ERR_OK);
    REQUIRE(checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    EXPECT(commit_text(checkpoint, "c", "3", 3, &error) == ERR_OK);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    EXPECT(checkpoint_clear(txn, TABLE_NAMES, &error) == ERR_OK);
    EXPECT(checkpoint_commit(txn, 4, &error) == ERR_OK);
    EXPECT(checkpoint_snapshot_sequence(snapshot) == 2 &&
           checkpoint_count(snapshot, TABLE_NAMES) == 2);
    EXPECT(checkpoint_count(snapshot, TABLE_META) == 0);
    EXPECT(checkpoint_scan(snapshot, TABLE_NAMES, collect, &seen, &error) == ERR_OK);
    EXPECT(strcmp(seen.text, "a=1 b=2 ") == 0, " %s", seen.text);
    EXPECT(checkpoint_scan(snapshot, TABLE_META, collect, &seen, &error) == ERR_OK);
    EXPECT(strcmp(seen.text, "a=1 b=2 ") == 0);
    seen.stop_after = 1;
    EXPECT(checkpoint_scan(snapshot, TABLE_NAMES, collect, &seen, &error) == ERR_STOPPING);
    checkpoint_snapshot_end(snapshot);
    EXPECT(holds(checkpoint, TABLE_NAMES, "a", NULL));
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

static void test_the_map_grows(void)
{
    enum { VALUE_BYTES = 64 * 1024, VALUES = 100 };
    struct error error;
    struct checkpoint_txn *txn;
    char folder[256];
    char *value = calloc(1, VALUE_BYTES);
    bool was_full = false;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL && value != NULL);
    for (int attempt = 0; attempt < 8; attempt++) {
        err e = ERR_OK;
        REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK, " %s", error.message);
        for (uint32_t i = 0; i < VALUES && e == ERR_OK; i++) {
            e = checkpoint_put(txn, TABLE_PROFILES, slice_of(&i, sizeof i),
                               slice_of(value, VALUE_BYTES), &error);
        }
        if (e == ERR_OK) {
            EXPECT(checkpoint_commit(txn, 1, &error) == ERR_OK, " %s", error.message);
            break;
        }
        EXPECT(e == ERR_BUSY && strcmp(error.code, "map_full") == 0, " %s", error.message);
        was_full = true;
        checkpoint_abort(txn);
    }
    EXPECT(was_full && checkpoint_applied_sequence(checkpoint) == 1);
    checkpoint_close(checkpoint);
    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    struct checkpoint_snapshot *snapshot;
    REQUIRE(checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    EXPECT(checkpoint_count(snapshot, TABLE_PROFILES) == VALUES);
    checkpoint_snapshot_end(snapshot);
    EXPECT(commit_text(checkpoint, "after", "growth", 2, &error) == ERR_OK);
    checkpoint_close(checkpoint);
    free(value);
    folder_remove(folder);
}

/* Small values die inside pages that live on, big ones leave whole pages behind. */
static void test_scrub_leaves_no_deleted_byte(void)
{
    struct error error;
    struct checkpoint_txn *txn;
    char folder[256];
    char key[16];
    static char big[20000];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%05d", i);
        put_text(txn, TABLE_PROFILES, key, "a value that stays where it is");
    }
    for (int i = 7; i < 500; i += 50) {
        snprintf(key, sizeof key, "%05d-secret", i);
        put_text(txn, TABLE_PROFILES, key, "secret-small-value");
    }
    memset(big, 'x', sizeof big - 1);
    memcpy(big + 9000, "secret-big-value", 16);
    put_text(txn, TABLE_HISTORY, "big", big);
    put_text(txn, TABLE_MEMBERS, "secret-key", "v");
    /* The newest entry of a page lies next to the page's gap; deleted, it stays there. */
    put_text(txn, TABLE_COHORTS, "a", "stays");
    put_text(txn, TABLE_COHORTS, "z", "stays");
    put_text(txn, TABLE_COHORTS, "m", "secret-in-the-gap");
    REQUIRE(checkpoint_commit(txn, 1, &error) == ERR_OK);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    for (int i = 7; i < 500; i += 50) {
        snprintf(key, sizeof key, "%05d-secret", i);
        EXPECT(checkpoint_delete(txn, TABLE_PROFILES, slice_from_cstr(key), &error) == ERR_OK);
    }
    EXPECT(checkpoint_delete(txn, TABLE_HISTORY, slice_from_cstr("big"), &error) == ERR_OK);
    EXPECT(checkpoint_delete(txn, TABLE_MEMBERS, slice_from_cstr("secret-key"), &error) == ERR_OK);
    EXPECT(checkpoint_delete(txn, TABLE_COHORTS, slice_from_cstr("m"), &error) == ERR_OK);
    REQUIRE(checkpoint_commit(txn, 2, &error) == ERR_OK);
    EXPECT(folder_contains(folder, "secret-"), " the test has to see them first");
    EXPECT(checkpoint_scrub(checkpoint, &error) == ERR_OK, " %s", error.message);
    EXPECT(!folder_contains(folder, "secret-"));
    EXPECT(checkpoint_applied_sequence(checkpoint) == 2);
    EXPECT(holds(checkpoint, TABLE_PROFILES, "00006", "a value that stays where it is"));
    EXPECT(holds(checkpoint, TABLE_PROFILES, "00007-secret", NULL));
    EXPECT(commit_text(checkpoint, "after", "scrub", 3, &error) == ERR_OK);
    checkpoint_close(checkpoint);

    char path[300];
    snprintf(path, sizeof path, "%s/new.mdb", folder);
    file_store(path, "secret-left-over", 16); /* a scrub that a crash ended */
    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(!folder_contains(folder, "secret-"));
    EXPECT(checkpoint_applied_sequence(checkpoint) == 3 &&
           holds(checkpoint, TABLE_NAMES, "after", "scrub"));
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

/* LMDB itself forgets a failed sync: without fail-stop the second commit would succeed. */
static void test_nothing_is_written_after_a_failed_commit(void)
{
    struct error error;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(commit_text(checkpoint, "a", "before", 1, &error) == ERR_OK);
    fail_fdatasync_with = EIO;
    EXPECT(commit_text(checkpoint, "a", "failed", 2, &error) == ERR_IO);
    fail_fdatasync_with = 0;
    EXPECT(commit_text(checkpoint, "a", "after", 3, &error) == ERR_IO);
    EXPECT(checkpoint_scrub(checkpoint, &error) == ERR_IO);
    EXPECT(checkpoint_applied_sequence(checkpoint) == 1 &&
           holds(checkpoint, TABLE_NAMES, "a", "before"));
    checkpoint_close(checkpoint);
    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(checkpoint_applied_sequence(checkpoint) == 1 &&
           holds(checkpoint, TABLE_NAMES, "a", "before"));
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

static void test_a_full_disk_is_survived(void)
{
    struct error error;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(commit_text(checkpoint, "a", "before", 1, &error) == ERR_OK);
    fail_fdatasync_with = ENOSPC;
    fail_writes_with = ENOSPC;
    EXPECT(commit_text(checkpoint, "a", "failed", 2, &error) == ERR_NO_SPACE);
    EXPECT(checkpoint_applied_sequence(checkpoint) == 1 &&
           holds(checkpoint, TABLE_NAMES, "a", "before"));
    fail_fdatasync_with = 0;
    fail_writes_with = 0;
    EXPECT(commit_text(checkpoint, "a", "after", 2, &error) == ERR_OK, " %s", error.message);
    EXPECT(holds(checkpoint, TABLE_NAMES, "a", "after"));
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

static void test_damage_is_named(void)
{
    struct error error;
    char folder[256];
    char path[300];
    size_t length;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(commit_text(checkpoint, "a", "a-value-to-damage", 1, &error) == ERR_OK);
    checkpoint_close(checkpoint);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    char *bytes = file_load(path, &length);
    char *at = memmem(bytes, length, "a-value-to-damage", 17);
    REQUIRE(at != NULL);
    while (at != NULL) { /* copies in older pages, too */
        at[3] ^= 1;
        at = memmem(bytes, length, "a-value-to-damage", 17);
    }
    file_store(path, bytes, length);
    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    struct checkpoint_snapshot *snapshot;
    struct slice value;
    struct seen seen = {.text = ""};
    REQUIRE(checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    EXPECT(checkpoint_get(snapshot, TABLE_NAMES, slice_from_cstr("a"), &value, &error) ==
           ERR_CORRUPT);
    EXPECT(checkpoint_scan(snapshot, TABLE_NAMES, collect, &seen, &error) == ERR_CORRUPT &&
           seen.text[0] == '\0');
    checkpoint_snapshot_end(snapshot);
    checkpoint_close(checkpoint);

    file_store(path, bytes, length / 2); /* the pages its meta page names are not there */
    EXPECT(open_at(folder, &error) == NULL && error.err == ERR_CORRUPT, " %s", error.message);
    memset(bytes, 'x', length);
    file_store(path, bytes, length);
    EXPECT(open_at(folder, &error) == NULL && error.err == ERR_CORRUPT, " %s", error.message);
    free(bytes);
    folder_remove(folder);
}

/* LMDB writes a changed page elsewhere and leaves the old one. A disk that loses the new one, or a
 * flipped bit in a page number, brings the old one back: as many rows, each with its own good
 * checksum. */
static void test_an_older_page_is_noticed(void)
{
    enum { PAGE = 4096, PAGE_NUMBER_BYTES = 8, ROWS = 20 };
    struct error error;
    struct checkpoint_txn *txn;
    char folder[256];
    char path[300];
    size_t length;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    for (int round = 0; round < 2; round++) {
        REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
        for (int i = 0; i < ROWS; i++) {
            char key[16];
            snprintf(key, sizeof key, "%05d", i);
            put_text(txn, TABLE_PARENTS, key, round == 0 ? "an-old-value" : "a-new-value!");
        }
        put_text(txn, TABLE_PARENTS, "99999", "goes and comes");
        EXPECT(checkpoint_delete(txn, TABLE_PARENTS, slice_from_cstr("99999"), &error) == ERR_OK);
        REQUIRE(checkpoint_commit(txn, (uint64_t)round + 1, &error) == ERR_OK);
    }
    checkpoint_close(checkpoint);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    char *bytes = file_load(path, &length);
    const char *from = memmem(bytes, length, "an-old-value", 12);
    const char *to = memmem(bytes, length, "a-new-value!", 12);
    REQUIRE(from != NULL && to != NULL);
    const size_t from_page = (size_t)(from - bytes) / PAGE;
    const size_t to_page = (size_t)(to - bytes) / PAGE;
    memcpy(bytes + to_page * PAGE + PAGE_NUMBER_BYTES, bytes + from_page * PAGE + PAGE_NUMBER_BYTES,
           PAGE - PAGE_NUMBER_BYTES);
    file_store(path, bytes, length);
    free(bytes);

    struct checkpoint_snapshot *snapshot;
    struct seen seen = {.text = ""};
    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(holds(checkpoint, TABLE_PARENTS, "00007", "an-old-value"),
           " the test has to bring the page back");
    REQUIRE(checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    EXPECT(checkpoint_scan(snapshot, TABLE_PARENTS, collect, &seen, &error) == ERR_CORRUPT &&
               strstr(error.message, "table parents: some of its rows are older") != NULL,
           " %s", error.message);
    EXPECT(checkpoint_scan(snapshot, TABLE_META, collect, &seen, &error) == ERR_OK);
    checkpoint_snapshot_end(snapshot);
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

/* Damages the key by which LMDB finds the second leaf of the only table that has more than one. */
static void damage_branch(const char *folder)
{
    enum {
        PAGE = 4096,
        FLAGS_AT = 10,
        LOWER_AT = 12,
        POINTERS_AT = 16,
        BRANCH = 1,
        NODE_HEADER_BYTES = 8
    };
    char path[300];
    size_t length;
    int damaged = 0;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    char *bytes = file_load(path, &length);
    for (size_t at = 2 * PAGE; at + PAGE <= length; at += PAGE) {
        uint16_t flags;
        uint16_t second;
        memcpy(&flags, bytes + at + FLAGS_AT, sizeof flags);
        memcpy(&second, bytes + at + POINTERS_AT + sizeof second, sizeof second);
        if (flags == BRANCH && second < PAGE) {
            bytes[at + second + NODE_HEADER_BYTES] = '~';
            damaged++;
        }
    }
    REQUIRE(damaged > 0);
    file_store(path, bytes, length);
    free(bytes);
}

static err scan_profiles(struct checkpoint *checkpoint, struct error *error)
{
    struct checkpoint_snapshot *snapshot;
    struct seen seen = {.text = ""};
    err e = checkpoint_snapshot_begin(checkpoint, &snapshot, error);
    if (e == ERR_OK) {
        e = checkpoint_scan(snapshot, TABLE_PROFILES, collect, &seen, error);
        checkpoint_snapshot_end(snapshot);
    }
    return e;
}

/* LMDB finds rows by the keys in its branch pages. With one of those damaged a scan still sees all
 * rows, but a row is looked for in another leaf: "not there" would be a wrong answer, a deleted row
 * would stay, a replaced one would be there twice. */
static void test_a_row_that_is_looked_for_in_another_place(void)
{
    enum { ROWS = 200, ROW = 60 }; /* some leaves, and ROW is in the second */
    static const char text[] =
        "a value of some length, so that there are leaves enough for a page of branches";
    struct error error;
    struct checkpoint_txn *txn;
    struct checkpoint_snapshot *snapshot;
    struct slice value;
    char folder[256];
    char key[16];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL && checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    for (int i = 0; i < ROWS; i++) {
        snprintf(key, sizeof key, "%05d", i);
        put_text(txn, TABLE_PROFILES, key, text);
    }
    REQUIRE(checkpoint_commit(txn, 1, &error) == ERR_OK);
    EXPECT(holds(checkpoint, TABLE_PROFILES, "00060x", NULL), " %s", error.message);
    checkpoint_close(checkpoint);
    damage_branch(folder);

    checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(scan_profiles(checkpoint, &error) == ERR_OK, " a scan does not look for anything: %s",
           error.message);
    snprintf(key, sizeof key, "%05d", ROW);
    REQUIRE(checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    EXPECT(checkpoint_get(snapshot, TABLE_PROFILES, slice_from_cstr(key), &value, &error) ==
               ERR_CORRUPT,
           " %s", error.message);
    checkpoint_snapshot_end(snapshot);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    EXPECT(checkpoint_delete(txn, TABLE_PROFILES, slice_from_cstr(key), &error) == ERR_CORRUPT,
           " %s", error.message);
    checkpoint_abort(txn);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    put_text(txn, TABLE_PROFILES, key, "another one");
    REQUIRE(checkpoint_commit(txn, 2, &error) == ERR_OK);
    EXPECT(scan_profiles(checkpoint, &error) == ERR_CORRUPT &&
               strstr(error.message, "table profiles: its keys are not in order") != NULL,
           " %s", error.message);
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

/* Runs what may end the process, with a guard that ends it with 3. Its exit code; -1: a signal. */
static int guarded(void (*run)(const char *), const char *folder, char *said, size_t said_max)
{
    char path[300];
    size_t length = 0;
    int status = 0;
    snprintf(path, sizeof path, "%s.said", folder);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        CHECK(file >= 0 && dup2(file, STDERR_FILENO) >= 0);
        checkpoint_guard_install(3);
        run(folder);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    char *text = file_load(path, &length);
    snprintf(said, said_max, "%.*s", (int)length, text != NULL ? text : "");
    free(text);
    (void)remove(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_names(const char *folder)
{
    struct error error;
    struct seen seen = {.text = ""};
    struct checkpoint_snapshot *snapshot;
    struct checkpoint *checkpoint = open_at(folder, &error);
    if (checkpoint != NULL && checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK) {
        (void)!checkpoint_scan(snapshot, TABLE_NAMES, collect, &seen, &error);
        checkpoint_snapshot_end(snapshot);
    }
    checkpoint_close(checkpoint);
}

static void overwrite_names(const char *folder)
{
    struct error error;
    struct checkpoint *checkpoint = open_at(folder, &error);
    (void)!commit_text(checkpoint, "a", "another value", 2, &error);
    checkpoint_close(checkpoint);
}

static void fault_elsewhere(const char *folder)
{
    read_names(folder);
    raise(SIGSEGV);
}

/* A row says that it is longer than the file: LMDB hands that out, and the bytes behind the file's
 * end are a bus error. */
static void test_a_fault_in_damaged_pages_is_named(void)
{
    enum { NODE_HEADER_BYTES = 8, KEY_BYTES = 1 };
    static const char longer[4] = {0, 0, 8, 0}; /* 512 KiB, low half first */
    struct error error;
    char folder[256];
    char path[300];
    char said[600];
    size_t length;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    EXPECT(commit_text(checkpoint, "a", "a-value-to-damage", 1, &error) == ERR_OK);
    checkpoint_close(checkpoint);
    EXPECT(guarded(read_names, folder, said, sizeof said) == 0 && said[0] == '\0', " %s", said);
    EXPECT(guarded(fault_elsewhere, folder, said, sizeof said) != 3 &&
               strstr(said, "data.mdb") == NULL,
           " %s", said);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    char *bytes = file_load(path, &length);
    char *at = memmem(bytes, length, "a-value-to-damage", 17);
    REQUIRE(at != NULL);
    memcpy(at - KEY_BYTES - NODE_HEADER_BYTES, longer, sizeof longer);
    file_store(path, bytes, length);
    free(bytes);
    EXPECT(guarded(read_names, folder, said, sizeof said) == 3 &&
               strstr(said, "data.mdb is damaged") != NULL,
           " %s", said);
    EXPECT(guarded(overwrite_names, folder, said, sizeof said) == 3 &&
               strstr(said, "data.mdb is damaged") != NULL,
           " %s", said);
    folder_remove(folder);
}

static uint64_t size_of(const char *folder)
{
    char path[300];
    size_t length;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    free(file_load(path, &length));
    return length;
}

/* LMDB does not write pages at the end of the file that one transaction took and gave back: the
 * file is shorter than its page count then, and whole. Not all in the list of free pages: it was
 * cut. */
static void test_a_short_file_may_be_whole(void)
{
    struct error error;
    char folder[256];
    char big[6000];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct checkpoint *checkpoint = open_at(folder, &error);
    REQUIRE(checkpoint != NULL);
    memset(big, 'x', sizeof big);
    uint64_t sequence = 0;
    int short_ones = 0;
    for (int round = 0; round < 40; round++) {
        struct checkpoint_txn *txn;
        REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK, " %s", error.message);
        char key[16];
        int keys = 20 + round * 7;
        for (int i = 0; i < keys; i++) {
            snprintf(key, sizeof key, "%05d", i);
            EXPECT(checkpoint_put(txn, TABLE_PROFILES, slice_from_cstr(key), slice_of(big, 900),
                                  &error) == ERR_OK);
        }
        for (int i = keys - 1; i >= 0; i--) {
            snprintf(key, sizeof key, "%05d", i);
            EXPECT(checkpoint_delete(txn, TABLE_PROFILES, slice_from_cstr(key), &error) == ERR_OK);
        }
        put_text(txn, TABLE_NAMES, "kept", "here");
        REQUIRE(checkpoint_commit(txn, ++sequence, &error) == ERR_OK, " %s", error.message);
        checkpoint_close(checkpoint);
        uint64_t before = size_of(folder);
        checkpoint = open_at(folder, &error);
        REQUIRE(checkpoint != NULL, " round %d: %s", round, error.message);
        EXPECT(holds(checkpoint, TABLE_NAMES, "kept", "here") &&
               checkpoint_applied_sequence(checkpoint) == sequence);
        short_ones += size_of(folder) > before;
    }
    EXPECT(short_ones > 0, " none was short: this shows nothing");
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_commit_and_reopen);
    RUN(test_scan_is_ordered_and_a_snapshot_stands_still);
    RUN(test_the_map_grows);
    RUN(test_scrub_leaves_no_deleted_byte);
    RUN(test_nothing_is_written_after_a_failed_commit);
    RUN(test_a_full_disk_is_survived);
    RUN(test_damage_is_named);
    RUN(test_an_older_page_is_noticed);
    RUN(test_a_row_that_is_looked_for_in_another_place);
    RUN(test_a_fault_in_damaged_pages_is_named);
    RUN(test_a_short_file_may_be_whole);
    return test_summary();
}
