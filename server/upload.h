/* upload.h: POST /api/ingest: the body goes piece by piece through an intake; its batches go to the
 * writer.
 *
 *   body bytes ─▶ intake_feed ─▶ batch ─▶ writer (at most 2 of this upload at a time) ─▶ intake_give_back ─▶ … ─▶ answer
 *
 * A body is read a piece at a time, each of INTAKE_STEP_BYTES, and in one turn of the loop only as
 * long as worker_has_time says: other clients have their turn in between.
 *
 * While two batches are out, one found the queue full, or what was fed is not used up, upload_feed
 * takes nothing, so the socket is not read and the client is held back by TCP. So a body of any
 * size goes through in bounded memory. A queue that is full before the first batch went in is
 * answered 503; later ones wait, because what went in stays in.
 *
 * Threading: the worker's thread. */
#ifndef KINDRED_SERVER_UPLOAD_H
#define KINDRED_SERVER_UPLOAD_H

#include "exchange.h"

struct upload;

/* After the head. NULL: it has been answered. Owned by caller. */
struct upload *upload_begin(struct exchange *x);
/* Takes all or nothing; false: not now, hand it in again after the connection was resumed. */
bool upload_feed(struct upload *upload, struct slice bytes, bool last);
/* What was fed is used up. */
bool upload_wants_bytes(const struct upload *upload);
/* True when the answer has been written. */
bool upload_answered(const struct upload *upload);
/* Memory is at its cap: takes nothing more, answers 507 as soon as its batches are back. What they
 * held stays. */
void upload_refuse_memory(struct upload *upload);
/* The queue may have room again, a batch came back, or the worker has time for the next piece of
 * what was fed. */
void upload_retry(struct upload *upload);
/* All its completions must be back. NULL is fine. */
void upload_destroy(struct upload *upload);

#endif
