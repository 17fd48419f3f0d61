/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that start and end at once, one after the other.
 *
 *   starts RATE SECONDS
 *
 * Each is this program, executed anew. RATE 0: the next one starts when the last has ended. Prints
 * one JSON object; a latency runs from before the start to after the end.
 */
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define RATE_MAX 20000

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void one_process(void)
{
	char *words[] = { "starts", NULL };
	int error, status;
	pid_t pid;

	error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, words, environ);
	if (error || waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "starts: a process failed: %s\n", strerror(error ? error : errno));
		exit(1);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

static void report(uint32_t *latencies_ns, size_t n, double seconds)
{
	qsort(latencies_ns, n, sizeof(*latencies_ns), by_value);
	printf("{\"sent\": %zu, \"done\": %zu, \"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
	       n, n, n / seconds, n ? latencies_ns[(n - 1) / 2] / 1e3 : 0,
	       n ? latencies_ns[(n - 1) * 99 / 100] / 1e3 : 0);
}

int main(int argc, char **argv)
{
	uint64_t begin = now_ns(), before, end, rate;
	uint32_t *latencies_ns;
	size_t n = 0, max;
	double seconds;

	if (argc == 1)
		return 0;
	if (argc != 3) {
		fprintf(stderr, "usage: starts RATE SECONDS\n");
		return 2;
	}
	rate = strtoull(argv[1], NULL, 10);
	seconds = strtod(argv[2], NULL);
	max = (size_t)((double)(rate ? rate : RATE_MAX) * seconds);
	latencies_ns = calloc(max + 1, sizeof(*latencies_ns));
	if (!latencies_ns)
		return 1;
	prctl(PR_SET_TIMERSLACK, 1);
	end = begin + (uint64_t)(seconds * NS_PER_S);
	while ((before = now_ns()) < end && n < max) {
		one_process();
		latencies_ns[n++] = now_ns() - before;
		if (rate)
			sleep_until(begin + n * NS_PER_S / rate);
	}
	report(latencies_ns, n, (double)(now_ns() - begin) / NS_PER_S);
	free(latencies_ns);
	return 0;
}
