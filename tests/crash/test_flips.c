/* Tries to get a wrong answer out of a data folder in which bits have flipped, without an alarm: 1
 * to 8 random bits at a time, anywhere in the log or in LMDB's file, or a page of LMDB's that
 * became a copy of another one (an older one of itself, as often as not).
 *
 *   log       the raw log alone, in this process: open it, read every entry both ways. Each time it is refused by name of file and offset, or
 *             each entry that is given out is the one that was put in; a tail that is cut is the last batch, and is reported
 *   folder    log or checkpoint of a small engine's folder, in a child of its own each time: open it as a start does. It is refused
 *             (with a message), or it answers as before, also after one more record, a checkpoint and another start
 *
 * An alarm is a refusal, or a process that ends with the code of damage and the file's name (LMDB
 * follows what stands in its pages; a bad one may be a bus error, see checkpoint_guard.h). One that
 * ends without a word is counted apart. And what `kindred verify` does is done as well: what a
 * start finds, it must find; where it finds nothing, all answers must be true.
 *
 *   test_flips [--log N] [--folder N] [--seconds S] [--seed S]       prints seed and counts; exit 1 at the first violation */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/interests.h"
#include "unit/storage/support.h"
#include "world.h"

enum {
    FLIPS_MAX = 8,
    FILES_MAX = 64,
    STEPS = 150,
    CHECKPOINT_AT = 110,
    FACTS_MAX = 2048,
    MESSAGE_MAX = 300
};

struct flip {
    size_t file;
    uint64_t bit;
};

/* One of the folder's files, as it was. */
struct kept {
    char path[600];
    char *bytes;
    size_t length;
};

struct campaign {
    struct prng prng;
    uint64_t seed, number;
    struct kept files[FILES_MAX];
    size_t file_count;
    struct flip flips[FLIPS_MAX];
    size_t flip_count;
    struct {
        size_t file, to, from;
        bool keeps_number; /* what LMDB looks at first */
    } page;                /* when flip_count is 0 */
};

__attribute__((noreturn, format(printf, 2, 3))) static void violation(
    const struct campaign *campaign, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "VIOLATION: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  seed %" PRIu64 ", number %" PRIu64 ", flipped:", campaign->seed,
            campaign->number);
    for (size_t i = 0; i < campaign->flip_count; i++) {
        fprintf(stderr, " %s bit %" PRIu64,
                strrchr(campaign->files[campaign->flips[i].file].path, '/') + 1,
                campaign->flips[i].bit);
    }
    if (campaign->flip_count == 0) {
        fprintf(stderr, " page %zu from %zu, number %s", campaign->page.to, campaign->page.from,
                campaign->page.keeps_number ? "kept" : "copied");
    }
    fprintf(stderr, "\n");
    exit(1);
}

static void keep(struct campaign *campaign, const char *path)
{
    CHECK(campaign->file_count < FILES_MAX);
    struct kept *kept = &campaign->files[campaign->file_count++];
    snprintf(kept->path, sizeof kept->path, "%s", path);
    kept->bytes = file_load(path, &kept->length);
    CHECK(kept->bytes != NULL && kept->length > 0);
}

static void keep_segments(struct campaign *campaign, const char *folder, uint64_t last_sequence)
{
    for (uint64_t n = 1; n <= last_sequence; n++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%020" PRIu64 ".seg", folder, n);
        if (access(path, R_OK) == 0) {
            keep(campaign, path);
        }
    }
}

static void let_go(struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->file_count; i++) {
        free(campaign->files[i].bytes);
    }
    campaign->file_count = 0;
}

static void restore(const struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->file_count; i++) {
        file_store(campaign->files[i].path, campaign->files[i].bytes, campaign->files[i].length);
    }
}

