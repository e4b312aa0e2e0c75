/* Loaded before libc: kills the process at the KILL_AT-th operation that changes files, a write after half of its bytes; or
   lets every one from the FAIL_AT-th on fail with FAIL_ERRNO, as on a disk that is full or has become read-only. SLOW_MS makes
   every sync take so many milliseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long operations;

enum fate { PASSES, FAILS, ENDS };

static enum fate fate(void) {
    long now = atomic_fetch_add(&operations, 1) + 1;
    const char *kill_at = getenv("KILL_AT"), *fail_at = getenv("FAIL_AT"), *with = getenv("FAIL_ERRNO");
    if (kill_at != NULL && now == atol(kill_at)) return ENDS;
    if (fail_at == NULL || with == NULL || now < atol(fail_at)) return PASSES;
    errno = atoi(with);
    return FAILS;
}

/* Whether an operation fails. */
static int fails(void) {
    enum fate now = fate();
    if (now == ENDS) kill(getpid(), SIGKILL);
    return now == FAILS;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t count) {
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode)) {
        switch (fate()) {
        case PASSES: break;
        case FAILS: return -1;
        case ENDS:
            NEXT(write)(file, bytes, count / 2);
            kill(getpid(), SIGKILL);
        }
    }
    return NEXT(write)(file, bytes, count);
}

int rename(const char *from, const char *to) { return fails() ? -1 : NEXT(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    return fails() ? -1 : NEXT(renameat)(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return fails() ? -1 : NEXT(renameat2)(a, from, b, to, flags);
}
int unlink(const char *path) { return fails() ? -1 : NEXT(unlink)(path); }
int unlinkat(int directory, const char *path, int flags) {
    return fails() ? -1 : NEXT(unlinkat)(directory, path, flags);
}
int rmdir(const char *path) { return fails() ? -1 : NEXT(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { return fails() ? -1 : NEXT(mkdir)(path, mode); }
int fsync(int file) {
    const char *slow = getenv("SLOW_MS");
    if (slow != NULL) usleep(1000 * (useconds_t)atol(slow));
    return fails() ? -1 : NEXT(fsync)(file);
}
int ftruncate64(int file, off64_t length) { return fails() ? -1 : NEXT(ftruncate64)(file, length); }

#define OPEN(name)                                                     \
    int name(const char *path, int flags, ...) {                       \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;      \
        va_end(more);                                                  \
        if ((flags & O_CREAT) && fails()) return -1;                   \
        return NEXT(name)(path, flags, mode);                          \
    }
OPEN(open)
OPEN(open64)
