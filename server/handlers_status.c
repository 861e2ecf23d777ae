/* handlers_status.c: what the server says about itself. These answer before the engine is there. */
#include <stdio.h>

#include "commands/store.h"
#include "handlers.h"
#include "openapi.h"
#include "server.h"
#include "worker.h"

static const char *phase_name(int phase)
{
    switch (phase) {
    case PHASE_PROFILES: return "profiles";
    case PHASE_COHORTS: return "cohorts";
    case PHASE_REPLAY: return "replay";
    default: return "opening";
    }
}

void handle_root(struct exchange *x)
{
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_cstr(json, "name", "kindred");
    json_member_cstr(json, "version", KINDRED_VERSION);
    json_member_cstr(json, "description",
                     "A customer data platform: data in, one profile per person, cohorts out.");
    json_key(json, "links");
    json_object_begin(json);
    json_member_cstr(json, "openapi", "/openapi.json");
    json_member_cstr(json, "metrics", "/metrics");
    json_member_cstr(json, "ready", "/readyz");
    json_member_cstr(json, "cohorts", "/api/cohorts");
    json_member_cstr(json, "people", "/api/users?limit=10");
    json_object_end(json);
    json_object_end(json);
    reply_end(x);
}

static void write_status(struct exchange *x, uint16_t status, const char *word)
{
    reply_begin(x, status, "application/json");
    if (status == 503) {
        reply_header(x, "Retry-After", SLICE_LITERAL("1"));
    }
    struct json_writer *json = reply_body(x);
    json_object_begin(json);
    json_member_cstr(json, "status", word);
    if (status == 503 && x->engine == NULL) {
        struct engine_progress *progress = &x->worker->server->progress;
        json_member_cstr(json, "phase", phase_name(atomic_load(&progress->phase)));
        json_member_u64(json, "done", atomic_load(&progress->done));
        json_member_u64(json, "total", atomic_load(&progress->total));
    }
    if (x->engine != NULL && status == 200 &&
        memory_cap_level(&x->worker->server->memory) != MEMORY_FINE) {
        json_member_cstr(json, "writes", "memory_full");
    }
    json_object_end(json);
    reply_end(x);
}

void handle_livez(struct exchange *x)
{
    write_status(x, 200, "alive");
}

void handle_readyz(struct exchange *x)
{
    int state = atomic_load(&x->worker->server->state);
    if (state == SERVER_STOPPING) {
        write_status(x, 503, "stopping");
    } else if (state != SERVER_READY || x->engine == NULL) {
        write_status(x, 503, "starting");
    } else if (engine_failed(x->engine) != ERR_OK) {
        write_status(x, 503, "storage_failed");
    } else {
        write_status(x, 200, "ready");
    }
}

void handle_openapi(struct exchange *x)
{
    openapi_write(reply_json(x, 200));
    reply_end(x);
}

/* ---- GET /metrics --------------------------------------------------------------------------- */

static uint64_t sum_workers(const struct server *server, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        const char *metrics = (const char *)&server->workers[i].metrics;
        sum += counter_get((const struct counter *)(const void *)(metrics + offset));
    }
    return sum;
}

static void worker_value(const struct server *server, struct buffer *out, const char *name,
                         const char *type, const char *help, size_t offset)
{
    metrics_describe(out, name, type, help);
    metrics_value(out, name, NULL, sum_workers(server, offset));
}
#define WORKER_METRIC(field) offsetof(struct worker_metrics, field)

static void write_requests(const struct server *server, struct buffer *out)
{
    metrics_describe(out, "kindred_requests_total", "counter",
                     "Answers, by route, method and class of status.");
    for (size_t route = 0; route <= ROUTES_MAX; route++) {
        bool named = route < routes_count;
        for (unsigned class = 2; class <= 5; class ++) {
            uint64_t count =
                sum_workers(server, WORKER_METRIC(routes) + route * sizeof(struct route_metrics) +
                                        offsetof(struct route_metrics, by_class) +
                                        class * sizeof(struct counter));
            if (count > 0) {
                char labels[160];
                snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%uxx\"",
                         named ? routes[route].path : "none",
                         named ? http_method_name(routes[route].method) : "other", class);
                metrics_value(out, "kindred_requests_total", labels, count);
            }
        }
    }
    metrics_describe(out, "kindred_request_seconds", "histogram",
                     "Time from the request's head to its answer, by route.");
    for (size_t route = 0; route < routes_count; route++) {
        size_t offset = WORKER_METRIC(routes) + route * sizeof(struct route_metrics);
        const char *first = (const char *)&server->workers[0].metrics + offset;
        char labels[160];
        snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\"", routes[route].path,
                 http_method_name(routes[route].method));
        metrics_histogram(out, "kindred_request_seconds", labels,
                          (const void *)(first + offsetof(struct route_metrics, latency_us)),
                          server->worker_count, sizeof(struct worker), histogram_bounds_us, 1);
    }
}