/* Different bits, or two of them would be none. Files are as likely as they are long. */
static void choose(struct campaign *campaign, size_t from, size_t to)
{
    uint64_t bytes = 0;
    for (size_t i = from; i < to; i++) {
        bytes += campaign->files[i].length;
    }
    size_t wanted = 1 + (size_t)prng_below(&campaign->prng, FLIPS_MAX);
    /* One in two: near each other, as a bad sector or a bad line of memory has them. */
    bool near = prng_below(&campaign->prng, 2) == 0;
    uint64_t first = prng_below(&campaign->prng, bytes * 8);
    campaign->flip_count = 0;
    while (campaign->flip_count < wanted) {
        uint64_t bit = near ? first + prng_below(&campaign->prng, 512)
                            : prng_below(&campaign->prng, bytes * 8);
        bit %= bytes * 8;
        struct flip flip = {from, bit};
        while (flip.bit >= campaign->files[flip.file].length * 8) {
            flip.bit -= campaign->files[flip.file].length * 8;
            flip.file++;
        }
        bool known = false;
        for (size_t i = 0; i < campaign->flip_count; i++) {
            known |= campaign->flips[i].file == flip.file && campaign->flips[i].bit == flip.bit;
        }
        if (!known) {
            campaign->flips[campaign->flip_count++] = flip;
        }
    }
}

/* Into the files as they are; with `undo` back to what was kept. */
static void flip_files(const struct campaign *campaign, bool undo)
{
    char done[FILES_MAX] = {0};
    for (size_t i = 0; i < campaign->flip_count; i++) {
        const size_t file = campaign->flips[i].file;
        const struct kept *kept = &campaign->files[file];
        int descriptor = open(kept->path, O_WRONLY);
        CHECK(descriptor >= 0);
        for (size_t j = 0; j < campaign->flip_count && !done[file]; j++) {
            if (campaign->flips[j].file == file) {
                size_t at = campaign->flips[j].bit / 8;
                char byte = kept->bytes[at];
                for (size_t k = 0; k < campaign->flip_count && !undo; k++) {
                    if (campaign->flips[k].file == file && campaign->flips[k].bit / 8 == at) {
                        byte = (char)(byte ^ (1 << campaign->flips[k].bit % 8));
                    }
                }
                CHECK(pwrite(descriptor, &byte, 1, (off_t)at) == 1);
            }
        }
        done[file] = 1;
        close(descriptor);
    }
}

/* One page of the last file becomes a copy of another one. */
static void copy_page(struct campaign *campaign)
{
    enum { PAGE = 4096, NUMBER_BYTES = 8 };
    const struct kept *kept = &campaign->files[campaign->file_count - 1];
    const size_t pages = kept->length / PAGE;
    campaign->flip_count = 0;
    campaign->page.to = (size_t)prng_below(&campaign->prng, pages);
    campaign->page.from = (size_t)prng_below(&campaign->prng, pages - 1);
    campaign->page.from += campaign->page.from >= campaign->page.to;
    campaign->page.keeps_number = prng_below(&campaign->prng, 4) > 0;
    const size_t skip = campaign->page.keeps_number ? NUMBER_BYTES : 0;
    int descriptor = open(kept->path, O_WRONLY);
    CHECK(descriptor >= 0);
    CHECK(pwrite(descriptor, kept->bytes + campaign->page.from * PAGE + skip, PAGE - skip,
                 (off_t)(campaign->page.to * PAGE + skip)) == (ssize_t)(PAGE - skip));
    close(descriptor);
}

/* ---- the log alone --------------------------------------------------------------------------- */

enum { LOG_ENTRIES = 60, LOG_SYNCED = 54, LOG_SEGMENT_BYTES = 6000 };

struct log_counts {
    uint64_t refused, refused_when_read, cut;
};

static void make_log(const char *folder)
{
    static const struct log_settings settings = {.segment_bytes = LOG_SEGMENT_BYTES};
    struct error error;
    struct log *log = log_open(folder, &settings, NULL, &error);
    CHECK(log != NULL);
    for (uint64_t next = 1; next <= LOG_ENTRIES;) {
        size_t count = next % 3 + 1;
        count = next + count > LOG_ENTRIES + 1 ? (size_t)(LOG_ENTRIES + 1 - next) : count;
        CHECK(log_append_numbers(log, next, count, &error) == ERR_OK);
        next += count;
        if (next <= LOG_SYNCED + 1) {
            CHECK(log->ops->sync(log, &error) == ERR_OK);
        }
    }
    log->ops->close(log);
}

/* A refusal says which file, and where in it. */
static void check_named(const struct campaign *campaign, const struct error *error)
{
    if (error->err != ERR_CORRUPT && error->err != ERR_UNSUPPORTED) {
        violation(campaign, "refused, but not as damage: %s", error->message);
    }
    if (strstr(error->message, ".seg") == NULL ||
        strpbrk(strstr(error->message, ".seg"), "0123456789") == NULL) {
        violation(campaign, "does not name file and offset: %s", error->message);
    }
}

