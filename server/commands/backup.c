/* backup.c: `kindred backup`: an incremental, verified copy of the log, beside a running server. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "commands/options.h"
#include "commands/progress.h"
#include "commands/store.h"
#include "storage/backup.h"

static const char HELP[] =
    "usage: kindred backup DIR --data DATA [--wait SECONDS]\n"
    "       kindred backup DIR --check\n"
    "\n"
    "Copies a data folder's log to DIR, whether a server is running on it or not; writes go on meanwhile. The backup holds\n"
    "everything that was acknowledged before the command began, up to one point: the log is the truth, and `kindred\n"
    "restore` makes everything else from it.\n"
    "\n"
    "Given again with the same DIR, it copies only log segments that are new, have grown, or were scrubbed because a\n"
    "person was erased; what is copied is read back, and every checksum and link of it is checked. The backup that was in DIR\n"
    "stays whole until the new one is: a full disk, an error or a crash costs nothing but the new one.\n"
    "\n"
    "People who were erased are not in a backup made after that, and leave DIR with the next backup into it. Of an erasure that\n"
    "is just under way the end is awaited.\n"
    "\n"
    "  DIR             on another disk or machine, if it is to be of use; made when absent; all personal data\n"
    "  --data DATA     the data folder to back up; it is only read\n"
    "  --wait SECONDS  how long to wait for erasures that are under way (30); then the backup is made with them, and says so\n"
    "  --check         reads every byte of the backup in DIR and checks it; copies nothing\n"
    "\n"
    "Example, every hour from cron:\n"
    "  kindred backup /mnt/backup/crm --data /var/lib/kindred\n"
    "  kindred restore /mnt/backup/crm --data ./restored && kindred serve --data ./restored\n"
    "\n"
    "Exit codes: 0 done · 1 could not be done · 2 usage · 3 storage: a disk failed or is full, or damage was found; the message\n"
    "names file and offset · 4 another backup is being made in DIR.\n";

struct telling {
    struct progress progress;
    int64_t wait_until_us;
    int64_t wait_us;
    bool told_wait;
};

static void on_progress(void *context, const char *what, uint64_t done_bytes, uint64_t total_bytes)
{
    struct telling *telling = context;
    telling->progress.label = what;
    telling->progress.total_bytes = total_bytes;
    progress_update(&telling->progress, done_bytes, done_bytes / 1000000);
}

/* The server finishes an erasure within seconds; without a server nobody does. */
static bool on_wait(void *context, size_t count)
{
    struct telling *telling = context;
    int64_t now_us = clock_monotonic_us(&system_clock);
    if (telling->wait_until_us == 0) {
        telling->wait_until_us = now_us + telling->wait_us;
    }
    if (now_us >= telling->wait_until_us) {
        return false;
    }
    if (!telling->told_wait && telling->wait_us > 0) {
        fprintf(stderr, "kindred backup: %zu %s under way: waiting for %s to be done.\n", count,
                count == 1 ? "erasure is" : "erasures are", count == 1 ? "it" : "them");
        telling->told_wait = true;
    }
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&pause, NULL);
    return true;
}

static void print_time(const char *label, uint64_t count, const char *what, int64_t at_us)
{
    char number[COUNT_TEXT_MAX];
    char time[TIMESTAMP_TEXT_MAX];
    timestamp_format(at_us, time);
    printf("  %-10s %15s   %s %s\n", label, count_text(count, number), what, time);
}

static void print_report(const char *directory, const struct backup_report *report, bool checked,
                         double seconds)
{
    char a[COUNT_TEXT_MAX];
    char b[COUNT_TEXT_MAX];
    double mb = (double)(checked ? report->bytes : report->bytes_copied) / 1e6;
    printf("%s: %s\n", directory,
           checked               ? "every byte is as it was written"
           : report->incremental ? "brought up to date"
                                 : "backup made");
    print_time("entries", report->last_sequence, "up to the one received at",
               report->last_received_at_us);
    if (!checked) {
        printf("  %-10s %15s   of %s log segments, %.1f MB; the others had not changed\n", "copied",
               count_text(report->segments_copied, a), count_text(report->segments, b), mb);
    }
    printf("  %-10s %15s   entries%s: every checksum, digest and link of the chain\n", "verified",
           count_text(report->entries_checked, a), checked ? "" : " of what was copied");
    printf("  %-10s %15s   entries hold nothing any more, because their people were erased\n",
           "erased", count_text(report->erased, a));
    printf("  %-10s %15.1f   s%s", "took", seconds, mb >= 1 && seconds > 0 ? "" : "\n");
    if (mb >= 1 && seconds > 0) {
        printf(", %.0f MB/s\n", mb / seconds);
    }
    if (report->unfinished > 0) {
        fprintf(
            stderr,
            "kindred backup: %llu %s under way: the bytes of those people are in this backup. It can be restored, a "
            "server then finishes the work; but make another one when the erasures are done.\n",
            (unsigned long long)report->unfinished,
            report->unfinished == 1 ? "erasure is still" : "erasures are still");
    }
}

