/* spelling.c: see spelling.h. */
#include "spelling.h"

size_t spelling_correct(const struct spelling *spelling, struct slice folded, char out[PHRASE_FOLD_MAX])
{
    (void)spelling;
    (void)folded;
    (void)out;
    return 0;
}
