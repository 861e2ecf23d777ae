/* Only what a signal handler may call: write, sigaction, raise, _exit. */
#include "checkpoint_guard.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "storage/checkpoint.h"

/* SIGFPE: a page size of 0. SIGABRT: an assertion of LMDB, or of malloc when a length in a page led
 * it astray. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
static struct sigaction before[ARRAY_COUNT(faults)];
static _Atomic int code_of_damage; /* 0: not installed */

_Thread_local const char *volatile checkpoint_guard_inside;

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static _Noreturn void end_as_damaged(const char *path, const char *what)
{
    say("kindred: ");
    say(path);
    say(" is damaged, or the disk does not give it back (");
    say(what);
    say("). Move this folder away and start again: it is rebuilt from the log\n");
    _exit(atomic_load(&code_of_damage));
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const char *path = checkpoint_guard_inside;
    /* One that somebody sent (kill -SEGV) says nothing about pages; abort sends its own. */
    const bool sent = info->si_code <= 0 && !(number == SIGABRT && info->si_pid == getpid());
    if (path != NULL && !sent) {
        end_as_damaged(path, number == SIGBUS    ? "bus error"
                             : number == SIGSEGV ? "segmentation fault"
                             : number == SIGFPE  ? "division"
                                                 : "assertion");
    }
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        if (faults[i] == number) {
            sigaction(number, &before[i], NULL);
        }
    }
    /* Back in the same instruction, it faults as it would have without us. What was sent, and
     * abort, are sent again. */
    if (sent || number == SIGABRT) {
        raise(number);
    }
}

void checkpoint_guard_install(int exit_code)
{
    if (atomic_exchange(&code_of_damage, exit_code) != 0) {
        return; /* what stood before us would be us */
    }
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
        sigemptyset(&action.sa_mask);
        sigaction(faults[i], &action, &before[i]);
    }
}

static void on_assertion(MDB_env *env, const char *text)
{
    (void)env;
    const char *path = checkpoint_guard_inside;
    if (path != NULL && atomic_load(&code_of_damage) != 0) {
        end_as_damaged(path, text);
    }
}

void checkpoint_guard_assertions(MDB_env *env)
{
    (void)mdb_env_set_assert(env, on_assertion);
}
