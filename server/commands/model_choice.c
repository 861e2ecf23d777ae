#include "commands/model_choice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 };
static const long MODEL_BYTES_MAX = 1024L * 1024 * 1024;

/* classifier/model/: the shipped model's bytes; a tree without its file is built without one. */
#ifdef KINDRED_HAS_MODEL
extern const unsigned char kindred_model_start[];
extern const unsigned char kindred_model_end[];

static struct slice built_in(void)
{
    return slice_of((const char *)kindred_model_start,
                    (size_t)(kindred_model_end - kindred_model_start));
}
#else
static struct slice built_in(void)
{
    return SLICE_NONE;
}
#endif

static void *aligned(void *block)
{
    return (void *)(((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static err read_file(const char *path, struct model_choice *out, struct slice *bytes,
                     struct error *error)
{
    FILE *file = fopen(path, "re");
    long length = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        length = ftell(file);
    }
    err e = ERR_OK;
    if (length < 0 || length > MODEL_BYTES_MAX) {
        e = error_set(error, ERR_NOT_FOUND, "model_unreadable", 0,
                      "Cannot read the model '%s': %s.", path,
                      length > MODEL_BYTES_MAX ? "it is over 1 GiB" : strerror(errno));
    } else if ((out->block = memory_alloc((size_t)length + ALIGNMENT)) == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the model '%s'.", path);
    } else {
        char *at = aligned(out->block);
        rewind(file);
        if (fread(at, 1, (size_t)length, file) != (size_t)length) {
            e = error_set(error, ERR_NOT_FOUND, "model_unreadable", 0,
                          "Cannot read all of the model '%s'.", path);
        }
        *bytes = slice_of(at, (size_t)length);
    }
    if (file != NULL) {
        fclose(file);
    }
    return e;
}

err model_choice_open(const char *name, struct model_choice *out, struct error *error)
{
    *out = (struct model_choice){0};
    struct slice bytes = built_in();
    if (name != NULL ? strcmp(name, "none") == 0 : bytes.data == NULL) {
        return ERR_OK;
    }
    err e = name != NULL ? read_file(name, out, &bytes, error) : ERR_OK;
    struct error why = {0};
    if (e == ERR_OK && (e = model_open(bytes, &out->model, &why)) != ERR_OK) {
        /* Not ERR_CORRUPT: nothing of the data folder is. */
        e = error_set(error, e == ERR_MEMORY ? e : ERR_INVALID, "model_invalid", 0,
                      "%s%s%s is not a usable model: %s", name != NULL ? "'" : "The built-in model",
                      name != NULL ? name : "", name != NULL ? "'" : "", why.message);
    }
    if (e != ERR_OK) {
        model_choice_close(out);
        return e;
    }
    out->classifier = model_classifier(out->model);
    return ERR_OK;
}

void model_choice_close(struct model_choice *choice)
{
    if (choice->model != NULL) {
        model_close(choice->model);
    }
    memory_free(choice->block);
    *choice = (struct model_choice){0};
}

bool model_scratch_make(const struct classifier *classifier, struct model_scratch *out)
{
    out->block = memory_alloc(classifier->scratch_bytes + ALIGNMENT);
    out->at = out->block != NULL ? aligned(out->block) : NULL;
    return out->block != NULL;
}
