/* Tries to lose an acknowledged change, to see half a batch, or to get a state that is not the fold
 * of the log, by a power failure at any event of a whole engine's life: records, merges,
 * corrections, cohorts, verdicts, erasures and their scrubbing, checkpoints, starts.
 *
 * The program runs itself again under syscall_recorder.so: that child takes random steps
 * (tests/model) and writes down, for each submission, where its batch ended, how many events the
 * trace had when it was acknowledged, and what the engine answered then. Folders are built from the
 * trace and opened here. Each must open, end at a batch's end, hold everything acknowledged, answer
 * as the engine did at that entry, and agree with a fresh fold of its own log; it must go on taking
 * records.
 *
 *   test_engine_crash RECORDER.so [--images N] [--seed S]       prints the seed; exit 1 at the first violation */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/interests.h"
#include "image.h"
#include "unit/storage/support.h"
#include "world.h"

enum { STEPS = 120, IMAGES_PER_WORKLOAD = 250, FACTS_MAX = 4096, FIRST_EVENTS = 60 };

/* One batch. */
struct fact {
    uint64_t events; /* in the trace when it was acknowledged */
    uint64_t sequence;
    uint64_t digest; /* 0: not known, others were acknowledged with it */
};

/* ---- the child ------------------------------------------------------------------------------- */

struct witness {
    const uint64_t *counter;
    FILE *facts;
};

/* Verdicts are not logged: what is answered is compared when nothing waits for one. */
static void classify(struct world *world)
{
    struct error error = {0};
    CHECK(engine_classify_pending(world->engine, &error) == ERR_OK);
}

static void witness(struct world *world)
{
    struct witness *witness = world->owner;
    classify(world);
    struct engine_stats stats;
    engine_stats(world->engine, &stats);
    uint64_t digest =
        stats.applied_sequence == world->last_sequence ? world_digest(world->engine) : 0;
    fprintf(witness->facts, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
            __atomic_load_n(witness->counter, __ATOMIC_SEQ_CST), world->last_sequence, digest);
}

static int work(const char *folder, const char *counter_path, const char *facts_path, uint64_t seed)
{
    static struct world world;
    struct witness owner = {.facts = fopen(facts_path, "w")};
    int descriptor = open(counter_path, O_RDONLY);
    owner.counter = mmap(NULL, sizeof *owner.counter, PROT_READ, MAP_SHARED, descriptor, 0);
    CHECK(owner.counter != MAP_FAILED && owner.facts != NULL);
    world.classifier = input_classifier();
    world.erase_weight = 30;
    world.keep_folder = true;
    world.took = witness;
    world.owner = &owner;
    world_open(&world, seed, folder);
    witness(&world);
    while (world.steps < STEPS) {
        world_step(&world);
        if (world.steps % 12 == 0) {
            world_checkpoint(&world);
        }
        if (world.steps % 40 == 0) {
            world_scrub(&world);
            world_reopen(&world, world.steps % 80 == 0, false);
        }
    }
    world_compare(&world);
    world_stop(&world);
    return fclose(owner.facts);
}

static void run_child(const char *program, const char *recorder, const char *folder,
                      const char *outside, uint64_t seed)
{
    char trace[600];
    char counter[600];
    char facts[600];
    char seed_text[32];
    int status;
    snprintf(trace, sizeof trace, "%s/trace", outside);
    snprintf(counter, sizeof counter, "%s/counter", outside);
    snprintf(facts, sizeof facts, "%s/facts", outside);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setenv("LD_PRELOAD", recorder, 1);
        setenv("KINDRED_TRACE_ROOT", folder, 1);
        setenv("KINDRED_TRACE_FILE", trace, 1);
        setenv("KINDRED_TRACE_COUNTER", counter, 1);
        execl(program, program, "--work", folder, counter, facts, seed_text, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the check ------------------------------------------------------------------------------- */

struct check {
    struct fact facts[FACTS_MAX];
    size_t fact_count;
    struct trace trace;
    struct image_plan plan;
    uint64_t seed, images;
    char image[256];
};

__attribute__((noreturn, format(printf, 2, 3))) static void violation(const struct check *check,
                                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "VIOLATION: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  seed %" PRIu64 ", image %" PRIu64 ", cut %zu of %zu, %s, folder %s\n",
            check->seed, check->images, check->plan.cut, check->trace.count,
            image_mode_name(check->plan.mode), check->image);
    exit(1);
}

static void load_facts(struct check *check, const char *outside)
{
    char path[600];
    struct fact fact;
    snprintf(path, sizeof path, "%s/facts", outside);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    check->fact_count = 0;
    while (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &fact.events, &fact.sequence,
                  &fact.digest) == 3) {
        CHECK(check->fact_count < FACTS_MAX);
        check->facts[check->fact_count++] = fact;
    }
    fclose(file);
}

