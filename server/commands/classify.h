/* classify.h: what classify.c (one phrase after another) and classify_compare.c (two models, one
 * folder) share.
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_CLASSIFY_H
#define KINDRED_COMMANDS_CLASSIFY_H

#include <stdbool.h>

/* What would move with this model; changes nothing. Prints, and returns the exit code. */
int classify_compare(const char *model, const char *directory, bool json);

#endif
