/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/text.h"

static const char *const ps_titles[] = { "PID",	      "RUNTIME", "SERVICE", "FROM",
					 "PROTOCOLS", "SPANS",	 "TRACED" };
#define PS_COLUMNS (sizeof(ps_titles) / sizeof(ps_titles[0]))

_Static_assert(PS_COLUMNS <= TABLE_COLUMNS_MAX, "table_print() has no room");

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static long long integer_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* "a,b" from an array of strings. */
static void join(const json_t *array, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "-");
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *item = json_string_value(json_array_get(array, i));
		int n = snprintf(text + used, size - used, "%s%s", used ? "," : "",
				 item ? item : "?");

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

/* "traced", and what is not as one would expect of it. */
static void state_text(const json_t *process, char *text, size_t size)
{
	const char *reason = json_string_value(json_object_get(process, "reason"));
	const char *sdk = json_string_value(json_object_get(process, "sdk"));
	const char *spans = string_of(process, "sdk_spans");
	int n = snprintf(text, size, "%s%s%s", string_of(process, "state"), reason ? ": " : "",
			 reason ? reason : "");

	if (!sdk || n < 0 || (size_t)n >= size)
		return;
	snprintf(text + n, size - (size_t)n, "%s SDK-instrumented (%s), its spans are %s",
		 reason ? ";" : ":", sdk,
		 strcmp(spans, "left") == 0 ? "left to it" : "made all the same (sdk.spans)");
}

static char *process_cell(const json_t *process, size_t column)
{
	char text[512];

	switch (column) {
	case 0:
		snprintf(text, sizeof(text), "%lld", integer_of(process, "pid"));
		break;
	case 1:
		snprintf(text, sizeof(text), "%s", string_of(process, "runtime"));
		break;
	case 2:
		snprintf(text, sizeof(text), "%s", string_of(process, "service"));
		break;
	case 3:
		snprintf(text, sizeof(text), "%s", string_of(process, "service_source"));
		break;
	case 4:
		join(json_object_get(process, "protocols"), text, sizeof(text));
		break;
	case 5:
		snprintf(text, sizeof(text), "%lld in, %lld out",
			 integer_of(process, "server_spans"), integer_of(process, "client_spans"));
		break;
	default:
		state_text(process, text, sizeof(text));
	}
	return strdup(text_defuse(text));
}

static void free_cells(char **cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(cells[i]);
	free(cells);
}

static int print_processes(FILE *out, const json_t *processes)
{
	size_t rows = json_array_size(processes) + 1, n = rows * PS_COLUMNS;
	char **cells = calloc(n, sizeof(*cells));
	bool complete = cells;

	for (size_t i = 0; cells && i < n; i++) {
		const json_t *process =
			i < PS_COLUMNS ? NULL : json_array_get(processes, i / PS_COLUMNS - 1);

		cells[i] = process ? process_cell(process, i % PS_COLUMNS)
				   : strdup(ps_titles[i % PS_COLUMNS]);
		complete = complete && cells[i];
	}
	if (complete)
		table_print(out, cells, rows, PS_COLUMNS);
	if (cells)
		free_cells(cells, n);
	return complete ? 0 : -ENOMEM;
}

/* Names, too, are the other end's. */
static void print_name(FILE *out, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s", name);
	fputs(text_defuse(text), out);
}

/* "a 1, b 2": the members that are not zero. Returns how many there were. */
static size_t print_counts(FILE *out, const char *start, json_t *counts)
{
	const char *key;
	size_t n = 0;
	json_t *value;

	json_object_foreach(counts, key, value)
	{
		if (json_integer_value(value) == 0)
			continue;
		fputs(n ? ", " : start, out);
		print_name(out, key);
		fprintf(out, " %lld", (long long)json_integer_value(value));
		n++;
	}
	return n;
}

