#include "posix/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>

void *jg__posix_real(void **found, const char *name)
{
    void *function = __atomic_load_n(found, __ATOMIC_RELAXED);
    if (function)
        return function;
    function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort(); /* a libc without it has nobody who calls it */
    __atomic_store_n(found, function, __ATOMIC_RELAXED);
    return function;
}

/* ---- Who calls ---- */

/* Where libjuggle is: it knows how to wait, and is not to be kept from it. */
static uintptr_t juggle_begin, juggle_end;

static int look_for_juggle(struct dl_phdr_info *object, size_t size, void *address)
{
    (void)size;
    uintptr_t begin = UINTPTR_MAX, end = 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        begin = start < begin ? start : begin;
        end = start + segment->p_memsz > end ? start + segment->p_memsz : end;
    }
    if ((uintptr_t)address < begin || (uintptr_t)address >= end)
        return 0;
    juggle_begin = begin;
    juggle_end = end;
    return 1;
}

static void find_juggle(void)
{
    dl_iterate_phdr(look_for_juggle, dlsym(RTLD_NEXT, "jg_may_wait"));
}

bool jg__posix_parks(const void *caller)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!jg_may_wait())
        return false;
    pthread_once(&once, find_juggle);
    return (uintptr_t)caller < juggle_begin || (uintptr_t)caller >= juggle_end;
}

bool jg__posix_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || flags & O_NONBLOCK;
}
