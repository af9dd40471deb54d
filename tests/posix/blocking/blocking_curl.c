/* blocking_curl COUNT URL [SECONDS]: as many transfers at once, each by curl_easy_perform in a task of its own, which
 * would block the thread if libjuggle-posix.so were not loaded. With SECONDS they have no more time than that. */
#include "support.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static double seconds = INFINITY;

static size_t count_bytes(char *data, size_t size, size_t count, void *total)
{
    (void)data;
    *(size_t *)total += size * count;
    return size * count;
}

static int transfer(void *url)
{
    size_t total = 0;
    CURL *curl = curl_easy_init();
    if (!curl)
        return jg_fail(ENOMEM, "curl_easy_init");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &total);
    JG_TIMEOUT(deadline, seconds);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK && total > 0)
        return 0;
    return jg_fail(EIO, "%s: %s", (char *)url, curl_easy_strerror(code));
}

static char **words;

static int amain(void *arg)
{
    (void)arg;
    return run_all(transfer, words[2], atoi(words[1]));
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    words = argv;
    if (argc > 3)
        seconds = atof(argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = jg_run(amain, NULL);
    curl_global_cleanup();
    return failed ? 1 : 0;
}
