/* Tries to lose an acknowledged entry, half a batch or a scrub of the raw log to a power failure.
 *
 * A random workload (append, sync, roll, scrub, close and open, writes that find the disk full)
 * runs on a recording file system. From the record, folders are built that a crash at a random
 * event could have left (image.h), and opened. Each must open, be a prefix of what was appended,
 * hold everything that was acknowledged, hold batches whole, show acknowledged scrubs, and verify.
 * Opening is recorded, too: one image in three is crashed again while it recovers, up to three
 * deep.
 *
 *   test_rawlog_crash [--images N] [--seed S]      prints the seed; exit 1 at the first violation */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "recorder.h"
#include "unit/storage/support.h"

enum {
    SEQUENCE_MAX = 8192,
    DEPTH_MAX = 3,
    STEPS_FIRST = 80,
    STEPS_LATER = 6,
    IMAGES_PER_WORKLOAD = 40
};

/* What may be asked of a log at one moment. */
struct facts {
    uint64_t acknowledged;        /* everything up to here was synced */
    uint64_t attempted;           /* nothing beyond was ever written */
    bool batch_end[SEQUENCE_MAX]; /* the log may end here */
    enum { WHOLE, MAY_BE_GONE, GONE } scrub[SEQUENCE_MAX];
};

/* Notes in the trace: what the workload did, in its high byte. */
enum note {
    NOTE_OPENED = 1,
    NOTE_APPEND,
    NOTE_APPENDED,
    NOTE_NOT_APPENDED,
    NOTE_SYNCED,
    NOTE_SCRUB,
    NOTE_SCRUBBED
};

struct run {
    struct prng prng;
    struct recorder *recorder;
    struct facts facts;
    char folder[600];
    uint64_t segment_bytes;
    struct log *log;
};

static uint64_t seed_of_this_run;

__attribute__((noreturn, format(printf, 2, 3))) static void violation(const struct run *run,
                                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "VIOLATION: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  seed %" PRIu64 ", folder %s\n", seed_of_this_run, run->folder);
    exit(1);
}

static void note_into(struct facts *facts, uint64_t number)
{
    uint64_t value = number & ((1ull << 56) - 1);
    switch ((enum note)(number >> 56)) {
    case NOTE_OPENED:
        for (uint64_t n = value + 1; n < SEQUENCE_MAX; n++) {
            facts->batch_end[n] = false;
        }
        facts->acknowledged = value;
        facts->attempted = value;
        break;
    case NOTE_APPEND:
        facts->attempted = value;
        facts->batch_end[value] = true;
        break;
    case NOTE_APPENDED: break;
    case NOTE_NOT_APPENDED:
        facts->batch_end[facts->attempted] = false;
        facts->attempted = value;
        facts->batch_end[value] = true;
        break;
    case NOTE_SYNCED: facts->acknowledged = value; break;
    case NOTE_SCRUB: facts->scrub[value] = facts->scrub[value] == GONE ? GONE : MAY_BE_GONE; break;
    case NOTE_SCRUBBED: facts->scrub[value] = GONE; break;
    }
}

static void note(struct run *run, enum note kind, uint64_t value)
{
    uint64_t number = ((uint64_t)kind << 56) | value;
    recorder_note(run->recorder, number);
    note_into(&run->facts, number);
}

/* ---- checking -------------------------------------------------------------------------------- */

static void check_entry(const struct run *run, const struct log_entry *entry, uint64_t number)
{
    if (!entry_matches(number, entry)) {
        violation(run, "entry %" PRIu64 " is not what was appended", number);
    }
    if (entry->scrubbed && run->facts.scrub[number] == WHOLE) {
        violation(run, "entry %" PRIu64 " is scrubbed, nobody asked for it", number);
    }
    if (!entry->scrubbed && run->facts.scrub[number] == GONE) {
        violation(run, "entry %" PRIu64 " is back after its scrub", number);
    }
}

static void check_entries(const struct run *run, uint64_t last)
{
    struct log_reader *reader;
    struct log_entry entry;
    struct error error;
    uint64_t number = 0;
    bool batch_end = true;
    err e = run->log->ops->reader_create(run->log, 1, &reader, &error);
    while (e == ERR_OK &&
           (e = run->log->ops->reader_next(reader, &entry, &batch_end, &error)) == ERR_OK) {
        check_entry(run, &entry, ++number);
        if (batch_end != run->facts.batch_end[number]) {
            violation(run, "a batch %s at %" PRIu64, batch_end ? "ends" : "does not end", number);
        }
    }
    if (e != ERR_END || number != last) {
        violation(run, "reading ended at %" PRIu64 " of %" PRIu64 ": %s", number, last,
                  error.message);
    }
    run->log->ops->reader_destroy(reader);
}

