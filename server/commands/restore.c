/* restore.c: `kindred restore`: a new data folder from a backup, whole or up to a point in time. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/store.h"
#include "storage/backup.h"

static const char HELP[] =
    "usage: kindred restore BACKUP --data NEW [--until SEQUENCE|TIME] [--erasures NEWER]\n"
    "\n"
    "Makes a data folder from what `kindred backup` wrote. Everything is checked before it says that it is done: sizes, every\n"
    "checksum and digest, every link of the chain, and its end against the backup's manifest. Then start a server on it: it\n"
    "makes profiles, cohorts and everything else from the log, which takes about as long as importing the data did.\n"
    "\n"
    "  BACKUP           a folder that `kindred backup` wrote; it is only read\n"
    "  --data NEW       a folder that does not exist or is empty. After an interrupted restore, give the same command again\n"
    "  --until SEQUENCE up to this log entry; --until TIME: up to what was received at or before it, for example\n"
    "                   2026-11-22T04:05:06Z or 2026-11-22T05:05:06+01:00. What came in one batch is there whole or not at all\n"
    "  --erasures NEWER people who were erased after BACKUP was made stay erased: names a newer backup of the same data, its file\n"
    "                   erasures-….ledger, or the data folder itself (no server running). Their bytes are overwritten in NEW\n"
    "\n"
    "A backup that is brought up to date in one folder needs no --erasures, with --until neither: who was erased is not in it. It is\n"
    "for copies of a backup that were put aside before.\n"
    "\n"
    "Examples:\n"
    "  kindred restore /mnt/backup/crm --data ./restored && kindred serve --data ./restored\n"
    "  kindred restore /mnt/backup/crm --data ./before --until 2026-11-22T04:00:00Z\n"
    "  kindred restore /mnt/tape/2026-10 --data ./october --erasures /mnt/backup/crm\n"
    "\n"
    "Exit codes: 0 done · 1 could not be done · 2 usage · 3 storage: a disk failed or is full, or the backup is damaged; the\n"
    "message names file and offset · 4 a folder is in use.\n";

struct words {
    const char *backup, *data, *until, *erasures;
};

static void on_progress(void *context, const char *what, uint64_t done_bytes, uint64_t total_bytes)
{
    struct progress *progress = context;
    progress->label = what;
    progress->total_bytes = total_bytes;
    progress_update(progress, done_bytes, done_bytes / 1000000);
}

static void on_ledger_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    on_progress(context, "erasures", done_bytes, total_bytes);
}

/* ---- --until --------------------------------------------------------------------------------- */

/* Two digits, or four; moves on. */
static bool take_digits(const char **at, size_t count, int *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        *out = *out * 10 + (c - '0');
    }
    *at += count;
    return true;
}

static bool take_char(const char **at, const char *one_of)
{
    if (**at == '\0' || strchr(one_of, **at) == NULL) {
        return false;
    }
    ++*at;
    return true;
}

/* ".123456"; without digits behind the point it is none. */
static bool take_fraction(const char **at, int64_t *us)
{
    int64_t unit = 100000;
    *us = 0;
    if (**at != '.') {
        return true;
    }
    ++*at;
    if (**at < '0' || **at > '9') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10) {
        *us += (**at - '0') * unit;
    }
    return true;
}

