/* model_fixture.h: the model file for tests, from KINDRED_MODEL_FILE (a path that the build knows);
 * tests that want it are skipped, with a line that says so, while there is none. */
#ifndef KINDRED_TESTS_UNIT_CLASSIFIER_MODEL_FIXTURE_H
#define KINDRED_TESTS_UNIT_CLASSIFIER_MODEL_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"

/* The file's bytes at a multiple of 64; {NULL, 0} when there is no file. free() the data. */
__attribute__((unused)) static struct slice model_fixture_load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return SLICE_NONE;
    }
    fseek(file, 0, SEEK_END);
    const size_t length = (size_t)ftell(file);
    rewind(file);
    char *data = aligned_alloc(64, (length + 64) / 64 * 64);
    const bool whole = data != NULL && fread(data, 1, length, file) == length;
    fclose(file);
    if (!whole) {
        free(data);
        return SLICE_NONE;
    }
    return slice_of(data, length);
}

/* The same, or the end of the program with a line for whoever reads the log. */
__attribute__((unused)) static struct slice model_fixture(void)
{
    const struct slice bytes = model_fixture_load(KINDRED_MODEL_FILE);
    if (bytes.data == NULL) {
        printf("skip: there is no model file at %s\n", KINDRED_MODEL_FILE);
        exit(77);
    }
    return bytes;
}

#endif
