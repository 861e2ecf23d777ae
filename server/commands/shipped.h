/* shipped.h: classifier/topics.json, built into the binary.
 *
 * Threading: any; static. */
#ifndef KINDRED_COMMANDS_SHIPPED_H
#define KINDRED_COMMANDS_SHIPPED_H

#include "base/slice.h"

struct slice shipped_cohorts(void);

#endif
