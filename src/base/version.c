/* Which library this is. */
#include <juggle/common.h>

const char *jg_version(void)
{
    return JG_VERSION;
}
