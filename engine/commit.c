/* commit.c: check ─▶ append ─▶ sync ─▶ apply ─▶ done, for everything that is queued, at once.
 *
 * Submissions of records form one group: each becomes one batch of the log (whole or absent after a
 * crash), one sync covers them all, then they are applied in slices and answered. The rarer kinds
 * depend on the state they find (If-Match, who is erased), so each is a group of its own. */
#include "internal.h"

#include "engine/quarantine.h"
#include "lookahead.h"

enum { COMMIT_GROUP_MAX = 256, APPLY_CLOCK_EVERY = 8 };

void engine_gate_close(struct engine *engine)
{
    if (engine->options.gate != NULL && !engine->replaying) {
        gate_close(engine->options.gate);
    }
}

void engine_gate_open(struct engine *engine)
{
    if (engine->options.gate != NULL && !engine->replaying) {
        gate_open(engine->options.gate);
    }
}

err engine_failed(const struct engine *engine)
{
    return (err)atomic_load(&engine->failed);
}

/* A full disk passes; everything else that goes wrong between the log and the state is final. */
static void note_failure(struct engine *engine, err e)
{
    if (e != ERR_OK && e != ERR_NO_SPACE && e != ERR_TOO_LARGE) {
        int none = ERR_OK;
        atomic_compare_exchange_strong(&engine->failed, &none, (int)e);
    }
}

static err check_writable(const struct engine *engine, struct error *error)
{
    err failed = engine_failed(engine);
    if (engine->options.read_only) {
        return error_set(error, ERR_DENIED, "read_only", 0, "opened for reading only");
    }
    return failed == ERR_OK
               ? ERR_OK
               : error_set(
                     error, failed, "storage_failed", 0,
                     "an earlier write to the data folder failed; nothing is accepted until the "
                     "server is started again");
}

/* Received-at never goes back, whatever the clock does: entries stay in order of time. */
static int64_t received_at(struct engine *engine)
{
    int64_t now = clock_wall_us(engine->options.clock);
    if (now < engine->last_appended_at_us) {
        now = engine->last_appended_at_us;
    }
    if (now < engine->last_received_at_us) {
        now = engine->last_received_at_us;
    }
    engine->last_appended_at_us = now;
    return now;
}

static err append(struct engine *engine, struct log_entry *entries, size_t count, uint64_t *first,
                  struct error *error)
{
    struct log *log = engine->options.log;
    int64_t now = received_at(engine);
    for (size_t i = 0; i < count; i++) {
        entries[i].received_at_us = now;
    }
    err e = log->ops->append(log, entries, count, first, error);
    if (e != ERR_MEMORY) { /* then the log is as it was */
        note_failure(engine, e);
    }
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        entries[i].sequence = *first + i;
    }
    return e;
}

err engine_sync(struct engine *engine, struct error *error)
{
    struct log *log = engine->options.log;
    err e = log->ops->sync(log, error);
    /* After a failed sync nobody knows what is on the disk: even "no space" is final here. */
    if (e != ERR_OK) {
        int none = ERR_OK;
        atomic_compare_exchange_strong(&engine->failed, &none,
                                       (int)(e == ERR_NO_SPACE ? ERR_IO : e));
    }
    return e;
}

static err sync_if_asked(struct engine *engine, struct error *error)
{
    return engine->options.durability == DURABILITY_FSYNC ? engine_sync(engine, error) : ERR_OK;
}

static bool closes_gate_itself(uint8_t kind)
{
    return kind == ENTRY_COHORT_PUT || kind == ENTRY_COHORT_DELETE;
}

static err apply_outside(struct engine *engine, const struct log_entry *entries, size_t count,
                         struct error *error)
{
    err e = apply_cohort_entries(engine, entries, count, error);
    if (e == ERR_OK) {
        engine->applied_sequence = entries[count - 1].sequence;
        engine->last_received_at_us = entries[count - 1].received_at_us;
        atomic_fetch_add(&engine->lag, count);
    }
    arena_reset(&engine->arena);
    return e;
}

