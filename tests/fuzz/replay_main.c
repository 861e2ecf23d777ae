/*
 * Replays a fuzzer's corpus without libFuzzer, with any compiler: every file of every folder given
 * as an argument goes once through LLVMFuzzerTestOneInput(), in the order of the names, after the
 * empty input. The name is printed before the run, so the last line names the input that broke.
 *
 * An input is copied into an allocation of exactly its size: AddressSanitizer and valgrind then see
 * a read past its end.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);
/* A fuzzer may have one; libFuzzer calls it first. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A corpus is of small files; more than this is a mistake in the folder. */
static const int64_t input_bytes_max = INT64_C(16) << 20;

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void run_input(const uint8_t *data, size_t size_bytes)
{
    if (LLVMFuzzerTestOneInput(data, size_bytes) > 0) {
        fprintf(stderr, "replay: the fuzzer returned an invalid value\n");
        exit(1);
    }
}

static void run_file(const char *path, int64_t size_bytes)
{
    if (size_bytes > input_bytes_max) {
        fprintf(stderr, "replay: %s has %" PRId64 " bytes, the limit is %" PRId64 "\n", path,
                size_bytes, input_bytes_max);
        exit(1);
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail("cannot open", path);
    }
    const size_t length_bytes = (size_t)size_bytes;
    uint8_t *data = malloc(length_bytes > 0 ? length_bytes : 1);
    if (data == NULL) {
        fail("no memory for", path);
    }
    if (fread(data, 1, length_bytes, file) != length_bytes) {
        fail("cannot read", path);
    }
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    run_input(data, length_bytes);
    free(data);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static size_t run_folder(const char *folder)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_visible, alphasort);
    if (count < 0) {
        fail("cannot list", folder);
    }
    size_t files = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        struct stat info;
        if (length < 0 || (size_t)length >= sizeof path || stat(path, &info) != 0) {
            fail("cannot look at", entries[i]->d_name);
        }
        if (S_ISREG(info.st_mode)) {
            run_file(path, (int64_t)info.st_size);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    return files;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    uint8_t *empty = malloc(1);
    if (empty == NULL) {
        fail("no memory for", "the empty input");
    }
    printf("(empty input)\n");
    fflush(stdout);
    run_input(empty, 0);
    free(empty);

    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        files += run_folder(argv[i]);
    }
    printf("%zu files replayed\n", files);
    if (files == 0) {
        /* A corpus folder that was moved must not look like a pass. */
        fprintf(stderr, "replay: no corpus file found\n");
        return 1;
    }
    return 0;
}