/* True when all that the log gives out is what was put in; false when it says that it is
 * damaged. */
static bool read_all(const struct campaign *campaign, struct log *log)
{
    struct arena arena;
    struct error error = {0};
    struct log_entry entry;
    struct log_reader *reader = NULL;
    const uint64_t last = log->ops->position(log).last_sequence;
    bool sound = true;
    arena_init(&arena, 1 << 20);
    for (uint64_t n = 1; n <= last; n++) {
        err e = log->ops->get(log, n, &arena, &entry, &error);
        if (e == ERR_OK && !entry_matches(n, &entry)) {
            violation(campaign, "entry %" PRIu64 " was given out wrong", n);
        } else if (e != ERR_OK) {
            check_named(campaign, &error);
            sound = false;
        }
    }
    arena_deinit(&arena);
    err e = log->ops->reader_create(log, 1, &reader, &error);
    uint64_t n = 1;
    while (e == ERR_OK && (e = log->ops->reader_next(reader, &entry, NULL, &error)) == ERR_OK) {
        if (!entry_matches(n, &entry)) {
            violation(campaign, "entry %" PRIu64 " was read wrong", n);
        }
        n++;
    }
    if (e != ERR_END) {
        check_named(campaign, &error);
        sound = false;
    } else if (n != last + 1) {
        violation(campaign, "read %" PRIu64 " of %" PRIu64 " entries", n - 1, last);
    }
    log->ops->reader_destroy(reader);
    return sound;
}

static void try_log(struct campaign *campaign, const char *folder, struct log_counts *counts)
{
    struct rawlog_report report = {0};
    struct error error = {0};
    uint64_t checked = 0;
    /* As a start without a checkpoint sees it, with one in the middle, and with one at the end. */
    static const uint64_t checkpoints[] = {0, 30, LOG_ENTRIES};
    const uint64_t trusted = checkpoints[prng_below(&campaign->prng, ARRAY_COUNT(checkpoints))];
    const struct log_settings settings = {.segment_bytes = LOG_SEGMENT_BYTES,
                                          .trusted_sequence = trusted,
                                          .durable_sequence = trusted,
                                          .read_only = true};
    struct log *log = log_open(folder, &settings, &report, &error);
    bool alarm = log == NULL;
    if (log == NULL) {
        check_named(campaign, &error);
        counts->refused++;
    } else {
        const uint64_t last = log->ops->position(log).last_sequence;
        if (last != LOG_ENTRIES) {
            if (last < LOG_SYNCED || last < trusted || report.cut_bytes == 0) {
                violation(campaign, "silently ends at entry %" PRIu64 " of %d", last, LOG_ENTRIES);
            }
            counts->cut++;
            alarm = true;
        }
        if (!read_all(campaign, log)) {
            counts->refused_when_read++;
            alarm = true;
        }
        log->ops->close(log);
    }
    /* Every byte of every file counts, so every flip is damage, and verify must see it. */
    if (rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) != ERR_OK) {
        check_named(campaign, &error);
    } else if (checked == LOG_ENTRIES || alarm) {
        violation(campaign, "verify found %" PRIu64 " entries good and nothing wrong", checked);
    }
}

static uint64_t now_s(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec;
}

static void log_campaign(uint64_t seed, uint64_t wanted, uint64_t seconds)
{
    static struct campaign campaign;
    struct log_counts counts = {0};
    char folder[300];
    const uint64_t until = now_s() + seconds;
    campaign.seed = seed;
    prng_seed(&campaign.prng, seed);
    snprintf(folder, sizeof folder, "%s", folder_make());
    make_log(folder);
    keep_segments(&campaign, folder, LOG_ENTRIES);
    CHECK(campaign.file_count >= 3);
    while (campaign.number < wanted && (seconds == 0 || now_s() < until)) {
        choose(&campaign, 0, campaign.file_count);
        flip_files(&campaign, false);
        try_log(&campaign, folder, &counts);
        flip_files(&campaign, true);
        campaign.number++;
    }
    printf("log: %" PRIu64 " flips in %zu segments: %" PRIu64 " refused at the start, %" PRIu64
           " when read, %" PRIu64 " cut as a torn tail and reported; verify found each\n",
           campaign.number, campaign.file_count, counts.refused, counts.refused_when_read,
           counts.cut);
    let_go(&campaign);
    folder_remove(folder);
}

