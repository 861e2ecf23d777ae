/* intake_internal.h: what intake.c (the flow of batches), intake_draft.c (a record becomes a draft)
 * and intake_answer.c (the tally as JSON) share. */
#ifndef KINDRED_ENGINE_INTAKE_INTERNAL_H
#define KINDRED_ENGINE_INTAKE_INTERNAL_H

#include "engine/intake.h"
#include "engine/intake_stream.h"

/* One submission and everything it points to. A batch is used again and again: its arena keeps its
 * memory. */
struct batch {
    struct submission submission; /* first: a submission of ours is a batch */
    struct batch *next;           /* in the list it stands in */
    struct arena arena;
    struct draft *drafts; /* in the arena; doubles */
    size_t draft_capacity;
    size_t draft_count;
    uint64_t number; /* 1 is the body's first */
    uint64_t fingerprint;
    size_t bytes;
    size_t records; /* without header drafts */
    uint64_t accepted, cleansed, quarantined;
    bool last;
};

/* At most so many lines in the answer, all of them counted. */
struct report_list {
    struct buffer lines; /* JSON objects with commas between */
    struct json_writer json;
    size_t listed;
    uint64_t total;
};

struct intake {
    struct intake_options options; /* its slices point to the copies below */
    char source[LOG_SOURCE_MAX];
    char key[INTAKE_KEY_MAX];
    struct intake_stream *stream;

    /* Each batch stands in exactly one place: free, filling, held, ready (a queue), or out with the
     * writer. */
    struct batch *batches; /* array of options.batches_max */
    size_t batches_used;   /* of them, made so far */
    struct batch *free;
    struct batch *filling;
    struct batch *held; /* keyed: full, but perhaps the last */
    struct batch *ready_first, *ready_last;
    size_t out_count;
    uint64_t batches_made;

    struct split split; /* cut, but not in a batch yet */
    bool split_pending;
    bool working; /* the step's budget ran out */
    bool ended;   /* no more records: complete or refused */

    struct buffer header_bytes; /* empty for JSON */
    struct csv_header *header;

    struct intake_tally tally;
    struct report_list errors;
    struct report_list warnings;
    struct error input_error;
    struct error failure;

    /* Keyed: made when the last batch leaves, or what the engine had stored for it. */
    struct buffer answer;
    uint16_t answer_status;

    intake_reject reject;
    void *reject_context;
};

/* ---- intake_draft.c ---- */

/* Bytes the split will take in this batch, its batch's header included. */
size_t draft_bytes(const struct intake *intake, const struct batch *batch,
                   const struct split *split);
/* Adds the pending split to the batch. ERR_MEMORY. */
err draft_split(struct intake *intake, struct batch *batch, const struct split *split) MUST_USE;

/* ---- intake_answer.c ---- */

void report_init(struct report_list *list, size_t lines_max);
void report_deinit(struct report_list *list);
void report_error(struct intake *intake, const struct split *split,
                  const struct record_error *reason);
void report_warnings(struct intake *intake, const struct split *split, const struct record *record);
/* The answer as it will be when `extra` (may be NULL) has been taken too. */
void answer_write(const struct intake *intake, const struct batch *extra, struct json_writer *json);
uint16_t answer_status(const struct intake *intake, const struct batch *extra);

#endif