/* DIR inside of DATA would be lost with it, and DIR = DATA must not be written to at all. */
static bool is_inside(const char *directory, const char *data)
{
    char to[PATH_MAX];
    char from[PATH_MAX];
    char parent[PATH_MAX];
    if (realpath(data, from) == NULL) {
        return false;
    }
    if (realpath(directory, to) == NULL) {
        const char *slash = strrchr(directory, '/');
        snprintf(parent, sizeof parent, "%.*s", slash != NULL ? (int)(slash - directory + 1) : 1,
                 slash != NULL ? directory : ".");
        if (realpath(parent, to) == NULL) {
            return false;
        }
    }
    size_t length = strlen(from);
    return strncmp(to, from, length) == 0 && (to[length] == '\0' || to[length] == '/');
}

static int back_up(const char *directory, const char *data, uint64_t wait_seconds)
{
    struct telling telling = {.wait_us = (int64_t)wait_seconds * 1000000};
    struct backup_report report;
    struct error error = {0};
    if (is_inside(directory, data)) {
        return options_usage_error(
            &command_backup,
            "%s lies in the data folder itself: name a folder elsewhere, best on "
            "another disk.",
            directory);
    }
    struct backup_options options = {
        .files = &file_system_posix,
        .data = data,
        .backup = directory,
        .taken_at_us = clock_wall_us(&system_clock),
        .progress = on_progress,
        .wait = on_wait,
        .context = &telling,
    };
    progress_begin(&telling.progress, "copy", "MB", 0);
    error.err = backup_run(&options, &report, &error);
    progress_end(&telling.progress);
    if (error.err != ERR_OK) {
        return store_report(&command_backup, &error);
    }
    print_report(directory, &report, false, progress_seconds(&telling.progress));
    return EXIT_CODE_OK;
}

static int check(const char *directory)
{
    struct telling telling = {0};
    struct backup_report report;
    struct error error = {0};
    progress_begin(&telling.progress, "check", "MB", 0);
    error.err = backup_check(&file_system_posix, directory, on_progress, &telling, &report, &error);
    progress_end(&telling.progress);
    if (error.err != ERR_OK) {
        int code = error.err == ERR_CORRUPT ? EXIT_CODE_STORAGE : EXIT_CODE_FAILED;
        fprintf(stderr, "kindred backup: %s\n", error.message);
        if (code == EXIT_CODE_STORAGE) {
            fprintf(
                stderr,
                "This backup is not whole any more. If its data folder is sound, make a new one in a new "
                "folder.\n");
        }
        return code;
    }
    print_report(directory, &report, true, progress_seconds(&telling.progress));
    return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
    const char *data = NULL;
    bool only_check = false;
    uint64_t wait_seconds = 30;
    const struct option_rule rules[] = {
        {"data", OPTION_TEXT, &data},
        {"wait", OPTION_COUNT, &wait_seconds},
        {"check", OPTION_FLAG, &only_check},
    };
    int left = 0;
    int code = options_parse(&command_backup, rules, ARRAY_COUNT(rules), argc, argv, &left);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    if (left != 1 || (data == NULL) != only_check) {
        return options_usage_error(
            &command_backup,
            "say where to and from: kindred backup DIR --data DATA; or kindred backup DIR --check.");
    }
    if (wait_seconds > 86400) {
        return options_usage_error(&command_backup, "--wait is at most 86400 seconds.");
    }
    return only_check ? check(argv[1]) : back_up(argv[1], data, wait_seconds);
}

const struct command command_backup = {
    .name = "backup",
    .summary = "copy the log beside a running server: incremental, verified",
    .run = run,
    .help = HELP,
};
