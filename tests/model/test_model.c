/* Tries to find a sequence of operations after which the engine answers something else than the
 * rules say.
 *
 * Random records (late, doubled, conflicting, cleared), corrections, cohorts by rules, topics and
 * examples, feedback, verdicts that come with the record or later, quarantine, erasures and their
 * scrubbing, checkpoints, and starts with and without the newest checkpoint go to the engine on a
 * real folder and to the reference. One in WORLD_COMPARE operations everything is compared; a world
 * of some thousand operations is followed by a new one.
 *
 *   test_model [--operations N] [--seed S] [--world N] [--compare N] [--erase PER_MILLE] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "world.h"

static uint64_t number_after(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return strtoull(argv[i + 1], NULL, 10);
        }
    }
    return otherwise;
}

int main(int argc, char **argv)
{
    uint64_t seed = 0;
    random_fill(&system_random, &seed, sizeof seed);
    seed = number_after(argc, argv, "--seed", seed >> 16);
    uint64_t operations = number_after(argc, argv, "--operations", 20000);
    uint64_t of_a_world = number_after(argc, argv, "--world", 1500);
    uint64_t compare_every = number_after(argc, argv, "--compare", 25);
    struct stat memory;
    if (getenv("TMPDIR") == NULL && stat("/dev/shm", &memory) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* crashes are another test's */
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    static struct world world;
    uint64_t worlds = 0;
    uint64_t erased = 0;
    while (world.steps < operations) {
        world.erase_weight = (unsigned)number_after(argc, argv, "--erase", 25);
        uint64_t until = world.steps + of_a_world;
        world.classifier = worlds % 4 == 3 ? NULL : input_classifier();
        world_open(&world, seed + worlds++, NULL);
        while (world.steps < until && world.steps < operations &&
               world.ref.person_count < WORLD_PEOPLE_MAX) {
            world_step(&world);
            if (world.steps % compare_every == 0) {
                world_compare(&world);
            }
        }
        world_reopen(&world, true, false);
        world_compare(&world);
        world_verify(&world);
        erased += world.erased;
        world_close(&world);
    }
    printf("%" PRIu64 " operations, %" PRIu64 " records, %" PRIu64 " worlds, %" PRIu64
           " erasures, 0 differences\n",
           world.steps, world.records, worlds, erased);
    return 0;
}