/* ---- a whole folder -------------------------------------------------------------------------- */

struct fact {
    uint64_t sequence, digest;
};

struct truth {
    struct world world;
    struct fact facts[FACTS_MAX];
    size_t fact_count;
    uint64_t next_digest; /* after one more record, a checkpoint and another start */
};

static void witness(struct world *world)
{
    struct truth *truth = world->owner;
    struct error error = {0};
    struct engine_stats stats;
    CHECK(engine_classify_pending(world->engine, &error) == ERR_OK &&
          truth->fact_count < FACTS_MAX);
    engine_stats(world->engine, &stats);
    truth->facts[truth->fact_count++] =
        (struct fact){stats.applied_sequence, world_digest(world->engine)};
}

/* What a child found; in memory that both see. */
enum start { START_REFUSED, START_TRUE, START_CUT, START_WRONG };
enum end { END_WELL, END_NAMED, END_HUNG, END_CRASHED };
enum { CODE_OF_DAMAGE = 3 };
struct found {
    _Atomic int stage; /* 0 nothing yet, 1 start, 2 verify, 3 the next record, 4 the end */
    enum start start;
    bool verify_refused, next_refused;
    uint64_t next_digest; /* 0: it did not get there */
    char message[MESSAGE_MAX], verify_message[MESSAGE_MAX], next_message[MESSAGE_MAX];
};

static int64_t clock_now(void *context)
{
    return ((struct world *)context)->now_us;
}

static int64_t clock_ticks(void *context)
{
    struct world *world = context;
    return world->ticks += 37;
}

/* As world_start does, which takes a refusal for a failure of the test. */
static err open_again(struct world *world, struct error *error)
{
    static struct clock clock;
    world->random = prng_source(&world->prng);
    clock = (struct clock){clock_now, clock_ticks, world};
    struct data_folder_options folder = {.files = &file_system_posix,
                                         .random = &world->random,
                                         .path = world->path,
                                         .segment_bytes = 256 * 1024};
    err e = data_folder_open(&folder, &world->folder, error);
    if (e != ERR_OK) {
        return e;
    }
    struct engine_options options = {.log = world->folder.log,
                                     .checkpoint = world->folder.checkpoint,
                                     .clock = &clock,
                                     .random = &world->random,
                                     .durability = DURABILITY_FSYNC,
                                     .settings_json = slice_from_cstr(input_settings),
                                     .classifier = world->classifier};
    e = engine_open(&options, &world->engine, error);
    if (e != ERR_OK) {
        data_folder_close(&world->folder);
        world->engine = NULL;
    }
    return e;
}

static bool is_true(const struct truth *truth, const struct world *world, struct found *found)
{
    struct engine_stats stats;
    engine_stats(world->engine, &stats);
    const struct fact *last = &truth->facts[truth->fact_count - 1];
    const struct fact *before = last - 1;
    const uint64_t digest = world_digest(world->engine);
    if (stats.applied_sequence == last->sequence && digest == last->digest) {
        found->start = START_TRUE;
        return true;
    }
    if (stats.applied_sequence == before->sequence && digest == before->digest &&
        world->folder.report.cut_bytes > 0) {
        found->start = START_CUT;
        return false;
    }
    snprintf(found->message, sizeof found->message, "entry %" PRIu64 " of %" PRIu64,
             stats.applied_sequence, last->sequence);
    found->start = START_WRONG;
    return false;
}

/* The same one record each time, a year later. */
static err one_more(struct world *world, struct error *error)
{
    static struct input input;
    struct submission submission = {
        .kind = SUBMIT_RECORDS, .drafts = &input.draft, .draft_count = 1};
    struct submission *one = &submission;
    prng_seed(&world->prng, 1);
    input_record(world, &input);
    world->now_us += 365ll * 24 * 3600 * 1000000;
    world_commit(world, &one, 1);
    *error = submission.error;
    return submission.err;
}

static err go_on(struct world *world, uint64_t *digest, struct error *error)
{
    err e = one_more(world, error);
    if (e == ERR_OK) {
        e = engine_checkpoint(world->engine, error);
    }
    world_stop(world);
    if (e == ERR_OK) {
        e = open_again(world, error);
    }
    if (e == ERR_OK) {
        e = engine_classify_pending(world->engine, error);
        *digest = world_digest(world->engine);
        world_stop(world);
    }
    return e;
}