static void write_connections(const struct server *server, struct buffer *out)
{
    uint64_t open = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        open += atomic_load_explicit(&server->workers[i].metrics.connections_open,
                                     memory_order_relaxed);
    }
    metrics_describe(out, "kindred_connections_open", "gauge", "Open connections.");
    metrics_value(out, "kindred_connections_open", NULL, open);
    worker_value(server, out, "kindred_connections_total", "counter", "Connections accepted.",
                 WORKER_METRIC(connections_accepted));
    worker_value(server, out, "kindred_connections_refused_total", "counter",
                 "Connections over the limit.", WORKER_METRIC(connections_refused));
    worker_value(server, out, "kindred_connections_timed_out_total", "counter",
                 "Connections ended by a deadline.", WORKER_METRIC(connections_timed_out));
    worker_value(server, out, "kindred_received_bytes_total", "counter", "Bytes read from clients.",
                 WORKER_METRIC(bytes_in));
    worker_value(server, out, "kindred_sent_bytes_total", "counter", "Bytes written to clients.",
                 WORKER_METRIC(bytes_out));
    worker_value(server, out, "kindred_lookups_total", "counter",
                 "Identifiers looked up by GET /api/user.", WORKER_METRIC(lookups_batched));
}

static void plain(struct buffer *out, const char *name, const char *type, const char *help,
                  uint64_t value)
{
    metrics_describe(out, name, type, help);
    metrics_value(out, name, NULL, value);
}

static void write_writer(const struct writer *writer, struct buffer *out)
{
    const struct writer_metrics *metrics = writer_metrics(writer);
    plain(out, "kindred_writer_queue", "gauge", "Submissions waiting for the writer.",
          writer_queue_length(writer));
    plain(out, "kindred_writer_queue_max", "gauge", "The most that may wait.",
          writer_queue_max(writer));
    plain(out, "kindred_submissions_total", "counter", "Submissions committed.",
          counter_get(&metrics->submissions));
    plain(out, "kindred_checkpoints_total", "counter", "Checkpoints written.",
          counter_get(&metrics->checkpoints));
    plain(out, "kindred_checkpoint_failures_total", "counter", "Checkpoints not written.",
          counter_get(&metrics->checkpoint_failures));
    plain(out, "kindred_erasures_total", "counter", "Erasures finished.",
          counter_get(&metrics->erasures));
    metrics_describe(out, "kindred_commit_group_size", "histogram",
                     "Submissions in a group (one append, one sync).");
    metrics_histogram(out, "kindred_commit_group_size", NULL, &metrics->group_size, 1, 0,
                      histogram_bounds_size, 0);
    metrics_describe(out, "kindred_commit_seconds", "histogram",
                     "Time to append, sync and apply a group.");
    metrics_histogram(out, "kindred_commit_seconds", NULL, &metrics->commit_us, 1, 0,
                      histogram_bounds_us, 1);
    metrics_describe(out, "kindred_sync_seconds", "histogram",
                     "Time of a sync of its own (durability interval).");
    metrics_histogram(out, "kindred_sync_seconds", NULL, &metrics->sync_us, 1, 0,
                      histogram_bounds_us, 1);
    metrics_describe(out, "kindred_checkpoint_seconds", "histogram", "Time to write a checkpoint.");
    metrics_histogram(out, "kindred_checkpoint_seconds", NULL, &metrics->checkpoint_us, 1, 0,
                      histogram_bounds_us, 1);
}

static void write_memory(const struct memory_cap *memory, struct buffer *out)
{
    plain(out, "kindred_memory_bytes", "gauge",
          "Memory in use: what --memory-max is compared with.", atomic_load(&memory->used_bytes));
    plain(out, "kindred_memory_max_bytes", "gauge", "The cap; 0: none.", memory->max_bytes);
    plain(out, "kindred_memory_full", "gauge", "1 while writes get 507 for it.",
          memory_cap_level(memory) != MEMORY_FINE);
    plain(out, "kindred_memory_full_total", "counter", "How often the cap was reached.",
          atomic_load(&memory->times_full));
    plain(out, "kindred_memory_refused_total", "counter", "Requests that got 507 for it.",
          atomic_load(&memory->refused));
}

