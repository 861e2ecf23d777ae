/* Tries to break: decoding of a query string. What comes out is UTF-8 without NUL, no name is there
 * twice, and it does not depend on where the arena put it. */
#include "base/utf8.h"
#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct query query;
    struct error error = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    err e = query_parse(&arena, slice_of(data, size), "phrase,cohort", &query, &error);
    CHECK(e == ERR_OK || e == ERR_INVALID || e == ERR_MEMORY);
    for (size_t i = 0; e == ERR_OK && i < query.count; i++) {
        const struct query_parameter *one = &query.parameters[i];
        CHECK(utf8_valid(one->name, NULL) && utf8_valid(one->value, NULL));
        CHECK(one->name.length + one->value.length <= size);
        for (size_t other = 0; other < i; other++) {
            CHECK(!slice_equal(one->name, query.parameters[other].name));
        }
        uint64_t number = 0;
        err n = query_get_u64(&query, "limit", 1, 1000, 100, &number, &error);
        CHECK(n == ERR_INVALID || (number >= 1 && number <= 1000));
    }
    if (e == ERR_INVALID) {
        CHECK(error.code[0] != '\0' && error.position <= size &&
              utf8_valid(slice_from_cstr(error.message), NULL));
    }
    arena_deinit(&arena);
    return 0;
}
