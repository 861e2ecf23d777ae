/* matrix.h: an int8 matrix of the model file, in the order that the kernel wants.
 *
 * Threading: immutable, any thread. Failure: ERR_CORRUPT, ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_MATRIX_H
#define KINDRED_CLASSIFIER_MATRIX_H

#include "kernel.h"
#include "model_file.h"

/* From <name>.weight [rows][columns], <name>.scale and <name>.bias; rows 0: as many as there are.
 * What was made stays in *matrix to be given to matrix_close, also after a failure. */
err matrix_open(struct kernel_matrix *matrix, const struct model_file *file,
                const struct kernel *kernel, const char *name, size_t rows, size_t columns,
                struct error *error) MUST_USE;
void matrix_close(struct kernel_matrix *matrix);

#endif