static void write_engine(struct exchange *x, struct buffer *out)
{
    struct engine_stats stats;
    exchange_enter(x);
    engine_stats(x->engine, &stats);
    exchange_leave(x);
    plain(out, "kindred_people", "gauge", "Profiles.", stats.people);
    plain(out, "kindred_identifiers", "gauge", "Identifiers.", stats.identifiers);
    plain(out, "kindred_phrases", "gauge", "Distinct interest phrases.", stats.phrases);
    plain(out, "kindred_cohorts", "gauge", "Cohorts.", stats.cohorts);
    plain(out, "kindred_quarantined", "gauge", "Records in quarantine.", stats.quarantined);
    plain(out, "kindred_erasures_pending", "gauge",
          "Erasures whose raw bytes are not scrubbed yet.", stats.erasures_pending);
    plain(out, "kindred_applied_sequence", "gauge", "Newest log entry applied.",
          stats.applied_sequence);
    plain(out, "kindred_checkpoint_sequence", "gauge", "Newest log entry that a checkpoint holds.",
          stats.checkpoint_sequence);
    plain(out, "kindred_checkpoint_lag", "gauge", "Entries applied since the last checkpoint.",
          engine_checkpoint_lag(x->engine));
    plain(out, "kindred_records_applied_total", "counter", "Records applied since the start.",
          stats.records_applied);
    plain(out, "kindred_merges_total", "counter", "Profiles merged since the start.", stats.merges);
    plain(out, "kindred_duplicates_total", "counter",
          "Records known by their message id since the start.", stats.duplicates);
    plain(out, "kindred_profile_bytes", "gauge", "Memory of all profiles.", stats.profile_bytes);
    plain(out, "kindred_index_bytes", "gauge", "Memory of the identifier and people tables.",
          stats.index_bytes);
    plain(out, "kindred_phrases_pending", "gauge", "Interest phrases that wait for the model.",
          stats.phrases_pending);
    plain(out, "kindred_phrases_unclassified", "gauge",
          "Interest phrases without a topic and without a cohort.", stats.phrases_unclassified);
    plain(out, "kindred_verdict_cache_hits_total", "counter",
          "New phrases whose verdict was there already.", stats.verdict_hits);
    plain(out, "kindred_verdict_cache_misses_total", "counter",
          "New phrases that had to wait for theirs.", stats.verdict_misses);
    plain(out, "kindred_verdict_cache_evicted_total", "counter",
          "Verdicts that made room for others before they were used.", stats.verdicts_evicted);
}

/* worker: on the way in. api: for somebody who asked, and for a cohort's examples. backlog:
 * afterwards. */
static void write_model(const struct server *server, struct buffer *out)
{
    const struct model_choice *model = &server->options.model;
    if (model->classifier == NULL) {
        return;
    }
    const struct backlog_metrics *backlog = backlog_metrics(server->backlog);
    uint64_t on_the_way = 0;
    uint64_t left = 0;
    uint64_t asked = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        on_the_way += counter_get(&server->workers[i].phrases.classified);
        left += counter_get(&server->workers[i].phrases.left);
        asked += counter_get(&server->workers[i].asked.classified);
    }
    char labels[160];
    snprintf(labels, sizeof labels, "name=\"%s\",version=\"%016llx\",kernel=\"%s\"",
             model->classifier->name, (unsigned long long)model->classifier->version,
             model_kernel(model->model));
    metrics_describe(out, "kindred_model_info", "gauge",
                     "The model that says what interests are about.");
    metrics_value(out, "kindred_model_info", labels, 1);
    metrics_describe(out, "kindred_phrases_classified_total", "counter",
                     "Phrases the model was asked about, by path.");
    metrics_value(out, "kindred_phrases_classified_total", "path=\"worker\"", on_the_way);
    metrics_value(out, "kindred_phrases_classified_total", "path=\"backlog\"",
                  counter_get(&backlog->classified));
    metrics_value(out, "kindred_phrases_classified_total", "path=\"api\"", asked);
    plain(out, "kindred_phrases_left_total", "counter",
          "Phrases that workers had no time for: the backlog's.", left);
    metrics_describe(out, "kindred_classify_seconds", "histogram",
                     "Time of one call of the model, of up to 16 phrases; "
                     "path api: of all of a request.");
    metrics_histogram(out, "kindred_classify_seconds", "path=\"worker\"",
                      &server->workers[0].phrases.classify_us, server->worker_count,
                      sizeof(struct worker), histogram_bounds_us, 1);
    metrics_histogram(out, "kindred_classify_seconds", "path=\"backlog\"", &backlog->classify_us, 1,
                      0, histogram_bounds_us, 1);
    metrics_histogram(out, "kindred_classify_seconds", "path=\"api\"",
                      &server->workers[0].asked.classify_us, server->worker_count,
                      sizeof(struct worker), histogram_bounds_us, 1);
}

void handle_metrics(struct exchange *x)
{
    struct server *server = x->worker->server;
    reply_begin(x, 200, "text/plain; version=0.0.4");
    (void)reply_body(x);
    struct buffer *out = x->out;
    char labels[96];
    snprintf(labels, sizeof labels, "version=\"%s\",durability=\"%s\"", KINDRED_VERSION,
             durability_word(server->options.durability));
    metrics_describe(out, "kindred_info", "gauge", "What runs here.");
    metrics_value(out, "kindred_info", labels, 1);
    plain(out, "kindred_ready", "gauge", "1 when requests are answered.",
          atomic_load(&server->state) == SERVER_READY ? 1 : 0);
    plain(out, "process_start_time_seconds", "gauge", "Start, seconds since 1970.",
          (uint64_t)(server->started_at_us / 1000000));
    plain(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
          metrics_resident_bytes());
    write_memory(&server->memory, out);
    write_connections(server, out);
    write_requests(server, out);
    write_writer(server->writer, out);
    if (x->engine != NULL) {
        write_engine(x, out);
        write_model(server, out);
    }
    reply_end(x);
}