/* What `kindred verify` does: the log's every checksum, then a start, then everything against a
 * fresh fold. */
static err verify(struct world *world, struct error *error)
{
    char log[300];
    uint64_t checked = 0;
    snprintf(log, sizeof log, "%.250s/log", world->path);
    err e = rawlog_verify(&file_system_posix, log, NULL, NULL, &checked, error);
    return e == ERR_OK ? engine_verify(world->engine, true, error) : e;
}

static void start_child(struct truth *truth, struct found *found)
{
    struct world *world = &truth->world;
    struct error error = {0};
    err e = open_again(world, &error);
    if (e == ERR_OK && (e = engine_classify_pending(world->engine, &error)) != ERR_OK) {
        world_stop(world);
    }
    if (e != ERR_OK) {
        found->start = START_REFUSED;
        snprintf(found->message, sizeof found->message, "%s", error.message);
        atomic_store(&found->stage, 4);
        return;
    }
    const bool same = is_true(truth, world, found);
    atomic_store(&found->stage, 1);
    e = verify(world, &error);
    found->verify_refused = e != ERR_OK;
    snprintf(found->verify_message, sizeof found->verify_message, "%s",
             e != ERR_OK ? error.message : "");
    atomic_store(&found->stage, 2);
    if (same) {
        e = go_on(world, &found->next_digest, &error);
        found->next_refused = e != ERR_OK;
        snprintf(found->next_message, sizeof found->next_message, "%s",
                 e != ERR_OK ? error.message : "");
    }
    atomic_store(&found->stage, 4);
}

