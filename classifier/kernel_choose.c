/* kernel_choose.c: which kernel runs on this machine. */
#include <string.h>

#include "base/check.h"
#include "kernel.h"

/* Slowest first. */
static const struct kernel *const kernels[] = {
    &kernel_portable,
#if defined(__x86_64__)
    &kernel_avx2,
    &kernel_avx512vnni,
#endif
};

static bool runs_here(const struct kernel *kernel)
{
#if defined(__x86_64__)
    if (kernel == &kernel_avx2) {
        return __builtin_cpu_supports("avx2");
    }
    if (kernel == &kernel_avx512vnni) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    }
#endif
    return kernel == &kernel_portable;
}

const struct kernel *kernel_choose(void)
{
    const struct kernel *best = &kernel_portable;
    for (size_t i = 0; i < ARRAY_COUNT(kernels); i++) {
        best = runs_here(kernels[i]) ? kernels[i] : best;
    }
    return best;
}

const struct kernel *kernel_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(kernels); i++) {
        if (strcmp(kernels[i]->name, name) == 0) {
            return runs_here(kernels[i]) ? kernels[i] : NULL;
        }
    }
    return NULL;
}
