// libpq for Swift, and inline C for the macros and system calls that Swift cannot see.
#ifndef SLUICE_CLIBPQ_SHIM_H
#define SLUICE_CLIBPQ_SHIM_H

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The fields of an error are character constants.
enum {
    SLUICE_DIAG_SEVERITY = PG_DIAG_SEVERITY_NONLOCALIZED,
    SLUICE_DIAG_SQLSTATE = PG_DIAG_SQLSTATE,
    SLUICE_DIAG_MESSAGE = PG_DIAG_MESSAGE_PRIMARY,
    SLUICE_DIAG_DETAIL = PG_DIAG_MESSAGE_DETAIL,
    SLUICE_DIAG_HINT = PG_DIAG_MESSAGE_HINT,
};

// eventfd(2): a counter that poll can wait for.
static inline int sluice_eventfd(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

// pidfd_open(2): readable once the process has ended, whether or not it is a child. glibc 2.35 has
// no wrapper.
static inline int sluice_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

// pidfd_send_signal(2): unlike kill(2) it can't reach a stranger that got the number later.
static inline int sluice_pidfd_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, 0);
}

// glibc 2.29 and 2.34 have these; its headers show them to GNU C only.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

// prctl(2) is variadic. The name is for ps and debuggers, so it does not matter whether this works.
static inline void sluice_name_thread(const char *name) {
    (void)prctl(PR_SET_NAME, name);
}

#endif
