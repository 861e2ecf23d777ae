/* check.h: assertions that stay on in release builds.
 *
 * CHECK states something that only a bug in Kindred can make false. Outside input never reaches
 * one: it is tested with `if` and answered with an err. A failed CHECK prints where and aborts,
 * because a process that no longer believes its own state must not write to disk.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_CHECK_H
#define KINDRED_BASE_CHECK_H

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            check_failed(#condition, __FILE__, __LINE__, __func__);                                \
        }                                                                                          \
    } while (0)

/* The result must be looked at. */
#define MUST_USE __attribute__((warn_unused_result))

#define PRINTF_LIKE(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

__attribute__((noreturn, cold)) void check_failed(const char *condition, const char *file, int line,
                                                  const char *function);

#endif
