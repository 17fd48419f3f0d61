/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "attach/inserted.h"
#include "attach/loopback.h"
#include "attach/trial.h"
#include "base/clock.h"

/*
 * A check takes a millisecond, and those that move much take ten. The bounds are for connections
 * that come to a standstill, and for hosts where nobody gets on.
 */
#define CHECK_NS (1000 * NS_PER_MS)
#define MODE_NS	 (3000 * NS_PER_MS)

/* A run of the test. */
struct run {
	struct bench bench;
	struct selftest *test;
	enum wire_mode mode;
	uint64_t deadline_ns;
	int listeners[2]; /* IPv4; IPv6 or -errno */
};

static const char *const mode_names[] = {
	[WIRE_OFF] = "off",
	[WIRE_FULL] = "full",
	[WIRE_EARLY_LEAVE] = "early_leave",
	[WIRE_ENDING] = "ending",
};

const char *wire_mode_name(enum wire_mode mode)
{
	return mode_names[mode];
}

/* --- what follows from the checks --- */

static const struct selftest_check *find_outcome(const struct selftest *test, enum wire_mode mode,
						 bool option, enum check_outcome outcome)
{
	for (size_t i = 0; i < test->n_checks; i++) {
		const struct selftest_check *check = &test->checks[i];

		if (check->mode == mode && check->option == option && check->outcome == outcome)
			return check;
	}
	return NULL;
}

/* Why the mode is not to be taken, NULL: nothing speaks against it. */
static const struct selftest_check *objection(const struct selftest *test, enum wire_mode mode,
					      bool option)
{
	const struct selftest_check *check = find_outcome(test, mode, option, CHECK_BROKEN);

	return check ? check : find_outcome(test, mode, option, CHECK_WRONG);
}

static bool is_good(const struct selftest *test, enum wire_mode mode, bool option)
{
	return find_outcome(test, mode, option, CHECK_OK) && !objection(test, mode, option);
}

/* "FIONREAD: ...", behind what is there already. */
static void add_reason(char *reason, const char *start, const struct selftest_check *check)
{
	size_t used = strlen(reason);

	if (check)
		snprintf(reason + used, SELFTEST_REASON_MAX - used, "%s%s%s: %s", used ? "; " : "",
			 start, check->name, check->reason);
}

void selftest_decide(struct selftest *test)
{
	const struct selftest_check *full = objection(test, WIRE_FULL, false);
	const struct selftest_check *early = objection(test, WIRE_EARLY_LEAVE, false);
	bool broken = (full && full->outcome == CHECK_BROKEN) ||
		      (early && early->outcome == CHECK_BROKEN);

	test->mode = WIRE_OFF;
	if (is_good(test, WIRE_FULL, false))
		test->mode = WIRE_FULL;
	else if (!broken && is_good(test, WIRE_EARLY_LEAVE, false))
		test->mode = WIRE_EARLY_LEAVE;
	if (test->mode != WIRE_FULL) {
		add_reason(test->reason, "", full);
		if (test->mode == WIRE_OFF)
			add_reason(test->reason, "when leaving early, ", early);
	}
	test->tcp_option = is_good(test, test->mode, true);
	if (!test->tcp_option)
		add_reason(test->option_reason, "", objection(test, test->mode, true));
}

/* --- the checks --- */

/* The first thing that the two have seen differently becomes the reason. */
static int compare_notes(struct trial *trial, const struct trial *ordinary)
{
	for (size_t i = 0; i < trial->n_notes; i++) {
		const struct note *one = &trial->notes[i], *other = &ordinary->notes[i];

		if (i >= ordinary->n_notes || one->value != other->value)
			return trial_fail(trial, -EBADMSG, "%s: %lld, and %lld without weft",
					  one->what, one->value,
					  i < ordinary->n_notes ? other->value : 0);
	}
	return 0;
}

static int run_trial(struct run *run, const struct trial_kind *kind, bool ordinary,
		     struct trial *trial)
{
	*trial = (struct trial){ .bench = &run->bench, .mode = run->mode, .ordinary = ordinary };
	return trial_run(trial, kind, run->listeners[!!(kind->flags & TRIAL_F_IPV6)],
			 clock_monotonic_ns() + CHECK_NS);
}

static enum check_outcome run_kind(struct run *run, const struct trial_kind *kind, char *reason)
{
	struct trial ordinary = {}, trial = {};
	int r = 0;

	if (!(kind->flags & TRIAL_F_ALONE))
		r = run_trial(run, kind, true, &ordinary);
	if (r < 0) {
		snprintf(reason, SELFTEST_REASON_MAX, "%.150s (without weft, too)",
			 ordinary.reason);
		return CHECK_BROKEN;
	}
	r = run_trial(run, kind, false, &trial);
	if (r == 0 && !(kind->flags & TRIAL_F_ALONE))
		r = compare_notes(&trial, &ordinary);
	if (r == 0)
		r = trial_check_headers(&trial, kind);
	if (r == 0)
		return CHECK_OK;
	memcpy(reason, trial.reason, SELFTEST_REASON_MAX);
	return trial.broken ? CHECK_BROKEN : CHECK_WRONG;
}