/* Did the child say which file is damaged? */
static bool said_so(int words)
{
    char text[1000];
    ssize_t length = pread(words, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    return strstr(text, "data.mdb is damaged") != NULL;
}

/* In a process of its own, which may end in any way. */
static enum end start(struct truth *truth, struct found *found)
{
    enum { PATIENCE_SECONDS = 20 };
    int status = 0;
    int words = memfd_create("words", 0);
    *found = (struct found){0};
    CHECK(words >= 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(words, STDERR_FILENO);
        (void)dup2(words, STDOUT_FILENO);
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        checkpoint_guard_install(CODE_OF_DAMAGE);
        alarm(PATIENCE_SECONDS);
        start_child(truth, found);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    enum end end = END_CRASHED; /* also a sanitizer's, which ends with a code of its own */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        end = END_HUNG;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        end = END_WELL;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == CODE_OF_DAMAGE && said_so(words)) {
        end = END_NAMED;
    }
    close(words);
    return end;
}

struct folder_counts {
    uint64_t refused, named, crashed, hung, same, cut, named_later, crashed_later, refused_later,
        verify_alone;
};

static void try_folder(struct campaign *campaign, struct truth *truth, struct found *found,
                       struct folder_counts *counts)
{
    const enum end end = start(truth, found);
    const int stage = atomic_load(&found->stage);
    if (stage == 0) {
        counts->named += end == END_NAMED;
        counts->hung += end == END_HUNG;
        counts->crashed += end == END_CRASHED;
        return;
    }
    if (found->start == START_REFUSED) {
        if (found->message[0] == '\0') {
            violation(campaign, "refused without a word");
        }
        counts->refused++;
        return;
    }
    if (found->start == START_WRONG) {
        violation(campaign, "a start went well and answers wrong (%s); verify: %s", found->message,
                  stage < 2               ? "ended"
                  : found->verify_refused ? found->verify_message
                                          : "finds nothing");
    }
    counts->same += found->start == START_TRUE;
    counts->cut += found->start == START_CUT;
    counts->verify_alone += stage >= 2 && found->verify_refused;
    if (stage == 4 && !found->next_refused &&
        found->next_digest != (found->start == START_TRUE ? truth->next_digest : 0)) {
        violation(campaign,
                  "after one more record, a checkpoint and a start the answers are wrong");
    }
    counts->refused_later += found->next_refused;
    counts->named_later += end == END_NAMED;
    counts->crashed_later += end == END_CRASHED || end == END_HUNG;
}

static void print_counts(const char *what, const struct campaign *campaign,
                         const struct folder_counts *counts)
{
    printf("%s: %" PRIu64 " times damaged: %" PRIu64 " refused at the start, %" PRIu64
           " ended there with the file's name, %" PRIu64 " without, %" PRIu64 " hung; %" PRIu64
           " answered as before (of these %" PRIu64
           " seen by verify, at the next checkpoint or start "
           "%" PRIu64 " refused, %" PRIu64 " ended with the file's name and %" PRIu64
           " without), %" PRIu64 " cut as a torn tail and reported; 0 wrong\n",
           what, campaign->number, counts->refused, counts->named, counts->crashed, counts->hung,
           counts->same, counts->verify_alone, counts->refused_later, counts->named_later,
           counts->crashed_later, counts->cut);
    fflush(stdout);
}

/* A folder with a checkpoint, and a log that goes on behind it. */
static void make_truth(struct truth *truth, uint64_t seed)
{
    struct world *world = &truth->world;
    world->classifier = input_classifier();
    world->erase_weight = 30;
    world->keep_folder = true;
    world->took = witness;
    world->owner = truth;
    world_open(world, seed, NULL);
    for (size_t i = 1; i <= STEPS; i++) {
        world_step(world);
        if (i % 20 == 0 && i <= CHECKPOINT_AT) {
            world_checkpoint(world);
        }
    }
    world_scrub(world);
    world_compare(world);
    witness(world);
    world_stop(world);
}

/* Without flips, everything comes out as it was. */
static void check_unharmed(struct campaign *campaign, struct truth *truth, struct found *found)
{
    campaign->flip_count = 0;
    const enum end end = start(truth, found);
    if (end != END_WELL || atomic_load(&found->stage) != 4 || found->start != START_TRUE ||
        found->verify_refused || found->next_refused || found->next_digest == 0) {
        violation(campaign, "without damage: end %d, start %d, %s %s %s", (int)end,
                  (int)found->start, found->message, found->verify_message, found->next_message);
    }
}

static void folder_campaign(uint64_t seed, uint64_t wanted, uint64_t seconds)
{
    static struct campaign campaign;
    static struct truth truth;
    struct folder_counts counts[3] = {{0}};
    char path[600];
    struct found *found =
        mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(found != MAP_FAILED);
    campaign.seed = seed;
    prng_seed(&campaign.prng, seed);
    make_truth(&truth, seed);
    snprintf(path, sizeof path, "%s/log", truth.world.path);
    keep_segments(&campaign, path, truth.world.last_sequence);
    const size_t segments = campaign.file_count;
    snprintf(path, sizeof path, "%s/profiles/data.mdb", truth.world.path);
    keep(&campaign, path);

    check_unharmed(&campaign, &truth, found);
    truth.next_digest = found->next_digest;

    static const char *const names[] = {"folder, log", "folder, data.mdb",
                                        "folder, pages of data.mdb"};
    const uint64_t eighth = wanted / 8;
    const uint64_t shares[] = {eighth, wanted - 3 * eighth, 2 * eighth};
    const uint64_t time_shares[] = {seconds / 8, seconds - 3 * (seconds / 8), 2 * (seconds / 8)};
    for (size_t part = 0; part < ARRAY_COUNT(shares); part++) {
        const uint64_t until = now_s() + time_shares[part];
        for (campaign.number = 0;
             campaign.number < shares[part] && (seconds == 0 || now_s() < until);
             campaign.number++) {
            restore(&campaign);
            if (part == 2) {
                copy_page(&campaign);
            } else {
                choose(&campaign, part == 0 ? 0 : segments, part == 0 ? segments : segments + 1);
                flip_files(&campaign, false);
            }
            try_folder(&campaign, &truth, found, &counts[part]);
        }
        print_counts(names[part], &campaign, &counts[part]);
    }
    let_go(&campaign);
    folder_remove(truth.world.path);
}

int main(int argc, char **argv)
{
    uint64_t seed = 20261122;
    uint64_t log = 10000;
    uint64_t folder = 1000;
    uint64_t seconds = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        log = strcmp(argv[i], "--log") == 0 ? strtoull(argv[i + 1], NULL, 10) : log;
        folder = strcmp(argv[i], "--folder") == 0 ? strtoull(argv[i + 1], NULL, 10) : folder;
        seconds = strcmp(argv[i], "--seconds") == 0 ? strtoull(argv[i + 1], NULL, 10) : seconds;
        seed = strcmp(argv[i], "--seed") == 0 ? strtoull(argv[i + 1], NULL, 10) : seed;
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    log_campaign(seed, log, seconds);
    fflush(stdout);
    folder_campaign(seed, folder, seconds);
    return 0;
}
