/* mapping.h: reading a foreign file's columns into our fields.
 *
 * A mapping is a small JSON document, kept in the log like everything that shapes the fold:
 *
 *   {"name": "febrl", "description": "…",
 *    "fields": {
 *      "user_id":            {"from": "soc_sec_id", "transforms": ["trim"]},
 *      "first_name":         {"from": "given_name", "transforms": ["trim", "title"]},
 *      "location.state":     {"from": "state", "transforms": ["trim", {"lookup": {"nsw": "New South Wales"}, "otherwise": "keep"}]},
 *      "location.country":   {"constant": "Australia"},
 *      "street":             {"concat": ["street_number", " ", "address_1"]}, ...
 *      "interests":          {"from": "tags", "transforms": [{"split": ";"}]},
 *      "birth_date":         {"from": "date_of_birth", "transforms": [{"date": "%Y%m%d"}]},
 *      "phone":              {"from": "tel", "transforms": [{"phone_country": "GB"}]}},
 *    "delimiter": ",", "ignore": ["rec_id"], "rest": "attributes" | "drop"}
 *
 * docs/ingestion.md shows every transform on a real file; `docs/examples/` keeps whole mappings.
 *
 * Threading: any (immutable). Owned by caller; mapping_destroy. */
#ifndef KINDRED_INGEST_MAPPING_H
#define KINDRED_INGEST_MAPPING_H

#include "base/err.h"
#include "base/slice.h"

struct mapping;

/* error->position is the byte in `json`; the message names the field and the transform. */
err mapping_parse(struct slice json, struct mapping **out, struct error *error) MUST_USE;
void mapping_destroy(struct mapping *mapping);
struct slice mapping_name(const struct mapping *mapping);
/* For splitter_set_delimiter; '\0' when the mapping says none. */
char mapping_delimiter(const struct mapping *mapping);

#endif
