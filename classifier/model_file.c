/* model_file.c: see model_file.h. */
#include "model_file.h"

#include "base/bytes.h"
#include "base/hash.h"

enum { HEADER_BYTES = 24, DESCRIPTOR_BYTES = 64, TENSOR_ALIGNMENT = 64 };

struct descriptor {
    const char *name;
    uint8_t type;
    uint8_t rank;
    uint32_t shape[TENSOR_RANK_MAX];
    uint64_t offset;
    uint64_t count;
};

err model_file_error(struct error *error, const char *name, const char *what)
{
    return error_set(error, ERR_CORRUPT, "model_corrupt", 0, "the model file's %.32s %s", name,
                     what);
}

static size_t element_bytes(uint8_t type)
{
    return type == TENSOR_U8 || type == TENSOR_I8 ? 1 : 4;
}

static bool all_zero(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static struct descriptor read_descriptor(struct slice file, uint32_t number)
{
    const char *at = file.data + HEADER_BYTES + (size_t)number * DESCRIPTOR_BYTES;
    struct descriptor d = {
        .name = at, .type = (uint8_t)at[32], .rank = (uint8_t)at[33], .offset = load_u64(at + 56)};
    d.count = 1;
    for (size_t i = 0; i < TENSOR_RANK_MAX; i++) {
        d.shape[i] = load_u32(at + 40 + 4 * i);
        /* Stays in bounds: a file of this length has no use for larger counts. */
        d.count = d.count <= file.length ? d.count * d.shape[i] : d.count;
    }
    return d;
}

static bool name_is_sound(const char *name)
{
    const size_t length = strnlen(name, TENSOR_NAME_MAX);
    return length > 0 && length < TENSOR_NAME_MAX &&
           all_zero(name + length, TENSOR_NAME_MAX - length);
}

static bool floats_are_finite(const void *data, uint64_t count)
{
    const uint32_t *bits = data;
    for (uint64_t i = 0; i < count; i++) {
        if ((bits[i] & 0x7F800000) == 0x7F800000) {
            return false;
        }
    }
    return true;
}

static err check_descriptor(const struct model_file *file, uint32_t number, struct error *error)
{
    const struct descriptor d = read_descriptor(file->bytes, number);
    const size_t tensors_from = HEADER_BYTES + (size_t)file->tensor_count * DESCRIPTOR_BYTES;
    if (!name_is_sound(d.name) || !all_zero(d.name + 34, 6)) {
        return error_set(error, ERR_CORRUPT, "model_corrupt", number,
                         "descriptor %u of the model file is damaged", number);
    }
    if (d.type < TENSOR_U8 || d.type > TENSOR_F32 || d.rank < 1 || d.rank > TENSOR_RANK_MAX ||
        d.count == 0) {
        return model_file_error(error, d.name, "has no such type or shape");
    }
    for (size_t i = d.rank; i < TENSOR_RANK_MAX; i++) {
        if (d.shape[i] != 1) {
            return model_file_error(error, d.name, "has more dimensions than its rank");
        }
    }
    if (d.offset % TENSOR_ALIGNMENT != 0 || d.offset < tensors_from ||
        d.offset > file->bytes.length ||
        d.count > (file->bytes.length - d.offset) / element_bytes(d.type)) {
        return model_file_error(error, d.name, "lies outside of the file");
    }
    if (d.type == TENSOR_F32 && !floats_are_finite(file->bytes.data + d.offset, d.count)) {
        return model_file_error(error, d.name, "holds what is not a number");
    }
    for (uint32_t other = 0; other < number; other++) {
        if (memcmp(read_descriptor(file->bytes, other).name, d.name, TENSOR_NAME_MAX) == 0) {
            return model_file_error(error, d.name, "is there twice");
        }
    }
    return ERR_OK;
}

err model_file_open(struct slice bytes, struct model_file *out, struct error *error)
{
    CHECK((uintptr_t)bytes.data % MODEL_FILE_ALIGNMENT == 0);
    *out = (struct model_file){.bytes = bytes};
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        return error_set(error, ERR_UNSUPPORTED, "model_unsupported", 0,
                         "the model runs on little-endian machines only");
    }
    if (bytes.length < HEADER_BYTES || memcmp(bytes.data, "KNDRMDL1", 8) != 0) {
        return error_set(error, ERR_CORRUPT, "model_corrupt", 0,
                         "this is no model file of version 1");
    }
    out->tensor_count = load_u32(bytes.data + 8);
    out->digest = load_u64(bytes.data + 16);
    if (!all_zero(bytes.data + 12, 4) || out->tensor_count == 0 ||
        out->tensor_count > TENSORS_MAX ||
        out->tensor_count > (bytes.length - HEADER_BYTES) / DESCRIPTOR_BYTES) {
        return error_set(error, ERR_CORRUPT, "model_corrupt", 0,
                         "the model file's header is damaged");
    }
    if (hash64(slice_of(bytes.data + HEADER_BYTES, bytes.length - HEADER_BYTES), 0) !=
        out->digest) {
        return error_set(error, ERR_CORRUPT, "model_corrupt", 0,
                         "the model file is damaged or cut: its digest does not match");
    }
    err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < out->tensor_count; i++) {
        e = check_descriptor(out, i, error);
    }
    return e;
}

err model_file_tensor(const struct model_file *file, const char *name, enum tensor_type type,
                      unsigned rank, const uint32_t *shape, struct tensor *out, struct error *error)
{
    for (uint32_t i = 0; i < file->tensor_count; i++) {
        const struct descriptor d = read_descriptor(file->bytes, i);
        if (strcmp(d.name, name) != 0) {
            continue;
        }
        bool fits = d.type == type && d.rank == rank;
        for (size_t k = 0; k < rank; k++) {
            fits = fits && (shape[k] == 0 || shape[k] == d.shape[k]);
        }
        if (!fits) {
            return model_file_error(error, name,
                                    "has another type or shape than this version of Kindred reads");
        }
        *out = (struct tensor){.data = file->bytes.data + d.offset, .count = (size_t)d.count};
        memcpy(out->shape, d.shape, sizeof out->shape);
        return ERR_OK;
    }
    return model_file_error(error, name, "is missing");
}

err model_file_floats(const struct model_file *file, const char *name, size_t rows, size_t columns,
                      const float **out, struct error *error)
{
    struct tensor tensor;
    const uint32_t shape[] = {(uint32_t)rows, (uint32_t)columns};
    err e = rows == 0 ? model_file_tensor(file, name, TENSOR_F32, 1, shape + 1, &tensor, error)
                      : model_file_tensor(file, name, TENSOR_F32, 2, shape, &tensor, error);
    *out = e == ERR_OK ? tensor.data : NULL;
    return e;
}

bool model_file_ascending(const uint32_t *numbers, size_t count, uint32_t last)
{
    for (size_t i = 1; i < count; i++) {
        if (numbers[i] < numbers[i - 1]) {
            return false;
        }
    }
    return count > 0 && numbers[count - 1] == last;
}
