/* openapi.h: /openapi.json, made from the route table and the schemas in openapi_schemas.json.
 *
 * Threading: any. */
#ifndef KINDRED_SERVER_OPENAPI_H
#define KINDRED_SERVER_OPENAPI_H

#include "base/json_writer.h"

/* An OpenAPI 3.1 document. */
void openapi_write(struct json_writer *json);
/* The route table as JSON, for tests: [{"method", "path", "scope", "body_max_bytes", …}]. */
void openapi_write_routes(struct json_writer *json);

#endif
