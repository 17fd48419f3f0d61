/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/totals.h"

#include <stdbool.h>
#include <stdio.h>

static const char *const drop_names[DROP_MAX] = {
#define DROP(constant, name, what) [DROP_##constant] = name,
#include "stats/drops.def"
#undef DROP
};

static const char *const kernel_names[STAT_MAX] = {
#define STAT(constant, name, what) [STAT_##constant] = name,
#define LOSS(constant, name, what) [STAT_##constant] = name,
#include "bpf/abi/stats.def"
#undef STAT
#undef LOSS
};

const char *drop_reason_name(enum drop_reason reason)
{
	return drop_names[reason];
}

uint64_t totals_dropped(const struct totals *totals)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < DROP_MAX; i++)
		sum += totals->dropped[i];
	return sum;
}

uint64_t totals_open(const struct totals *totals)
{
	uint64_t over = totals->exported + totals_dropped(totals);

	return totals->captured > over ? totals->captured - over : 0;
}

/* Appends to a text that is cut at its end. */
static size_t append(char *text, size_t size, size_t used, const char *name, uint64_t value)
{
	int n;

	if (used >= size)
		return used;
	n = snprintf(text + used, size - used, "%s%llu", name, (unsigned long long)value);
	return n < 0 ? used : used + (size_t)n;
}

const char *totals_line(const struct totals *totals, char *text, size_t size)
{
	const char *separator = " (";
	char name[64];
	size_t used = append(text, size, 0, "captured ", totals->captured);

	used = append(text, size, used, " = exported ", totals->exported);
	used = append(text, size, used, " + dropped ", totals_dropped(totals));
	for (size_t i = 0; i < DROP_MAX; i++) {
		if (!totals->dropped[i])
			continue;
		snprintf(name, sizeof(name), "%s%s ", separator, drop_names[i]);
		used = append(text, size, used, name, totals->dropped[i]);
		separator = ", ";
	}
	if (totals_dropped(totals) && used < size)
		used += (size_t)snprintf(text + used, size - used, ")");
	if (totals_open(totals))
		append(text, size, used, " + open ", totals_open(totals));
	return text;
}

const char *totals_losses(const struct totals *totals, char *text, size_t size)
{
	static const bool is_loss[STAT_MAX] = {
#define STAT(constant, name, what) [STAT_##constant] = false,
#define LOSS(constant, name, what) [STAT_##constant] = true,
#include "bpf/abi/stats.def"
#undef STAT
#undef LOSS
	};
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < STAT_MAX; i++) {
		if (!is_loss[i] || !totals->kernel[i])
			continue;
		if (used && used < size)
			used += (size_t)snprintf(text + used, size - used, ", ");
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s ", kernel_names[i]);
		used = append(text, size, used, "", totals->kernel[i]);
	}
	if (totals->missed && used < size)
		append(text, size, used, used ? ", missed_program_runs " : "missed_program_runs ",
		       totals->missed);
	return text;
}

static json_t *counts_json(const char *const *names, const uint64_t *values, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < n; i++)
		json_object_set_new(object, names[i], json_integer((json_int_t)values[i]));
	return object;
}

json_t *totals_json(const struct totals *totals)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I}", "captured",
			 (json_int_t)totals->captured, "exported", (json_int_t)totals->exported,
			 "open", (json_int_t)totals_open(totals), "dropped",
			 counts_json(drop_names, totals->dropped, DROP_MAX), "kernel",
			 counts_json(kernel_names, totals->kernel, STAT_MAX), "missed_program_runs",
			 (json_int_t)totals->missed, "pipeline_restarts",
			 (json_int_t)totals->restarts, "bad_records",
			 (json_int_t)totals->bad_records, "unmatched_records",
			 (json_int_t)totals->unmatched_records);
}