/* Applies in slices: readers get in between, and never wait for longer than one slice. */
static err apply_slices(struct engine *engine, const struct log_entry *entries,
                        const struct draft *drafts, size_t count, struct error *error)
{
    err e = ERR_OK;
    size_t at = 0;
    struct lookahead ahead = {0};
    bool looks_ahead = drafts != NULL && !engine->options.prefetch_off;
    while (e == ERR_OK && at < count) {
        engine_gate_close(engine);
        int64_t until = clock_monotonic_us(engine->options.clock) + SLICE_MAX_US;
        for (size_t n = 0; e == ERR_OK && at < count && n < ENGINE_SLICE_RECORDS; n++, at++) {
            if (n > 0 && n % APPLY_CLOCK_EVERY == 0 &&
                clock_monotonic_us(engine->options.clock) >= until) {
                break;
            }
            const struct record *record = drafts != NULL ? drafts[at].record : NULL;
            if (looks_ahead) {
                lookahead_move(&ahead, engine, drafts, count, at);
            }
            e = apply_entry(engine, &entries[at], record, error);
        }
        engine_gate_open(engine);
    }
    return e;
}

static err apply_appended(struct engine *engine, const struct log_entry *entries,
                          const struct draft *drafts, size_t count, struct error *error)
{
    err e = closes_gate_itself(entries[0].kind)
                ? apply_outside(engine, entries, count, error)
                : apply_slices(engine, entries, drafts, count, error);
    /* Logged but not applied: the state is behind the log now, and only a fresh start can catch
     * up. */
    if (e != ERR_OK) {
        note_failure(engine, e == ERR_NO_SPACE || e == ERR_TOO_LARGE ? ERR_IO : e);
    }
    return e;
}

err commit_entries(struct engine *engine, struct log_entry *entries, size_t count,
                   uint64_t *first_sequence, struct error *error)
{
    uint64_t first = 0;
    err e = check_writable(engine, error);
    if (e == ERR_OK) {
        e = append(engine, entries, count, &first, error);
    }
    if (e == ERR_OK) {
        e = sync_if_asked(engine, error);
    }
    if (e == ERR_OK) {
        e = apply_appended(engine, entries, NULL, count, error);
    }
    if (first_sequence != NULL) {
        *first_sequence = first;
    }
    return e;
}

/* ---- records ---- */