/* "Z", or how far the clock is ahead. */
static bool take_zone(const char **at, int64_t *seconds)
{
    int hours = 0;
    int minutes = 0;
    *seconds = 0;
    if (take_char(at, "Zz")) {
        return true;
    }
    int sign = **at == '-' ? -1 : 1;
    if (!take_char(at, "+-") || !take_digits(at, 2, &hours) || !take_char(at, ":") ||
        !take_digits(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* RFC 3339. */
static bool read_time(const char *text, int64_t *out_us)
{
    struct tm tm = {0};
    int64_t fraction_us = 0;
    int64_t zone = 0;
    const char *at = text;
    if (!take_digits(&at, 4, &tm.tm_year) || !take_char(&at, "-") ||
        !take_digits(&at, 2, &tm.tm_mon) || !take_char(&at, "-") ||
        !take_digits(&at, 2, &tm.tm_mday) || !take_char(&at, "Tt ") ||
        !take_digits(&at, 2, &tm.tm_hour) || !take_char(&at, ":") ||
        !take_digits(&at, 2, &tm.tm_min) || !take_char(&at, ":") ||
        !take_digits(&at, 2, &tm.tm_sec) || !take_fraction(&at, &fraction_us) ||
        !take_zone(&at, &zone) || *at != '\0') {
        return false;
    }
    struct tm asked = tm;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t seconds = (int64_t)timegm(&tm);
    *out_us = (seconds - zone) * 1000000 + fraction_us;
    /* timegm reads the 31st of February as a day in March. */
    return asked.tm_year >= 1970 && tm.tm_mon + 1 == asked.tm_mon && tm.tm_mday == asked.tm_mday &&
           tm.tm_hour == asked.tm_hour && tm.tm_min == asked.tm_min && tm.tm_sec == asked.tm_sec &&
           *out_us > 0;
}

static int read_until(const char *text, struct restore_options *options)
{
    if (text == NULL) {
        return EXIT_CODE_OK;
    }
    if (slice_to_u64(slice_from_cstr(text), &options->until_sequence)) {
        return options->until_sequence > 0
                   ? EXIT_CODE_OK
                   : options_usage_error(&command_restore, "--until: entries count from 1.");
    }
    return read_time(text, &options->until_us)
               ? EXIT_CODE_OK
               : options_usage_error(
                     &command_restore,
                     "--until is the number of a log entry, or a time with its zone such as "
                     "2026-11-22T04:05:06Z; not '%s'.",
                     text);
}

/* ---- running --------------------------------------------------------------------------------- */

static void print_report(const struct words *words, const struct restore_report *report,
                         double seconds)
{
    char number[COUNT_TEXT_MAX];
    char time[TIMESTAMP_TEXT_MAX];
    timestamp_format(report->last_received_at_us, time);
    printf("%s: restored\n", words->data);
    printf("  %-10s %15s   up to the one received at %s%s\n", "entries",
           count_text(report->last_sequence, number), time,
           report->cut ? "; what came later is left out" : "");
    printf("  %-10s %15s   log segments, %.1f MB: every checksum, digest and link of the chain\n",
           "verified", count_text(report->segments, number), (double)report->bytes / 1e6);
    printf("  %-10s %15s   entries overwritten, of people erased since\n", "erased",
           count_text(report->scrubbed, number));
    if (report->again > 0) {
        printf(
            "  %-10s %15s   erasures of later logged again behind that, for their traces in others' records\n",
            "", count_text(report->again, number));
    }
    if (report->keys) {
        timestamp_format(report->taken_at_us, time);
        printf("  %-10s %15s   as they were at %s: `kindred key list --data %s`\n", "API keys", "",
               time, words->data);
    }
    printf("  %-10s %15.1f   s\n", "took", seconds);
    if (report->unfinished > 0) {
        printf("%llu %s under way in the backup: a server finishes the work when it starts.\n",
               (unsigned long long)report->unfinished,
               report->unfinished == 1 ? "erasure was" : "erasures were");
    }
    printf("Now: kindred serve --data %s\n", words->data);
}

static int report_failure(const struct error *error)
{
    if (error->err == ERR_CORRUPT) {
        fprintf(
            stderr,
            "kindred restore: %s\nThe backup is damaged, or the new disk is. `kindred backup BACKUP --check` tells "
            "which; another copy of the backup, or --until an earlier entry, gets around it.\n",
            error->message);
        return EXIT_CODE_STORAGE;
    }
    return store_report(&command_restore, error);
}

static int restore(const struct words *words, struct restore_options *options)
{
    struct erasure_ledger ledger = {0};
    struct progress progress;
    struct restore_report report;
    struct error error = {0};
    progress_begin(&progress, "erasures", "MB", 0);
    if (words->erasures != NULL) {
        error.err = erasure_ledger_load(&file_system_posix, words->erasures, on_ledger_progress,
                                        &progress, &ledger, &error);
        options->ledger = &ledger;
    }
    options->context = &progress;
    if (error.err == ERR_OK) {
        error.err = backup_restore(options, &report, &error);
    }
    progress_end(&progress);
    erasure_ledger_deinit(&ledger);
    if (error.err != ERR_OK) {
        return report_failure(&error);
    }
    print_report(words, &report, progress_seconds(&progress));
    return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
    struct words words = {0};
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &words.data},
        {"until", OPTION_TEXT, &words.until},
        {"erasures", OPTION_TEXT, &words.erasures},
    };
    int left = 0;
    int code = options_parse(&command_restore, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (left != 1 || words.data == NULL) {
        return options_usage_error(&command_restore,
                                   "say from where and to: kindred restore BACKUP --data NEW.");
    }
    words.backup = argv[1];
    struct restore_options options = {
        .files = &file_system_posix,
        .random = &system_random,
        .backup = words.backup,
        .data = words.data,
        .erase_entries = engine_erase_entries,
        .progress = on_progress,
    };
    code = read_until(words.until, &options);
    return code == EXIT_CODE_OK ? restore(&words, &options) : code;
}

const struct command command_restore = {
    .name = "restore",
    .summary = "make a data folder from a backup, whole or up to a point in time",
    .run = run,
    .help = HELP,
};
