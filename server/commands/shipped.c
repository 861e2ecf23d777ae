#include "commands/shipped.h"

#include "embedded.h"

struct slice shipped_cohorts(void)
{
    return slice_from_cstr(embedded_topics);
}