static err answer_repeat(struct submission *submission, const struct window_item *item)
{
    const struct receipt *receipt = item->more;
    if (receipt->fingerprint != submission->fingerprint) {
        return error_set(
            &submission->error, ERR_CONFLICT, "idempotency_key_reused", 0,
            "this Idempotency-Key was used for other content; use a new key for new content");
    }
    submission->repeated = true;
    submission->first_sequence = item->number;
    submission->stored_status = receipt->status;
    submission->stored_answer_length = receipt->length;
    submission->stored_answer = memory_alloc(receipt->length + 1);
    if (submission->stored_answer == NULL) {
        return error_set(&submission->error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    memcpy(submission->stored_answer, receipt->answer, receipt->length);
    submission->stored_answer[receipt->length] = '\0';
    return ERR_OK;
}

static err check_drafts(const struct engine *engine, struct submission *submission)
{
    for (size_t i = 0; i < submission->draft_count; i++) {
        const struct log_entry *entry = &submission->drafts[i].entry;
        uint64_t ended = 0;
        if (entry->kind == ENTRY_QUARANTINE_END &&
            (quarantine_end_decode(entry->payload, &ended) != ERR_OK ||
             !engine_quarantine_has(engine, ended))) {
            return error_set(
                &submission->error, ERR_NOT_FOUND, "quarantine_not_found", 0,
                "this quarantined record is gone: it was retried or dropped meanwhile");
        }
    }
    return ERR_OK;
}

/* What one submission of a group became. */
struct group_item {
    struct submission *submission;
    struct log_entry *entries;
    size_t entry_count;
    bool appended;
};

static err append_records(struct engine *engine, struct submission *submission,
                          struct group_item *item, struct buffer *receipt)
{
    size_t count = submission->draft_count;
    item->entries = memory_alloc((count + 1) * sizeof *item->entries);
    if (item->entries == NULL) {
        return error_set(&submission->error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        item->entries[i] = submission->drafts[i].entry;
    }
    if (submission->idempotency_key.length > 0) {
        struct window_key key = window_key_of(submission->idempotency_key);
        buffer_clear(receipt);
        receipt_encode(&key, submission->fingerprint, submission->answer_status, submission->answer,
                       receipt);
        if (receipt->failed) {
            bool large = submission->answer.length > LOG_PAYLOAD_MAX / 2;
            return error_set(&submission->error, large ? ERR_TOO_LARGE : ERR_MEMORY,
                             large ? "answer_too_large" : "out_of_memory", 0,
                             "no room for the answer to keep");
        }
        item->entries[count] =
            (struct log_entry){.kind = ENTRY_RECEIPT, .payload = buffer_slice(receipt)};
        count++;
    }
    item->entry_count = count;
    err e = append(engine, item->entries, count, &submission->first_sequence, &submission->error);
    item->appended = e == ERR_OK;
    return e;
}

/* True when it has to be appended. */
static bool check_records(struct engine *engine, struct submission *submission)
{
    submission->err = check_writable(engine, &submission->error);
    if (submission->err != ERR_OK) {
        return false;
    }
    if (submission->idempotency_key.length > 0) {
        struct window_key key = window_key_of(submission->idempotency_key);
        const struct window_item *item =
            window_find(engine->receipts, &key, engine->last_received_at_us);
        if (item != NULL) {
            submission->err = answer_repeat(submission, item);
            return false;
        }
    }
    submission->err = check_drafts(engine, submission);
    return submission->err == ERR_OK && submission->draft_count > 0;
}

/* The receipt's bytes must live until they are applied: they are the last entry's payload. */
static err apply_records(struct engine *engine, struct group_item *item)
{
    struct submission *submission = item->submission;
    err e = apply_appended(engine, item->entries, submission->drafts, submission->draft_count,
                           &submission->error);
    if (e == ERR_OK && item->entry_count > submission->draft_count) {
        struct buffer receipt;
        buffer_init(&receipt, LOG_PAYLOAD_MAX);
        struct window_key key = window_key_of(submission->idempotency_key);
        receipt_encode(&key, submission->fingerprint, submission->answer_status, submission->answer,
                       &receipt);
        struct log_entry *last = &item->entries[submission->draft_count];
        last->payload = buffer_slice(&receipt);
        e = receipt.failed ? ERR_MEMORY : apply_appended(engine, last, NULL, 1, &submission->error);
        buffer_deinit(&receipt);
    }
    return e;
}

static void fail_appended(struct group_item *items, size_t count, err e, const struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].appended) {
            items[i].submission->err = e;
            items[i].submission->error = *error;
        }
    }
}

static void commit_records(struct engine *engine, struct submission **submissions, size_t count)
{
    struct group_item items[COMMIT_GROUP_MAX];
    struct buffer receipt;
    buffer_init(&receipt, LOG_PAYLOAD_MAX);
    size_t appended = 0;
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct group_item){.submission = submissions[i]};
        if (check_records(engine, submissions[i])) {
            submissions[i]->err = append_records(engine, submissions[i], &items[i], &receipt);
            appended += items[i].appended;
        }
    }
    struct error error = {0};
    err e = appended > 0 ? sync_if_asked(engine, &error) : ERR_OK;
    if (e != ERR_OK) {
        fail_appended(items, count, e, &error);
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].appended && e == ERR_OK) {
            e = apply_records(engine, &items[i]);
            submissions[i]->err = e;
            error = submissions[i]->error;
        } else if (items[i].appended) {
            submissions[i]->err = e;
            submissions[i]->error = error;
        }
        memory_free(items[i].entries);
        submissions[i]->done(submissions[i]);
    }
    buffer_deinit(&receipt);
}

/* ---- the rarer kinds ---- */

/* The ETag's first part is the profile's; the second changes with cohort definitions, which a
 * correction does not mind. */
