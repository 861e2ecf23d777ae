/* test.h: a unit test in twenty lines of macros.
 *
 *     static void test_reopen_keeps_entries(void) { EXPECT(1 + 1 == 2); }
 *     int main(void) { RUN(test_reopen_keeps_entries); return test_summary(); }
 *
 * A failed EXPECT is counted and the test goes on; a failed REQUIRE leaves the test function. Both
 * take an optional printf-style explanation. EXPECT may be used from several threads. */
#ifndef KINDRED_TESTS_UNIT_TEST_H
#define KINDRED_TESTS_UNIT_TEST_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

/* C17 wants an argument where `...` stands; C23 and both compilers do not. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

static atomic_uint test_failures_here; /* in the running test */
static unsigned test_passed;
static unsigned test_failed;

/* The condition is a text of its own and not part of the format: it may hold a percent sign. */
__attribute__((format(printf, 5, 6), unused)) static inline bool test_expect(
    bool holds, const char *file, int line, const char *wanted, const char *format, ...)
{
    if (!holds) {
        atomic_fetch_add(&test_failures_here, 1);
        va_list args;
        va_start(args, format);
        fprintf(stderr, "%s:%d: %s", file, line, wanted);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
    }
    return holds;
}

#define EXPECT(condition, ...)                                                                     \
    ((void)test_expect((condition), __FILE__, __LINE__, "expected " #condition, " " __VA_ARGS__))
#define REQUIRE(condition, ...)                                                                    \
    do {                                                                                           \
        if (!test_expect((condition), __FILE__, __LINE__, "required " #condition,                  \
                         " " __VA_ARGS__)) {                                                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define RUN(test) test_run(#test, test)

__attribute__((unused)) static inline void test_run(const char *name, void (*test)(void))
{
    atomic_store(&test_failures_here, 0);
    test();
    bool passed = atomic_load(&test_failures_here) == 0;
    printf("%s %s\n", passed ? "ok  " : "FAIL", name);
    fflush(stdout);
    test_passed += passed;
    test_failed += !passed;
}

__attribute__((unused)) static inline int test_summary(void)
{
    printf("%u passed, %u failed\n", test_passed, test_failed);
    return test_failed == 0 ? 0 : 1;
}

#endif
