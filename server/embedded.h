/* embedded.h: files of the source tree that are built into the binary (server/CMakeLists.txt writes
 * embedded.c), ending in NUL.
 *
 * Threading: constant, any. */
#ifndef KINDRED_SERVER_EMBEDDED_H
#define KINDRED_SERVER_EMBEDDED_H

extern const char embedded_topics[];          /* classifier/topics.json */
extern const char embedded_openapi_schemas[]; /* server/openapi_schemas.json */

#endif
