/* Tries to get a checkpoint out of a power failure that is not exactly one of its commits, or older
 * than an acknowledged one.
 *
 * The program runs itself again under syscall_recorder.so: that child opens a checkpoint, commits
 * and scrubs, and writes down after each commit how many events the trace had. Then folders are
 * built from the trace and opened here.
 *
 *   test_checkpoint_crash RECORDER.so [--images N] [--seed S]       prints the seed; exit 1 at the first violation */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "image.h"
#include "storage/checkpoint.h"
#include "unit/storage/support.h"

enum { COMMITS = 40, KEYS = 300, VALUE_MAX = 9000, FIRST_EVENTS = 30 };

/* What commit s did to a key: every commit's changes follow from its number. */
struct model {
    uint32_t written_by[KEYS]; /* 0: absent */
};

static size_t value_of(uint32_t key, uint32_t commit, char out[VALUE_MAX])
{
    size_t length = 1 + (size_t)(((uint64_t)key * 2654435761u + (uint64_t)commit * 40503u) %
                                 (key % 20 == 0 ? 8000 : 200));
    memset(out, 'a' + (char)(commit % 26), length);
    return length;
}

static void model_commit(struct model *model, uint32_t commit, struct checkpoint_txn *txn)
{
    struct prng prng;
    struct error error;
    char value[VALUE_MAX];
    prng_seed(&prng, commit);
    for (int i = 0; i < 30; i++) {
        uint32_t key = (uint32_t)prng_below(&prng, KEYS);
        uint8_t bytes[4];
        store_u32(bytes, key);
        bool remove = prng_below(&prng, 5) == 0;
        model->written_by[key] = remove ? 0 : commit;
        if (txn != NULL && remove) {
            CHECK(checkpoint_delete(txn, TABLE_PROFILES, slice_of(bytes, 4), &error) == ERR_OK);
        } else if (txn != NULL) {
            size_t length = value_of(key, commit, value);
            CHECK(checkpoint_put(txn, TABLE_PROFILES, slice_of(bytes, 4), slice_of(value, length),
                                 &error) == ERR_OK);
        }
    }
}

/* ---- the child ------------------------------------------------------------------------------- */

