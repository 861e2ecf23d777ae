/* hash_table.c: see hash_table.h. */
#include "hash_table.h"

#include <stdio.h>

err hash_table_open(struct hash_table *table, const struct model_file *file, const char *prefix,
                    struct error *error)
{
    char start_name[TENSOR_NAME_MAX];
    char tag_name[TENSOR_NAME_MAX];
    struct tensor start;
    struct tensor tag;
    (void)snprintf(start_name, sizeof start_name, "%s.start", prefix);
    (void)snprintf(tag_name, sizeof tag_name, "%s.tag", prefix);
    err e = model_file_tensor(file, start_name, TENSOR_U32, 1, (uint32_t[]){0}, &start, error);
    if (e == ERR_OK) {
        e = model_file_tensor(file, tag_name, TENSOR_U32, 1, (uint32_t[]){0}, &tag, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    const size_t buckets = start.count - 1;
    if (buckets < 2 || (buckets & (buckets - 1)) != 0) {
        return model_file_error(error, start_name, "has no power of two of buckets");
    }
    if (!model_file_ascending(start.data, start.count, (uint32_t)tag.count)) {
        return model_file_error(error, start_name, "does not ascend to the number of rows");
    }
    *table = (struct hash_table){
        .start = start.data, .tag = tag.data, .rows = (uint32_t)tag.count, .shift = 64};
    for (size_t left = buckets; left > 1; left /= 2) {
        table->shift--;
    }
    return ERR_OK;
}