static void check_scrubbed_bytes(const struct run *run)
{
    for (uint64_t n = 1; n < SEQUENCE_MAX; n++) {
        char text[64];
        snprintf(text, sizeof text, "payload %" PRIu64 " ", n);
        if (run->facts.scrub[n] == GONE && folder_contains(run->folder, text)) {
            violation(run, "the bytes of scrubbed entry %" PRIu64 " are in the folder", n);
        }
    }
}

/* Opens the log of the folder and compares it with the facts. */
static void open_and_check(struct run *run)
{
    char path[700];
    struct rawlog_report report;
    struct error error = {0};
    uint64_t checked;
    snprintf(path, sizeof path, "%s/log", run->folder);
    struct log_settings settings = {
        .files = &run->recorder->files,
        .segment_bytes = run->segment_bytes,
        .trusted_sequence = prng_below(&run->prng, run->facts.acknowledged + 1),
        .durable_sequence = prng_below(&run->prng, run->facts.acknowledged + 1),
    };
    run->log = log_open(path, &settings, &report, &error);
    if (run->log == NULL) {
        violation(run, "the log does not open: %s", error.message);
    }
    uint64_t last = run->log->ops->position(run->log).last_sequence;
    if (last < run->facts.acknowledged) {
        violation(run, "ends at %" PRIu64 ", acknowledged was %" PRIu64, last,
                  run->facts.acknowledged);
    }
    if (last > run->facts.attempted || (last > 0 && !run->facts.batch_end[last])) {
        violation(run, "ends at %" PRIu64 ", which is no batch's end", last);
    }
    check_entries(run, last);
    check_scrubbed_bytes(run);
    if (rawlog_verify(&file_system_posix, path, NULL, NULL, &checked, &error) != ERR_OK ||
        checked != last) {
        violation(run, "verify: %" PRIu64 " of %" PRIu64 " entries, %s", checked, last,
                  error.message);
    }
    note(run, NOTE_OPENED, last);
}

/* ---- the workload ---------------------------------------------------------------------------- */

static void step_append(struct run *run, bool disk_full)
{
    struct error error;
    uint64_t first = run->log->ops->position(run->log).last_sequence + 1;
    size_t count = 1 + (size_t)prng_below(&run->prng, prng_below(&run->prng, 4) == 0 ? 40 : 4);
    if (first + count >= SEQUENCE_MAX) {
        return;
    }
    note(run, NOTE_APPEND, first + count - 1);
    if (disk_full) {
        run->recorder->fail_with = ERR_NO_SPACE;
        run->recorder->fail_at = run->recorder->changes + 1;
    }
    err e = log_append_numbers(run->log, first, count, &error);
    run->recorder->fail_at = 0;
    if (e == ERR_OK) {
        note(run, NOTE_APPENDED, first + count - 1);
    } else if (e == ERR_NO_SPACE) {
        note(run, NOTE_NOT_APPENDED, first - 1);
    } else {
        violation(run, "append: %s", error.message);
    }
}

static void step_sync(struct run *run)
{
    struct error error;
    if (run->log->ops->sync(run->log, &error) != ERR_OK) {
        violation(run, "sync: %s", error.message);
    }
    note(run, NOTE_SYNCED, run->log->ops->position(run->log).last_sequence);
}

/* What the writer may do while a scrub is under way: it comes between the copying and the change of
 * files. */
static void write_beside_a_scrub(void *context)
{
    struct run *run = context;
    for (uint64_t i = prng_below(&run->prng, 4); i > 0; i--) {
        step_append(run, false);
    }
    if (prng_below(&run->prng, 2) == 0) {
        step_sync(run);
    }
}

