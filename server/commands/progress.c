#include "commands/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { BAR_WIDTH = 24 };
static const int64_t TERMINAL_EVERY_US = 100000;
static const int64_t PLAIN_EVERY_US = 5000000;

const char *count_text(uint64_t value, char out[COUNT_TEXT_MAX])
{
    char digits[COUNT_TEXT_MAX];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    size_t to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[to++] = ',';
        }
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

void progress_begin(struct progress *progress, const char *label, const char *unit,
                    uint64_t total_bytes)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    *progress = (struct progress){
        .label = label,
        .unit = unit,
        .total_bytes = total_bytes,
        .started_us = now_us,
        .shown_us = now_us,
        .terminal = isatty(STDERR_FILENO) == 1,
    };
}

double progress_seconds(const struct progress *progress)
{
    return (double)(clock_monotonic_us(&system_clock) - progress->started_us) / 1e6;
}

static void draw_bar(double part)
{
    char bar[BAR_WIDTH + 1];
    int full = (int)(part * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)full);
    if (full < BAR_WIDTH) {
        bar[full] = '>';
    }
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "  [%s]", bar);
}

static void draw(const struct progress *progress, uint64_t done_bytes, uint64_t done_units)
{
    char count[COUNT_TEXT_MAX];
    char rate[COUNT_TEXT_MAX];
    double seconds = progress_seconds(progress);
    double part = progress->total_bytes ? (double)done_bytes / (double)progress->total_bytes : 0;
    part = part > 1 ? 1 : part;
    fputs(progress->label, stderr);
    if (progress->total_bytes > 0) {
        if (progress->terminal) {
            draw_bar(part);
        }
        fprintf(stderr, "  %3.0f %%", part * 100);
    }
    fprintf(stderr, "  %s %s  %s/s", count_text(done_units, count), progress->unit,
            count_text(seconds > 0 ? (uint64_t)((double)done_units / seconds) : 0, rate));
    if (part > 0.001) {
        fprintf(stderr, "  %.0f s left", seconds / part - seconds);
    }
}

void progress_update(struct progress *progress, uint64_t done_bytes, uint64_t done_units)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    if (now_us - progress->shown_us < (progress->terminal ? TERMINAL_EVERY_US : PLAIN_EVERY_US)) {
        return;
    }
    progress->shown_us = now_us;
    if (progress->terminal) {
        fputs("\r\033[K", stderr);
    }
    draw(progress, done_bytes, done_units);
    if (!progress->terminal) {
        fputc('\n', stderr);
    }
    progress->drawn = true;
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->terminal && progress->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress->drawn = false;
}
