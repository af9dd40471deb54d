/* blocking_libpq COUNT CONNECTION QUERY: as many connections and queries at once, each by PQconnectdb and PQexec in a
 * task of its own, which would block the thread if libjuggle-posix.so were not loaded. */
#include "support.h"

#include <errno.h>
#include <libpq-fe.h>

static char **words;

static int ask(void *arg)
{
    (void)arg;
    int result = 0;
    PGconn *connection = PQconnectdb(words[2]);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "connecting: %s", PQerrorMessage(connection));
        PQfinish(connection);
        return jg_fail(ENOTCONN, "no connection");
    }
    PGresult *answer = PQexec(connection, words[3]);
    if (PQresultStatus(answer) != PGRES_TUPLES_OK) {
        fprintf(stderr, "asking: %s", PQerrorMessage(connection));
        result = jg_fail(EIO, "no answer");
    }
    PQclear(answer);
    PQfinish(connection);
    return result;
}

static int amain(void *arg)
{
    (void)arg;
    return run_all(ask, NULL, atoi(words[1]));
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    words = argv;
    return jg_run(amain, NULL) ? 1 : 0;
}
