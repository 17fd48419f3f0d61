/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tail.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "export/line.h"
#include "span/semconv.h"

static struct view member(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);

	return (struct view){ json_string_value(text), json_string_length(text) };
}

/* RFC 3339 in UTC with milliseconds; 0 when it is something else. */
static uint64_t time_of(const json_t *span)
{
	const char *text = json_string_value(json_object_get(span, "time"));
	struct tm utc = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
	time_t seconds = rest ? timegm(&utc) : 0;

	if (!rest || *rest != '.' || seconds < 0)
		return 0;
	return (uint64_t)seconds * NS_PER_SEC + strtoul(rest + 1, NULL, 10) % 1000 * NS_PER_MS;
}

/* Index of the member's text in names[], or `fallback`. */
static size_t word_of(const json_t *span, const char *key, const char *const *names, size_t n,
		      size_t fallback)
{
	struct view text = member(span, key);

	for (size_t i = 0; i < n; i++)
		if (names[i] && view_equal(text, view_of(names[i])))
			return i;
	return fallback;
}

static void trace_of(const json_t *span, uint8_t *trace_id)
{
	struct view text = member(span, "trace_id");

	for (size_t i = 0; i < TRACE_ID_LEN && 2 * i + 1 < text.len; i++) {
		char digits[3] = { text.data[2 * i], text.data[2 * i + 1], '\0' };

		trace_id[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

/* The object as the exporter to standard output would show it. Views are the object's. */
static void line_of_object(const json_t *span, struct line *ret_line)
{
	static const char *const kinds[] = {
		[SPAN_KIND_INTERNAL] = "internal", [SPAN_KIND_SERVER] = "server",
		[SPAN_KIND_CLIENT] = "client",	   [SPAN_KIND_PRODUCER] = "producer",
		[SPAN_KIND_CONSUMER] = "consumer",
	};
	static const char *const statuses[] = {
		[SPAN_STATUS_UNSET] = "unset",
		[SPAN_STATUS_OK] = "ok",
		[SPAN_STATUS_ERROR] = "error",
	};
	const json_t *attributes = json_object_get(span, "attributes");
	json_int_t duration = json_integer_value(json_object_get(span, "duration_ns"));
	json_int_t code = json_integer_value(json_object_get(span, "status_code"));

	*ret_line = (struct line){
		.start_ns = time_of(span),
		.duration_ns = duration > 0 ? (uint64_t)duration : 0,
		.kind = (enum span_kind)word_of(span, "kind", kinds, 6, SPAN_KIND_INTERNAL),
		.status = (enum span_status)word_of(span, "status", statuses, 3, SPAN_STATUS_UNSET),
		.http_status = code > 0 && code < 1000 ? (uint16_t)code : 0,
		.service = member(span, "service"),
		.name = member(span, "name"),
		.error_type = member(attributes, attribute_key_name(ATTR_ERROR_TYPE)),
		.path = member(attributes, attribute_key_name(ATTR_URL_PATH)),
	};
	trace_of(span, ret_line->trace_id);
}

static void print_span(const struct tail *tail, const json_t *span)
{
	char text[LINE_MAX_LEN];
	struct line line;

	line_of_object(span, &line);
	/* cppcheck-suppress uninitvar ; line_format() fills it before fwrite() is called */
	fwrite(text, 1, line_format(&line, tail->colour, text), tail->out);
}

static int print_object(struct tail *tail, const json_t *object)
{
	const char *error = json_string_value(json_object_get(object, "error"));
	const json_t *dropped = json_object_get(object, "dropped");

	if (error) {
		snprintf(tail->error, sizeof(tail->error), "%s", error);
		return -ECONNREFUSED;
	}
	tail->dropped += (uint64_t)json_integer_value(dropped);
	if (tail->json)
		fprintf(tail->out, "%s\n", tail->line);
	else if (dropped)
		fprintf(tail->out, "... %lld spans left out: the reader is too slow\n",
			(long long)json_integer_value(dropped));
	else
		print_span(tail, object);
	return 0;
}

/* The line in tail->line, complete. */
static int print_line(struct tail *tail)
{
	json_t *object = json_loadb(tail->line, tail->len, JSON_ALLOW_NUL, NULL);
	int r;

	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	tail->line[tail->len] = '\0';
	r = print_object(tail, object);
	json_decref(object);
	return r;
}

int tail_feed(struct tail *tail, const char *data, size_t size)
{
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;
		int r = 0;

		if (tail->len + n >= TAIL_LINE_MAX)
			return -EFBIG;
		memcpy(tail->line + tail->len, data, n);
		tail->len += n;
		if (end) {
			r = print_line(tail);
			tail->len = 0;
		}
		if (r < 0)
			return r;
		n += end ? 1 : 0;
		data += n;
		size -= n;
	}
	return 0;
}

/* SIGINT and SIGTERM as a descriptor; a reader that goes is told by write(2). */
static int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

enum tail_end {
	TAIL_GOES_ON,
	TAIL_STOPPED,
	TAIL_DAEMON_GONE,
	TAIL_FAILED
};

/* What is there on the socket, printed. */
static enum tail_end tail_receive(struct tail *tail, int fd)
{
	char data[16384];
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return TAIL_GOES_ON;
	if (n <= 0)
		return TAIL_DAEMON_GONE;
	r = tail_feed(tail, data, (size_t)n);
	if (r < 0) {
		log_error("tail: %s", tail->error[0] ? tail->error : "weft sent what is no span");
		return TAIL_FAILED;
	}
	if (fflush(tail->out) == 0)
		return TAIL_GOES_ON;
	if (errno == EPIPE)
		return TAIL_STOPPED;
	log_error("cannot write to standard output: %s", strerror(errno));
	return TAIL_FAILED;
}

static enum tail_end tail_wait(struct tail *tail, int fd, int signals)
{
	struct pollfd sources[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		/* Only for POLLERR: the reader of a pipe may go while no span comes. */
		{ .fd = fileno(tail->out), .events = 0 },
	};

	if (poll(sources, 3, -1) < 0)
		return errno == EINTR ? TAIL_GOES_ON : TAIL_FAILED;
	if (sources[1].revents || sources[2].revents)
		return TAIL_STOPPED;
	return tail_receive(tail, fd);
}

int cli_tail(int argc, char **argv)
{
	_cleanup_(config_clear) struct config config = { 0 };
	_cleanup_free_ struct tail *tail = calloc(1, sizeof(*tail));
	_cleanup_close_ int fd = -1, signals = -1;
	enum tail_end end = TAIL_GOES_ON;
	char text[512];
	int r = cli_load(&config, CONFIG_TAIL, argc, argv);

	if (r != STATUS_OK)
		return r;
	if (client_ask(config.socket, "tail", &fd, text, sizeof(text)) < 0) {
		log_error("%s", text);
		return STATUS_FAILURE;
	}
	signals = signals_open();
	if (!tail || signals < 0) {
		log_error("cannot follow spans: %s", strerror(tail ? -signals : ENOMEM));
		return STATUS_FAILURE;
	}
	tail->out = stdout;
	tail->json = config.json;
	tail->colour = line_colour(STDOUT_FILENO);
	while (end == TAIL_GOES_ON)
		end = tail_wait(tail, fd, signals);
	if (end == TAIL_DAEMON_GONE)
		log_info("weft has closed the connection");
	if (tail->dropped)
		log_warning("%ju spans were left out: the reader was too slow",
			    (uintmax_t)tail->dropped);
	return end == TAIL_FAILED ? STATUS_FAILURE : STATUS_OK;
}