static int work(const char *folder, const char *counter_path, const char *acks_path)
{
    char path[600];
    struct error error;
    struct model model = {0};
    struct checkpoint *checkpoint = NULL;
    int descriptor = open(counter_path, O_RDONLY);
    const uint64_t *counter = mmap(NULL, sizeof *counter, PROT_READ, MAP_SHARED, descriptor, 0);
    FILE *acks = fopen(acks_path, "w");
    CHECK(counter != MAP_FAILED && acks != NULL);
    snprintf(path, sizeof path, "%s/profiles", folder);
    struct checkpoint_options options = {.directory = path, .map_bytes = 64 * 1024};
    CHECK(checkpoint_open(&options, &checkpoint, &error) == ERR_OK);
    for (uint32_t commit = 1; commit <= COMMITS; commit++) {
        struct checkpoint_txn *txn;
        CHECK(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
        model_commit(&model, commit, txn);
        CHECK(checkpoint_commit(txn, commit, &error) == ERR_OK);
        fprintf(acks, "%" PRIu64 " %" PRIu32 "\n", __atomic_load_n(counter, __ATOMIC_SEQ_CST),
                commit);
        if (commit % 15 == 0) {
            CHECK(checkpoint_scrub(checkpoint, &error) == ERR_OK);
        }
        if (commit % 11 == 0) {
            checkpoint_close(checkpoint);
            CHECK(checkpoint_open(&options, &checkpoint, &error) == ERR_OK);
        }
    }
    checkpoint_close(checkpoint);
    fclose(acks);
    return 0;
}

static void run_child(const char *program, const char *recorder, const char *folder,
                      const char *outside)
{
    char trace[600];
    char counter[600];
    char acks[600];
    int status;
    snprintf(trace, sizeof trace, "%s/trace", outside);
    snprintf(counter, sizeof counter, "%s/counter", outside);
    snprintf(acks, sizeof acks, "%s/acks", outside);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setenv("LD_PRELOAD", recorder, 1);
        setenv("KINDRED_TRACE_ROOT", folder, 1);
        setenv("KINDRED_TRACE_FILE", trace, 1);
        setenv("KINDRED_TRACE_COUNTER", counter, 1);
        execl(program, program, "--work", folder, counter, acks, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the check ------------------------------------------------------------------------------- */

struct comparison {
    const struct model *model;
    size_t seen;
    bool same;
};

static err compare(void *context, struct slice key, struct slice value)
{
    struct comparison *comparison = context;
    char expected[VALUE_MAX];
    uint32_t number = key.length == 4 ? load_u32(key.data) : KEYS;
    comparison->seen++;
    if (number >= KEYS || comparison->model->written_by[number] == 0) {
        comparison->same = false;
        return ERR_OK;
    }
    size_t length = value_of(number, comparison->model->written_by[number], expected);
    comparison->same &= slice_equal(value, slice_of(expected, length));
    return ERR_OK;
}

static const char *check_image(const char *folder, uint64_t acknowledged, struct error *error)
{
    char path[600];
    struct checkpoint *checkpoint;
    struct checkpoint_snapshot *snapshot;
    struct model model = {0};
    struct comparison comparison = {.model = &model, .same = true};
    const char *violation = NULL;
    size_t expected = 0;
    snprintf(path, sizeof path, "%s/profiles", folder);
    struct checkpoint_options options = {.directory = path};
    if (checkpoint_open(&options, &checkpoint, error) != ERR_OK) {
        return "does not open";
    }
    uint64_t applied = checkpoint_applied_sequence(checkpoint);
    for (uint32_t commit = 1; commit <= applied && commit <= COMMITS; commit++) {
        model_commit(&model, commit, NULL);
    }
    for (size_t i = 0; i < KEYS; i++) {
        expected += model.written_by[i] != 0;
    }
    if (checkpoint_snapshot_begin(checkpoint, &snapshot, error) != ERR_OK) {
        checkpoint_close(checkpoint);
        return "no snapshot";
    }
    if (applied < acknowledged || applied > COMMITS) {
        violation = "is older than what was acknowledged";
    } else if (checkpoint_scan(snapshot, TABLE_PROFILES, compare, &comparison, error) != ERR_OK) {
        violation = "cannot be read";
    } else if (!comparison.same || comparison.seen != expected) {
        violation = "is not what its commit wrote";
    }
    checkpoint_snapshot_end(snapshot);
    checkpoint_close(checkpoint);
    return violation;
}

static uint64_t acknowledged_at(const char *outside, size_t cut)
{
    char path[600];
    uint64_t events;
    uint64_t commit;
    uint64_t found = 0;
    snprintf(path, sizeof path, "%s/acks", outside);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fscanf(file, "%" SCNu64 " %" SCNu64, &events, &commit) == 2) {
        found = events <= cut ? commit : found;
    }
    fclose(file);
    return found;
}

static int run(const char *program, const char *recorder, uint64_t images, uint64_t seed)
{
    char folder[300];
    char outside[300];
    char path[600];
    struct trace trace = {0};
    struct prng prng;
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(outside, sizeof outside, "%s", folder_make());
    run_child(program, recorder, folder, outside);
    snprintf(path, sizeof path, "%s/trace", outside);
    CHECK(trace_load(&trace, path));
    CHECK(trace.count > 5 * COMMITS);
    prng_seed(&prng, seed);
    for (uint64_t i = 0; i < images; i++) {
        struct error error = {0};
        /* The first creation is short and easily missed: one image in four. */
        size_t range = prng_below(&prng, 4) == 0 ? FIRST_EVENTS : trace.count;
        struct image_plan plan = {
            .cut = (size_t)prng_below(&prng, range + 1),
            .mode = (enum image_mode)prng_below(&prng, IMAGE_MODE_COUNT),
            .seed = prng_next(&prng),
        };
        char image[300];
        snprintf(image, sizeof image, "%s", folder_make());
        image_build(&trace, &plan, image);
        const char *violation = check_image(image, acknowledged_at(outside, plan.cut), &error);
        if (violation != NULL) {
            fprintf(stderr,
                    "VIOLATION: image %" PRIu64 " (cut %zu of %zu, %s) %s: %s\n  seed %" PRIu64
                    ", folder %s, trace %s\n",
                    i, plan.cut, trace.count, image_mode_name(plan.mode), violation, error.message,
                    seed, image, path);
            return 1;
        }
        folder_remove(image);
    }
    printf("%" PRIu64 " crash images of %zu events, 0 violations (seed %" PRIu64 ")\n", images,
           trace.count, seed);
    trace_clear(&trace);
    folder_remove(folder);
    folder_remove(outside);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t images = 500;
    uint64_t seed = 20240607;
    if (argc == 5 && strcmp(argv[1], "--work") == 0) {
        return work(argv[2], argv[3], argv[4]);
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        images = strcmp(argv[i], "--images") == 0 ? strtoull(argv[i + 1], NULL, 10) : images;
        seed = strcmp(argv[i], "--seed") == 0 ? strtoull(argv[i + 1], NULL, 10) : seed;
    }
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: %s RECORDER.so [--images N] [--seed S]\n", argv[0]);
        return 2;
    }
    return run(argv[0], argv[1], images, seed);
}
