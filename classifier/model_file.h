/* model_file.h: the tensors of a model file (format: classifier/model.h), checked before anybody
 * reads them.
 *
 * Threading: any. Tensors are borrowed from the file's bytes. Failure: ERR_CORRUPT with error
 * naming the tensor. */
#ifndef KINDRED_CLASSIFIER_MODEL_FILE_H
#define KINDRED_CLASSIFIER_MODEL_FILE_H

#include "base/err.h"
#include "base/slice.h"

enum tensor_type { TENSOR_U8 = 1, TENSOR_I8 = 2, TENSOR_U32 = 3, TENSOR_F32 = 4 };
enum { TENSOR_RANK_MAX = 4, TENSOR_NAME_MAX = 32, TENSORS_MAX = 256, MODEL_FILE_ALIGNMENT = 4 };

struct tensor {
    const void *data;
    size_t count; /* of elements */
    uint32_t shape[TENSOR_RANK_MAX];
};

struct model_file {
    struct slice bytes;
    uint32_t tensor_count;
    uint64_t digest;
};

/* bytes.data is at a multiple of MODEL_FILE_ALIGNMENT. Floats are finite once this says yes. */
err model_file_open(struct slice bytes, struct model_file *out, struct error *error) MUST_USE;

/* The tensor of this name, type, rank and shape [rank]; 0 in `shape` stands for any. */
err model_file_tensor(const struct model_file *file, const char *name, enum tensor_type type,
                      unsigned rank, const uint32_t *shape, struct tensor *out,
                      struct error *error) MUST_USE;

/* The floats of a tensor of exactly this shape, [rows][columns]; rows 0: [columns]. */
err model_file_floats(const struct model_file *file, const char *name, size_t rows, size_t columns,
                      const float **out, struct error *error) MUST_USE;

/* ERR_CORRUPT, "the model file's <name> <what>". */
err model_file_error(struct error *error, const char *name, const char *what);

/* Ascending, none above `last`; the last one equal to it. */
bool model_file_ascending(const uint32_t *numbers, size_t count, uint32_t last);

#endif