static bool etag_matches(const struct engine *engine, uint32_t number, struct slice if_match)
{
    char now[ENGINE_ETAG_MAX];
    size_t length = engine_etag(engine, number, now);
    struct slice ours = slice_of(now, length);
    struct slice theirs = if_match;
    if (slice_equal_cstr(theirs, "*")) {
        return true;
    }
    return slice_equal(slice_cut(&ours, '-'), slice_cut(&theirs, '-'));
}

static err find_person(struct engine *engine, struct submission *submission, uint32_t *root)
{
    *root = submission->number != PERSON_NONE && submission->number <= people_last(engine->people)
                ? people_find(engine->people, submission->number)
                : PERSON_NONE;
    return people_blob(engine->people, *root) != NULL
               ? ERR_OK
               : error_set(&submission->error, ERR_NOT_FOUND, "user_not_found", 0,
                           "there is no such person (any more)");
}

static err prepare_patch(struct engine *engine, struct submission *submission,
                         struct buffer *payload)
{
    uint32_t root = PERSON_NONE;
    err e = find_person(engine, submission, &root);
    if (e != ERR_OK) {
        return e;
    }
    if (submission->if_match.length > 0 && !etag_matches(engine, root, submission->if_match)) {
        return error_set(
            &submission->error, ERR_CONFLICT, "etag_mismatch", 0,
            "the profile has changed since it was read: read it again and repeat the correction");
    }
    struct record patch;
    struct record_error reason;
    e = record_read_patch(&engine->arena, submission->body, current_settings(engine), &patch,
                          &reason);
    if (e != ERR_OK) {
        return error_set(&submission->error, e, reason.code, reason.position, "%s", reason.message);
    }
    submission->number = root;
    patch_encode(root, submission->body, payload);
    return ERR_OK;
}

static err prepare_mapping(struct engine *engine, struct submission *submission,
                           struct buffer *payload)
{
    struct mapping *mapping = NULL;
    if (engine->mappings_count >= MAPPING_COUNT_MAX) {
        return error_set(&submission->error, ERR_TOO_LARGE, "mapping_limit", 0,
                         "there are already %d mapping versions", MAPPING_COUNT_MAX);
    }
    err e = mapping_parse(submission->body, &mapping, &submission->error);
    if (e == ERR_OK && !slice_equal(mapping_name(mapping), submission->name)) {
        e = error_set(&submission->error, ERR_INVALID, "mapping_name", 0,
                      "the mapping's \"name\" must be the name it is put under");
    }
    mapping_destroy(mapping);
    buffer_append_slice(payload, submission->body);
    return e;
}

static err prepare_delete_cohort(struct engine *engine, struct submission *submission,
                                 struct buffer *payload)
{
    uint32_t id = cohorts_find(engine->cohorts, submission->name);
    if (id == COHORT_NONE) {
        return error_set(&submission->error, ERR_NOT_FOUND, "cohort_not_found", 0,
                         "there is no cohort of this name");
    }
    cohort_entry_encode(0, cohort_definition_name(cohorts_definition(engine->cohorts, id)),
                        SLICE_NONE, payload);
    return ERR_OK;
}

static err prepare_erase_done(struct engine *engine, struct submission *submission,
                              struct buffer *payload)
{
    const struct engine_erasure *erasure = erasure_find(engine, submission->sequence);
    if (erasure == NULL || erasure->done_at_us != 0) {
        return error_set(&submission->error, ERR_NOT_FOUND, "erasure_not_found", 0,
                         "no such erasure is under way");
    }
    return erasure_encode_done(engine, submission->sequence, payload);
}