static void check_state(const struct check *check, struct world *world)
{
    struct engine_stats stats;
    struct error error = {0};
    uint64_t acknowledged = 0;
    const struct fact *here = NULL;
    engine_stats(world->engine, &stats);
    for (size_t i = 0; i < check->fact_count; i++) {
        acknowledged =
            check->facts[i].events <= check->plan.cut ? check->facts[i].sequence : acknowledged;
        here = check->facts[i].sequence == stats.applied_sequence ? &check->facts[i] : here;
    }
    if (stats.applied_sequence < acknowledged) {
        violation(check, "ends at entry %" PRIu64 ", acknowledged was %" PRIu64,
                  stats.applied_sequence, acknowledged);
    }
    if (here == NULL) {
        violation(check, "ends at entry %" PRIu64 ", which is no batch's end",
                  stats.applied_sequence);
    }
    classify(world);
    if (here->digest != 0 && here->digest != world_digest(world->engine)) {
        violation(check, "other answers at entry %" PRIu64 " than before the crash",
                  stats.applied_sequence);
    }
    if (engine_verify(world->engine, true, &error) != ERR_OK) {
        violation(check, "verify: %s", error.message);
    }
}

/* The time goes on behind what the crashed one saw; the reference knows nothing of that life and is
 * not asked. */
static void go_on(struct world *world)
{
    static struct input inputs[1];
    struct draft draft;
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = &draft, .draft_count = 1};
    struct submission *one = &submission;
    input_record(world, &inputs[0]);
    draft = inputs[0].draft;
    world->now_us += 365ll * 24 * 3600 * 1000000;
    world_commit(world, &one, 1);
    CHECK(submission.err == ERR_OK);
}

static void check_image(const struct check *check, bool write)
{
    static struct world world;
    struct error error = {0};
    prng_seed(&world.prng, check->plan.seed);
    snprintf(world.path, sizeof world.path, "%s", check->image);
    world.now_us = 1767225600ll * 1000000;
    arena_init(&world.arena, (size_t)64 << 20);
    CHECK(settings_parse(slice_from_cstr(input_settings), &world.settings, &error) == ERR_OK);
    world.classifier = input_classifier();
    world_start(&world); /* fails the test when it does not open */
    check_state(check, &world);
    if (write) {
        go_on(&world);
        classify(&world);
        uint64_t digest = world_digest(world.engine);
        world_reopen(&world, prng_below(&world.prng, 2) == 0, false);
        classify(&world);
        if (digest != world_digest(world.engine)) {
            violation(check, "what was taken after the crash is not there after a start");
        }
    }
    world_close(&world); /* and removes the folder */
}

static uint64_t run(struct check *check, const char *program, const char *recorder, uint64_t images)
{
    char folder[300];
    char outside[300];
    char path[600];
    struct prng prng;
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(outside, sizeof outside, "%s", folder_make());
    run_child(program, recorder, folder, outside, check->seed);
    snprintf(path, sizeof path, "%s/trace", outside);
    CHECK(trace_load(&check->trace, path));
    load_facts(check, outside);
    CHECK(check->fact_count > STEPS / 2 && check->trace.count > STEPS);
    prng_seed(&prng, check->seed);
    for (uint64_t i = 0; i < images; i++, check->images++) {
        /* The first creation is short and easily missed. */
        size_t range = prng_below(&prng, 8) == 0 ? FIRST_EVENTS : check->trace.count;
        check->plan =
            (struct image_plan){.cut = (size_t)prng_below(&prng, range + 1),
                                .mode = (enum image_mode)prng_below(&prng, IMAGE_MODE_COUNT),
                                .seed = prng_next(&prng)};
        snprintf(check->image, sizeof check->image, "%s", folder_make());
        image_build(&check->trace, &check->plan, check->image);
        check_image(check, prng_below(&prng, 4) == 0);
    }
    trace_clear(&check->trace);
    folder_remove(folder);
    folder_remove(outside);
    return images;
}

int main(int argc, char **argv)
{
    static struct check check;
    uint64_t images = 500;
    check.seed = 20240607;
    if (argc == 6 && strcmp(argv[1], "--work") == 0) {
        return work(argv[2], argv[3], argv[4], strtoull(argv[5], NULL, 10));
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        images = strcmp(argv[i], "--images") == 0 ? strtoull(argv[i + 1], NULL, 10) : images;
        check.seed = strcmp(argv[i], "--seed") == 0 ? strtoull(argv[i + 1], NULL, 10) : check.seed;
    }
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: %s RECORDER.so [--images N] [--seed S]\n", argv[0]);
        return 2;
    }
    struct stat memory;
    if (getenv("TMPDIR") == NULL && stat("/dev/shm", &memory) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* images need no disk: the trace says what was synced */
    }
    printf("seed %" PRIu64 "\n", check.seed);
    fflush(stdout);
    while (check.images < images) {
        uint64_t left = images - check.images;
        run(&check, argv[0], argv[1], left < IMAGES_PER_WORKLOAD ? left : IMAGES_PER_WORKLOAD);
        check.seed++;
    }
    printf("%" PRIu64 " crash images of the engine, 0 violations\n", check.images);
    return 0;
}
