/* handlers.h: what the route table names. Each takes a checked exchange and answers it
 * (exchange.h). */
#ifndef KINDRED_SERVER_HANDLERS_H
#define KINDRED_SERVER_HANDLERS_H

#include "exchange.h"

/* handlers_user.c */
void handle_user_get(struct exchange *x);
/* Reads the identifier parameters: false when it has been answered. *by_id: `key->value` is an id
 * like "p17". */
bool user_key(struct exchange *x, struct engine_key *key, bool *by_id);
/* What may stand beside an identifier, whatever else is called so: expand, limit, cursor. */
bool user_option(struct slice name);
/* handlers_user_write.c */
void handle_user_patch(struct exchange *x);
void handle_user_delete(struct exchange *x);
void handle_erasure_get(struct exchange *x);
/* handlers_raw.c */
void handle_user_raw(struct exchange *x);
void handle_log(struct exchange *x);
/* handlers_cohort.c */
void handle_users(struct exchange *x);
void handle_cohort_users(struct exchange *x);
void handle_cohorts(struct exchange *x);
void handle_cohort_get(struct exchange *x);
void handle_cohort_put(struct exchange *x);
void handle_cohort_delete(struct exchange *x);
void handle_cohort_feedback(struct exchange *x);
/* handlers_classify.c */
void handle_classify(struct exchange *x);
void handle_classify_many(struct exchange *x);
/* handlers_interests.c */
void handle_interests(struct exchange *x);
/* handlers_intake.c */
void handle_mappings(struct exchange *x);
void handle_mapping_get(struct exchange *x);
void handle_mapping_put(struct exchange *x);
void handle_quarantine(struct exchange *x);
void handle_quarantine_get(struct exchange *x);
void handle_quarantine_retry(struct exchange *x);
void handle_quarantine_delete(struct exchange *x);
/* upload.c */
void handle_ingest(struct exchange *x);
/* handlers_status.c */
void handle_root(struct exchange *x);
void handle_livez(struct exchange *x);
void handle_readyz(struct exchange *x);
void handle_metrics(struct exchange *x);
void handle_openapi(struct exchange *x);

/* ---- shared by handlers; where one returns false or NULL the exchange has been answered ---- */

void user_unknown(struct exchange *x);
void reply_user(struct exchange *x, uint32_t number); /* inside the gate */
const char *etag_of(struct exchange *x, uint32_t number, char etag[ENGINE_ETAG_MAX]);
uint32_t find_person(struct exchange *x); /* enters the gate; PERSON_NONE: answered */
bool read_expand(struct exchange *x);
/* "true" or "false"; false when it was not given. */
bool read_flag(struct exchange *x, const char *name, bool *out);
struct submission *make_submission(struct exchange *x, enum submission_kind kind) MUST_USE;
/* A sequence number as the path's variable. */
bool path_sequence(struct exchange *x, uint64_t *sequence);
/* limit/offset/cursor as all lists take them. */
struct paging {
    uint64_t limit;
    uint64_t from;
    bool by_cursor;
};
bool read_paging(struct exchange *x, struct paging *out);
/* Answers for a submission that failed; false when it went well. */
bool submission_failed(struct exchange *x, const struct submission *submission);

#endif