/* Fills `entries` (at most 2); payloads live in the two buffers. */
static err prepare_single(struct engine *engine, struct submission *submission,
                          struct log_entry *entries, size_t *count, struct buffer *first,
                          struct buffer *second)
{
    *count = 1;
    entries[0] = (struct log_entry){.source = submission->source, .etl_version = ETL_RULES_VERSION};
    err e = ERR_OK;
    uint32_t root = PERSON_NONE;
    switch (submission->kind) {
    case SUBMIT_PATCH:
        entries[0].kind = ENTRY_PATCH;
        return prepare_patch(engine, submission, first);
    case SUBMIT_ERASE:
        entries[0].kind = ENTRY_ERASE;
        entries[1] = (struct log_entry){.kind = ENTRY_ERASE_KEYS};
        *count = 2;
        e = find_person(engine, submission, &root);
        return e != ERR_OK ? e : erasure_encode(engine, root, first, second, &entries[0].format);
    case SUBMIT_COHORT_PUT:
        entries[0].kind = ENTRY_COHORT_PUT;
        submission->created = cohorts_find(engine->cohorts, submission->name) == COHORT_NONE;
        return cohort_entry_prepare(engine, 0, submission->name, submission->body, first,
                                    &submission->error);
    case SUBMIT_COHORT_DELETE:
        entries[0].kind = ENTRY_COHORT_DELETE;
        return prepare_delete_cohort(engine, submission, first);
    case SUBMIT_MAPPING_PUT:
        entries[0].kind = ENTRY_MAPPING;
        return prepare_mapping(engine, submission, first);
    case SUBMIT_ERASE_DONE:
        entries[0].kind = ENTRY_ERASE_DONE;
        return prepare_erase_done(engine, submission, first);
    case SUBMIT_COHORT_FEEDBACK:
        entries[0].kind = ENTRY_COHORT_PUT;
        return cohort_entry_correct(engine, submission->name, submission->body, first,
                                    &submission->error);
    case SUBMIT_VERDICTS:
    case SUBMIT_RECORDS: break;
    }
    return ERR_UNSUPPORTED;
}

static void commit_single(struct engine *engine, struct submission *submission)
{
    struct log_entry entries[2];
    size_t count = 0;
    struct buffer first;
    struct buffer second;
    buffer_init(&first, LOG_PAYLOAD_MAX);
    buffer_init(&second, LOG_PAYLOAD_MAX);
    arena_reset(&engine->arena);
    err e = check_writable(engine, &submission->error);
    if (e == ERR_OK) {
        e = prepare_single(engine, submission, entries, &count, &first, &second);
    }
    if (e == ERR_OK && (first.failed || second.failed)) {
        e = error_set(&submission->error, ERR_TOO_LARGE, "entry_too_large", 0,
                      "more than %d bytes to log", LOG_PAYLOAD_MAX);
    }
    if (e == ERR_OK) {
        entries[0].payload = buffer_slice(&first);
        entries[1].payload = buffer_slice(&second);
        e = commit_entries(engine, entries, count, &submission->first_sequence, &submission->error);
    }
    submission->err = e;
    buffer_deinit(&first);
    buffer_deinit(&second);
    submission->done(submission);
}

/* ---- groups ---- */

static bool same_key_before(struct submission *const *submissions, size_t from, size_t at)
{
    struct slice key = submissions[at]->idempotency_key;
    for (size_t i = from; key.length > 0 && i < at; i++) {
        if (slice_equal(submissions[i]->idempotency_key, key)) {
            return true;
        }
    }
    return false;
}

static bool ends_quarantine(const struct submission *submission)
{
    return submission->draft_count > 0 &&
           submission->drafts[submission->draft_count - 1].entry.kind == ENTRY_QUARANTINE_END;
}

void engine_commit(struct engine *engine, struct submission **submissions, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t from = at;
        /* A repeat within one group must see the first one's receipt, a second retry the first
         * one's end: they start the next group. */
        while (at < count && at - from < COMMIT_GROUP_MAX &&
               submissions[at]->kind == SUBMIT_RECORDS && !same_key_before(submissions, from, at) &&
               !(at > from && ends_quarantine(submissions[at]))) {
            at++;
        }
        if (at > from) {
            commit_records(engine, &submissions[from], at - from);
        } else if (submissions[at]->kind == SUBMIT_VERDICTS) {
            submissions[at]->err = commit_verdicts(engine, submissions[at]);
            submissions[at]->done(submissions[at]);
            at++;
        } else {
            commit_single(engine, submissions[at]);
            at++;
        }
    }
}