static struct selftest_check *new_check(struct run *run, const char *name, bool option)
{
	struct selftest *test = run->test;
	struct selftest_check *check = &test->checks[test->n_checks];

	_Static_assert(SELFTEST_CHECKS_MAX >= 2 * 16, "every kind in two modes");
	if (test->n_checks < SELFTEST_CHECKS_MAX)
		test->n_checks++;
	else
		check--;
	*check = (struct selftest_check){ .name = name, .mode = run->mode, .option = option };
	return check;
}

static void note_broken(struct run *run, const char *name, bool option, const char *reason)
{
	struct selftest_check *check = new_check(run, name, option);

	check->outcome = CHECK_BROKEN;
	snprintf(check->reason, sizeof(check->reason), "%s", reason);
}

static void make_check(struct run *run, const struct trial_kind *kind)
{
	struct selftest_check *check = new_check(run, kind->name, kind->flags & TRIAL_F_OPTION);
	uint64_t start_ns = clock_monotonic_ns();

	if (kind->flags & TRIAL_F_IPV6 && run->listeners[1] < 0) {
		check->outcome = CHECK_SKIPPED;
		snprintf(check->reason, sizeof(check->reason), "%s", strerror(-run->listeners[1]));
		return;
	}
	check->outcome = run_kind(run, kind, check->reason);
	check->ns = clock_monotonic_ns() - start_ns;
}

/* Is there time for more checks in this mode, and has the last one not come to a standstill? */
static bool goes_on(const struct run *run)
{
	const struct selftest *test = run->test;
	const struct selftest_check *last = test->n_checks ? &test->checks[test->n_checks - 1]
							   : NULL;

	return clock_monotonic_ns() < run->deadline_ns &&
	       (!last || last->mode != run->mode || last->ns < CHECK_NS);
}

/* The checks of the mode that are heavy, or those that are not. */
static void check_mode(struct run *run, bool heavy)
{
	for (size_t i = 0; i < n_trial_kinds; i++) {
		const struct trial_kind *kind = &trial_kinds[i];

		if (kind->flags & TRIAL_F_OPTION || !!(kind->flags & TRIAL_F_HEAVY) != heavy)
			continue;
		if (goes_on(run)) {
			make_check(run, kind);
			continue;
		}
		/* a standstill has been told of; but what is slow only is not known to be right */
		if (!objection(run->test, run->mode, false))
			note_broken(run, kind->name, false, "no time was left, this host is busy");
		return;
	}
}

static void check_the_option(struct run *run)
{
	for (size_t i = 0; i < n_trial_kinds; i++)
		if (trial_kinds[i].flags & TRIAL_F_OPTION)
			make_check(run, &trial_kinds[i]);
}

static void enter_mode(struct run *run, enum wire_mode mode)
{
	run->mode = mode;
	run->deadline_ns = clock_monotonic_ns() + MODE_NS;
}

/* Those checks that move much are made only where nothing else is wrong. */
static bool try_mode(struct run *run, enum wire_mode mode)
{
	enter_mode(run, mode);
	check_mode(run, false);
	if (!objection(run->test, mode, false))
		check_mode(run, true);
	return !objection(run->test, mode, false);
}

static bool is_broken(const struct selftest *test)
{
	return find_outcome(test, WIRE_FULL, false, CHECK_BROKEN);
}

static void make_checks(struct run *run, const struct selftest_options *options)
{
	bool good = options->headers && try_mode(run, WIRE_FULL);

	if (options->headers && !good && !is_broken(run->test))
		good = try_mode(run, WIRE_EARLY_LEAVE);
	if (!good)
		enter_mode(run, WIRE_OFF);
	if (options->tcp_option)
		check_the_option(run);
}

/* --- around them --- */

/* Something that all checks need is missing. */
static void give_up(struct run *run, const struct selftest_options *options, const char *name,
		    int r)
{
	run->mode = WIRE_FULL;
	if (options->headers)
		note_broken(run, name, false, strerror(-r));
	run->mode = WIRE_OFF;
	if (options->tcp_option)
		note_broken(run, name, true, strerror(-r));
}

static void run_all(struct run *run, const struct selftest_options *options)
{
	const struct selftest_kernel *kernel = &options->kernel;
	int r = loopback_listen(AF_INET, &run->listeners[0]);

	if (r < 0) {
		give_up(run, options, "a socket that listens on 127.0.0.1", r);
		return;
	}
	r = loopback_listen(AF_INET6, &run->listeners[1]);
	if (r < 0)
		run->listeners[1] = r;
	make_checks(run, options);
	kernel->set(kernel->context, WIRE_OFF, false);
	close(run->listeners[0]);
	if (run->listeners[1] >= 0)
		close(run->listeners[1]);
}

void selftest_run(const struct selftest_options *options, struct selftest *ret_test)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t start_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct run run = { .test = ret_test };
	int r;

	*ret_test = (struct selftest){ .mode = WIRE_OFF };
	if (!options->headers && !options->tcp_option)
		return;
	r = bench_init(&run.bench, options);
	if (r < 0)
		give_up(&run, options, "memory", r);
	else
		run_all(&run, options);
	bench_clear(&run.bench);
	selftest_decide(ret_test);
	ret_test->ns = clock_monotonic_ns() - start_ns;
	ret_test->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_cpu_ns;
}
