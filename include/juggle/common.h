/* What every other header needs: visibility, attributes, versions, option structs and scope-bound objects. */
#ifndef JUGGLE_COMMON_H
#define JUGGLE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define JG_BEGIN extern "C" {
#define JG_END }
#else
#define JG_BEGIN
#define JG_END
#endif

/* Public symbols; everything else in the library is hidden. */
#define JG_API __attribute__((visibility("default")))

/* The result tells whether anything happened at all; ignoring it is a bug. */
#define JG_MUST_USE __attribute__((warn_unused_result))

/* The arguments are checked like those of printf. */
#define JG_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

/* The version of these headers; jg_version() is that of the library that is linked. */
#define JG_VERSION_MAJOR 0
#define JG_VERSION_MINOR 1
#define JG_VERSION_PATCH 0
#define JG_VERSION "0.1.0"
#define JG_VERSION_NUMBER (JG_VERSION_MAJOR * 10000 + JG_VERSION_MINOR * 100 + JG_VERSION_PATCH)

/* Option structs start with their own size, so that a program built against an older header keeps working. The macros
 * that take options as designated initialisers set it; whoever fills one by hand sets it to sizeof the struct. A name
 * that ends in _with takes the struct (NULL: all defaults): for C++, and for bindings from other languages. */
#define JG_OPTIONS(type, ...) (&(type){.size = sizeof(type), __VA_ARGS__})

/* Binds an object to its scope: `jg_autoptr(jg_stream) s = jg_open_connection(...);` closes s however the block is
 * left. The waits of that clean-up are shielded from cancellation and deadlines for at most 1 second. It keeps errno
 * and the error text, whatever fails in it: `return jg_fail(EPROTO, "no greeting")` arrives as it was said. So do all
 * the scopes of this library: jg_autogroup, JG_LOCKED, JG_TIMEOUT... */
#define jg_autoptr(type) __attribute__((cleanup(type##_autoptr), unused)) type *

JG_BEGIN

/* The version of the linked library, such as "0.1.0". Never waits. */
JG_API const char *jg_version(void);

JG_END

#endif
