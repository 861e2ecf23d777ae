/* model_choice.h: which trained model says what interests are about: the one built into the binary,
 * one from a file, or none (business rules and examples as they stand, nothing else).
 *
 * Threading: opened and closed on the main thread; what is in it is immutable, any thread. */
#ifndef KINDRED_COMMANDS_MODEL_CHOICE_H
#define KINDRED_COMMANDS_MODEL_CHOICE_H

#include "base/err.h"
#include "classifier/model.h"

struct model_choice {
    const struct classifier *classifier; /* NULL: none */
    struct model *model;                 /* NULL: none */
    void *block;                         /* the file's bytes */
};

/* `name`: NULL is the built-in one, "none" is none, anything else is a file. An error names it. */
err model_choice_open(const char *name, struct model_choice *out, struct error *error) MUST_USE;
/* Nothing may use it any more. */
void model_choice_close(struct model_choice *choice);

/* Room for the classifier to work in, and the aligned place in it. Owned by caller; freed with
 * memory_free(block). */
struct model_scratch {
    void *block;
    void *at;
};
bool model_scratch_make(const struct classifier *classifier, struct model_scratch *out) MUST_USE;

#endif
