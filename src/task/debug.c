/* Debug mode: whether it is on. */
#include "task/debug.h"

#include "base/symbols.h"
#include "task/slow_step.h"

#include <juggle/debug.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

atomic_bool jg__debug_mode;
static atomic_bool decided; /* by jg_set_debug or by the environment */

void jg__debug_setup(void)
{
    const char *wish = getenv("JUGGLE_DEBUG");
    if (!atomic_exchange(&decided, true) && wish && *wish && strcmp(wish, "0") != 0)
        jg_set_debug(true);
}

int jg_set_debug(bool on)
{
    int saved = errno;
    atomic_store(&decided, true);
    atomic_store(&jg__debug_mode, on);
    int error = jg__slow_steps_watch(on);
    if (error)
        return jg_fail(error, "jg_set_debug: slow steps cannot be watched for: %s", strerror(error));
    errno = saved;
    return 0;
}

bool jg_get_debug(void)
{
    jg__debug_setup();
    return jg__debugging();
}

const char *jg__describe_calls(char *words, size_t size, void *const *addresses, size_t count)
{
    struct jg__symbols symbols;
    char name[JG__FUNCTION_SIZE];
    size_t used = 0;
    words[0] = '\0';
    jg__symbols_open(&symbols);
    for (size_t i = 0; i < count && used + JG__FUNCTION_SIZE + sizeof ", called by " < size; i++) {
        jg__function_name(&symbols, addresses[i], name);
        if (strcmp(name, "jg__task_entry") == 0)
            break;
        if (used > 0 || strncmp(name, "jg__", 4) != 0)
            used += (size_t)snprintf(words + used, size - used, "%s%s", used ? ", called by " : "", name);
    }
    jg__symbols_close(&symbols);
    return words;
}
