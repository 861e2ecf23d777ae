/* upload.h: POST /api/ingest: the body goes piece by piece through an intake; its batches go to the
 * writer.
 *
 *   body bytes ─▶ intake_feed ─▶ batch ─▶ writer (at most 2 of this upload at a time) ─▶ intake_give_back ─▶ … ─▶ answer
 *
 * While two batches are out, or one found the queue full, upload_feed takes nothing, so the socket
 * is not read and the client is held back by TCP. So a body of any size goes through in bounded
 * memory. A queue that is full before the first batch went in is answered 503; later ones wait,
 * because what went in stays in.
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
/* True when the answer has been written. */
bool upload_answered(const struct upload *upload);
/* Memory is at its cap: takes nothing more, answers 507 as soon as its batches are back. What they held
 * stays. */
void upload_refuse_memory(struct upload *upload);
/* The queue may have room again, or a batch came back. */
void upload_retry(struct upload *upload);
/* All its completions must be back. NULL is fine. */
void upload_destroy(struct upload *upload);

#endif