static void step_scrub(struct run *run)
{
    struct log_scrub items[3];
    struct error error;
    size_t count = 0;
    uint64_t last = run->log->ops->position(run->log).last_sequence;
    for (uint64_t n = 1 + prng_below(&run->prng, last + 1); n <= last && count < 3;
         n += 1 + prng_below(&run->prng, 40)) {
        items[count++] = (struct log_scrub){.sequence = n};
        note(run, NOTE_SCRUB, n);
    }
    if (count == 0) {
        return;
    }
    run->recorder->before_sync = prng_below(&run->prng, 2) == 0 ? write_beside_a_scrub : NULL;
    run->recorder->before_sync_context = run;
    if (run->log->ops->scrub(run->log, items, count, &error) != ERR_OK) {
        violation(run, "scrub: %s", error.message);
    }
    run->recorder->before_sync = NULL;
    for (size_t i = 0; i < count; i++) {
        note(run, NOTE_SCRUBBED, items[i].sequence);
    }
}

static void work(struct run *run, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        uint64_t dice = prng_below(&run->prng, 100);
        if (dice < 60) {
            step_append(run, false);
        } else if (dice < 85) {
            step_sync(run);
        } else if (dice < 93) {
            step_scrub(run);
        } else if (dice < 97 && run->log->ops->position(run->log).last_sequence > 0) {
            step_append(run, true);
        } else {
            run->log->ops->close(run->log);
            open_and_check(run);
        }
    }
}

/* ---- images ---------------------------------------------------------------------------------- */

static struct facts facts_at(const struct facts *before, const struct trace *trace, size_t cut)
{
    struct facts facts = *before;
    for (size_t i = 0; i < cut; i++) {
        if (trace->events[i].op == TRACE_NOTE) {
            note_into(&facts, trace->events[i].offset);
        }
    }
    return facts;
}

static void new_folder(char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%s", folder_make());
}

/* Works in `folder` and then crashes it `images` times. Returns the number of images checked. */
static uint64_t crash(const char *folder, const struct facts *facts, uint64_t seed, int depth,
                      uint64_t images, uint64_t segment_bytes)
{
    struct run run = {.segment_bytes = segment_bytes, .facts = *facts};
    struct recorder recorder;
    struct prng prng;
    uint64_t done = 0;
    prng_seed(&run.prng, seed);
    snprintf(run.folder, sizeof run.folder, "%s", folder);
    recorder_init(&recorder, folder, &file_system_posix);
    recorder.count_writes_only = true;
    run.recorder = &recorder;
    open_and_check(&run);
    work(&run, depth == 0 ? STEPS_FIRST : STEPS_LATER);
    run.log->ops->close(run.log);

    prng_seed(&prng, seed + 1);
    for (uint64_t i = 0; i < images; i++) {
        struct image_plan plan = {
            .cut = recorder.adopted +
                   (size_t)prng_below(&prng, recorder.trace.count - recorder.adopted + 1),
            .mode = (enum image_mode)prng_below(&prng, IMAGE_MODE_COUNT),
            .seed = prng_next(&prng),
        };
        char image[600];
        new_folder(image, sizeof image);
        image_build(&recorder.trace, &plan, image);
        struct facts expected = facts_at(facts, &recorder.trace, plan.cut);
        uint64_t deeper = depth + 1 < DEPTH_MAX && prng_below(&prng, 3) == 0 ? 1 : 0;
        done += 1 + crash(image, &expected, prng_next(&prng), depth + 1, deeper,
                          2000 + prng_below(&prng, 20000));
        folder_remove(image);
    }
    recorder_deinit(&recorder);
    return done;
}

int main(int argc, char **argv)
{
    uint64_t wanted = 2000;
    uint64_t seed = 20240607;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--images") == 0 && i + 1 < argc) {
            wanted = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--images N] [--seed S]\n", argv[0]);
            return 2;
        }
    }
    uint64_t done = 0;
    for (uint64_t workload = 0; done < wanted; workload++) {
        static const struct facts nothing;
        struct prng prng;
        char folder[600];
        seed_of_this_run = seed + workload;
        prng_seed(&prng, seed_of_this_run);
        new_folder(folder, sizeof folder);
        uint64_t left = wanted - done;
        done += crash(folder, &nothing, prng_next(&prng), 0,
                      left < IMAGES_PER_WORKLOAD ? left : IMAGES_PER_WORKLOAD,
                      2000 + prng_below(&prng, 20000));
        folder_remove(folder);
    }
    printf("%" PRIu64 " crash images, 0 violations (seeds %" PRIu64 " to %" PRIu64 ")\n", done,
           seed, seed_of_this_run);
    return 0;
}
