/* file_text.h: a small file as one piece of text.
 *
 * Threading: any. */
#ifndef KINDRED_COMMANDS_FILE_TEXT_H
#define KINDRED_COMMANDS_FILE_TEXT_H

#include "base/err.h"
#include "base/slice.h"

/* Owned by caller; file_text_free. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO, ERR_MEMORY. */
err file_text_read(const char *path, size_t max_bytes, struct slice *out,
                   struct error *error) MUST_USE;
void file_text_free(struct slice text);

#endif
