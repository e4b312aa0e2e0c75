/* Loaded before libc: kills the process at the KILL_AT-th operation that changes files, a write after half of its bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long operations;

static int is_last(void) {
    const char *at = getenv("KILL_AT");
    return at != NULL && atomic_fetch_add(&operations, 1) + 1 == atol(at);
}

static void step(void) {
    if (is_last()) kill(getpid(), SIGKILL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t count) {
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && is_last()) {
        NEXT(write)(file, bytes, count / 2);
        kill(getpid(), SIGKILL);
    }
    return NEXT(write)(file, bytes, count);
}

int rename(const char *from, const char *to) { step(); return NEXT(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) { step(); return NEXT(renameat)(a, from, b, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    step();
    return NEXT(renameat2)(a, from, b, to, flags);
}
int unlink(const char *path) { step(); return NEXT(unlink)(path); }
int unlinkat(int directory, const char *path, int flags) { step(); return NEXT(unlinkat)(directory, path, flags); }
int rmdir(const char *path) { step(); return NEXT(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { step(); return NEXT(mkdir)(path, mode); }
int fsync(int file) { step(); return NEXT(fsync)(file); }

#define OPEN(name)                                                     \
    int name(const char *path, int flags, ...) {                       \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;      \
        va_end(more);                                                  \
        if (flags & O_CREAT) step();                                   \
        return NEXT(name)(path, flags, mode);                          \
    }
OPEN(open)
OPEN(open64)
