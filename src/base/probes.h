/* Probes for perf, bpftrace and SystemTap, of the provider "juggle": each is a nop and a note in the file, where
 * <sys/sdt.h> was there when this was built. Only where the arguments are at hand. */
#ifndef JUGGLE_BASE_PROBES_H
#define JUGGLE_BASE_PROBES_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define JG__PROBE2(name, a, b) DTRACE_PROBE2(juggle, name, a, b)
#define JG__PROBE3(name, a, b, c) DTRACE_PROBE3(juggle, name, a, b, c)
#else
#define JG__PROBE2(name, a, b) ((void)0)
#define JG__PROBE3(name, a, b, c) ((void)0)
#endif

#endif