/* "captured 3 = exported 1 + dropped 1 (queue_full 1) + open 1", and below what else is counted. */
static void print_counters(FILE *out, json_t *counters)
{
	static const char *const summands[] = { "captured", "exported", "open" };
	json_t *dropped = json_object_get(counters, "dropped"), *value;
	json_t *rest = json_copy(counters);
	long long sum = 0;
	const char *key;

	json_object_foreach(dropped, key, value)
	{
		sum += (long long)json_integer_value(value);
	}
	fprintf(out, "captured %lld = exported %lld + dropped %lld",
		integer_of(counters, "captured"), integer_of(counters, "exported"), sum);
	fputs(print_counts(out, " (", dropped) ? ")" : "", out);
	if (integer_of(counters, "open"))
		fprintf(out, " + open %lld", integer_of(counters, "open"));
	fputc('\n', out);
	for (size_t i = 0; i < sizeof(summands) / sizeof(summands[0]); i++)
		json_object_del(rest, summands[i]);
	json_object_del(rest, "dropped");
	if (print_counts(out, "also counted: ", rest))
		fputc('\n', out);
	json_object_foreach(rest, key, value)
	{
		if (!json_is_object(value))
			continue;
		print_name(out, key);
		fputs(print_counts(out, ": ", value) ? "\n" : ": nothing\n", out);
	}
	json_decref(rest);
}

static void print_hooks(FILE *out, json_t *hooks)
{
	const char *key;
	json_t *value;

	json_object_foreach(hooks, key, value)
	{
		_cleanup_free_ char *text =
			json_is_string(value) ? strdup(json_string_value(value))
					      : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		if (!text)
			continue;
		fputs("hook ", out);
		print_name(out, key);
		fprintf(out, ": %s\n", text_defuse(text));
	}
}

/* Told once there is something to tell: most wefts run as they were started. */
static void print_configuration(FILE *out, json_t *configuration)
{
	const char *needs_restart =
		json_string_value(json_object_get(configuration, "needs_restart"));
	long long reloads = integer_of(configuration, "reloads");

	if (reloads)
		fprintf(out, "configuration reloaded %lld times\n", reloads);
	if (!needs_restart)
		return;
	fputs("needs a restart: ", out);
	print_name(out, needs_restart);
	fputc('\n', out);
}

int ps_print(FILE *out, const json_t *answer)
{
	int r = print_processes(out, json_object_get(answer, "processes"));

	if (r < 0)
		return r;
	fputs("\nweft ", out);
	print_name(out, string_of(answer, "version"));
	fprintf(out, ", up %.0f s\n", json_number_value(json_object_get(answer, "uptime_s")));
	print_configuration(out, json_object_get(answer, "configuration"));
	print_hooks(out, json_object_get(answer, "hooks"));
	print_counters(out, json_object_get(answer, "counters"));
	return 0;
}

/* The daemon's answer, checked. NULL: it was told what is wrong with it. */
static json_t *ps_fetch(const char *path)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *data = NULL;
	const char *error;
	char text[512];
	json_t *answer;
	size_t size;
	int r = client_ask(path, "ps", &fd, text, sizeof(text));

	if (r < 0) {
		log_error("%s", text);
		return NULL;
	}
	r = client_read_all(fd, &data, &size);
	answer = r == 0 ? json_loadb(data, size, JSON_ALLOW_NUL, NULL) : NULL;
	error = json_string_value(json_object_get(answer, "error"));
	if (error)
		log_error("weft refused: %s", error);
	else if (r < 0)
		log_error("no answer from weft at %s: %s", path,
			  r == -EAGAIN ? "it took too long" : strerror(-r));
	else if (!answer)
		log_error("no answer from weft at %s: it closed the connection; is it stopping?",
			  path);
	if (error) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

int cli_ps(int argc, char **argv)
{
	_cleanup_(config_clear) struct config config = { 0 };
	int r = cli_load(&config, CONFIG_PS, argc, argv);
	json_t *answer;

	if (r != STATUS_OK)
		return r;
	answer = ps_fetch(config.socket);
	if (!answer)
		return STATUS_FAILURE;
	if (config.json)
		r = json_dumpf(answer, stdout, JSON_INDENT(2)) < 0 ? -EIO : 0;
	else
		r = ps_print(stdout, answer);
	if (r == 0 && config.json)
		putchar('\n');
	json_decref(answer);
	if (r < 0)
		log_error("cannot print the answer: %s", strerror(-r));
	return r < 0 ? STATUS_FAILURE : STATUS_OK;
}
