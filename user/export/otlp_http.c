/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch becomes a request; a few requests are under way at once, so that a distant backend does
 * not cap the rate at one batch a round trip. After a failure all wait together and then one
 * request probes alone, until one succeeds.
 */
#include "export/otlp_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/version.h"
#include "export/batch.h"
#include "export/curl_library.h"
#include "export/curl_loop.h"
#include "export/http_target.h"
#include "export/ops.h"
#include "export/otlp_answer.h"
#include "export/otlp_encode.h"

#define IN_FLIGHT_MAX	   4
#define TIMEOUT_DEFAULT_NS (10 * NS_PER_SEC)
/* OTLP: a client caps what it sends, before compression, and what it reads. */
#define REQUEST_MAX  (64u << 20)
#define RESPONSE_MAX (4u << 20)
/* Memory for answers that is kept from request to request; usual answers are empty. */
#define RESPONSE_KEEP 4096
/* 1.1 us a span, and a ninth of the bytes are left. Level 6: 2.7 us, and a tenth are. */
#define GZIP_LEVEL  1
#define GZIP_WINDOW (MAX_WBITS + 16)
#define GZIP_MEMORY 8

static const struct otlp_http_retry retry_usual = {
	.first_ns = 1 * NS_PER_SEC,
	.longest_ns = 30 * NS_PER_SEC,
	.give_up_ns = 300 * NS_PER_SEC,
};

struct otlp_http;

struct request {
	struct otlp_http *http;
	CURL *easy;
	struct batch *batch; /* NULL: not in use */
	struct bytes body;
	struct bytes response;
	char error[CURL_ERROR_SIZE];
};

struct otlp_http {
	struct exporter exporter;
	struct batch_queue queue;
	struct curl_loop curl;
	struct http_target target;
	struct otlp_http_retry retry;
	struct curl_slist *headers;
	struct credentials credentials; /* libcurl looks at them here */
	struct request requests[IN_FLIGHT_MAX];
	unsigned int in_flight;
	unsigned int failures; /* in a row */
	bool waiting;	       /* until wait_timer fires */
	bool throttled;	       /* the backend named the time to wait */
	sd_event_source *wait_timer;
	uint64_t random;
	bool gzip;
	z_stream deflate;
	struct bytes scratch;
	struct bytes plain; /* a request before compression */
	char error[CURL_ERROR_SIZE + OTLP_MESSAGE_MAX + 512];
};

static void http_pump(struct otlp_http *http);

/* --- one request ------------------------------------------------------------------------- */

static int gzip_body(struct otlp_http *http, struct bytes *body)
{
	z_stream *stream = &http->deflate;
	size_t room = deflateBound(stream, http->plain.len);

	bytes_empty(body);
	stream->next_out = bytes_reserve(body, room);
	if (!stream->next_out)
		return -ENOMEM;
	stream->avail_out = (uInt)room;
	stream->next_in = http->plain.data;
	stream->avail_in = (uInt)http->plain.len;
	if (deflate(stream, Z_FINISH) != Z_STREAM_END)
		return -EIO;
	body->len = stream->total_out;
	return deflateReset(stream) == Z_OK ? 0 : -EIO;
}

/* -EMSGSIZE: larger than OTLP allows. -ENOMEM. */
static int make_body(struct otlp_http *http, const struct batch *batch, struct bytes *body)
{
	struct bytes *plain = http->gzip ? &http->plain : body;
	int r = otlp_encode_request(batch, &http->scratch, plain);

	if (r < 0)
		return r;
	if (plain->len > REQUEST_MAX)
		return -EMSGSIZE;
	return http->gzip ? gzip_body(http, body) : 0;
}

/* CURLOPT_WRITEFUNCTION(3): fewer bytes taken than given ends the transfer. */
static size_t take_response(char *data, size_t size, size_t n, void *userdata)
{
	struct request *request = userdata;

	if (size * n > RESPONSE_MAX - request->response.len)
		return 0;
	bytes_append(&request->response, data, size * n);
	return request->response.failed ? 0 : size * n;
}

/*
 * libcurl says no to an option that it does not know, or was built without: keys and certificates
 * come from memory since 7.71, authorities since 7.77, and its TLS library must be able to.
 */
static int request_credentials(CURL *easy, const struct credentials *credentials)
{
	static const CURLoption by_credential[CREDENTIAL_MAX] = {
		[CREDENTIAL_AUTHORITIES] = CURLOPT_CAINFO_BLOB,
		[CREDENTIAL_CERTIFICATE] = CURLOPT_SSLCERT_BLOB,
		[CREDENTIAL_KEY] = CURLOPT_SSLKEY_BLOB,
	};

	for (size_t i = 0; i < CREDENTIAL_MAX; i++) {
		const struct credential_bytes *item = &credentials->items[i];
		struct curl_blob blob;

		/* one PEM file may hold both */
		if (i == CREDENTIAL_KEY && !item->data)
			item = &credentials->items[CREDENTIAL_CERTIFICATE];
		blob = (struct curl_blob){ item->data, item->len, CURL_BLOB_NOCOPY };
		if (item->data && libcurl.easy_setopt(easy, by_credential[i], &blob) != CURLE_OK)
			return -ENOTSUP;
	}
	return 0;
}

static int request_init(struct otlp_http *http, struct request *request,
			const struct export_options *options)
{
	uint64_t timeout_ns = options->timeout_ns ? options->timeout_ns : TIMEOUT_DEFAULT_NS;
	CURL *easy = libcurl.easy_init();

	if (!easy)
		return -ENOMEM;
	request->http = http;
	request->easy = easy;
	libcurl.easy_setopt(easy, CURLOPT_PRIVATE, request);
	libcurl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	libcurl.easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
	libcurl.easy_setopt(easy, CURLOPT_USERAGENT, EXPORT_USER_AGENT WEFT_VERSION);
	libcurl.easy_setopt(easy, CURLOPT_POST, 1L);
	libcurl.easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			    (long)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS));
	libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_response);
	libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, request);
	libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	libcurl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a request that is given up while its name is looked up would wait for the answer */
	libcurl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (http->target.loopback)
		libcurl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (libcurl.easy_setopt(easy, CURLOPT_URL, http->target.url) != CURLE_OK)
		return -ENOMEM;
	return request_credentials(easy, &http->credentials);
}

static struct request *request_free_one(struct otlp_http *http)
{
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		if (!http->requests[i].batch)
			return &http->requests[i];
	return NULL;
}

/* Sends the batch; one that cannot be sent at all is settled. */
static void request_start(struct otlp_http *http, struct request *request, struct batch *batch)
{
	struct export_counters *counters = &http->exporter.counters;
	int r = make_body(http, batch, &request->body);

	if (r == 0) {
		bytes_empty(&request->response);
		request->error[0] = '\0';
		libcurl.easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				    (curl_off_t)request->body.len);
		libcurl.easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body.data);
		r = curl_loop_start(&http->curl, request->easy);
	}
	if (r < 0) {
		batch_queue_settle(&http->queue, batch, 0,
				   r == -EMSGSIZE ? &counters->dropped_rejected
						  : &counters->dropped_no_memory);
		http->exporter.last_error =
			r == -EMSGSIZE
				? "a request would be larger than the 64 MiB that OTLP allows; lower "
				  "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
				: "no memory for a request; lower OTEL_BSP_MAX_QUEUE_SIZE";
		return;
	}
	request->batch = batch;
	http->in_flight++;
}

static struct batch *request_end(struct request *request)
{
	if (request->response.cap > RESPONSE_KEEP)
		bytes_free(&request->response);
	request->http->in_flight--;
	return TAKE_PTR(request->batch);
}

/* --- waiting after a failure -------------------------------------------------------------- */

/* xorshift64: spreads the retries of many hosts, no secret hangs on it. */
static uint64_t http_random(struct otlp_http *http)
{
	http->random ^= http->random << 13;
	http->random ^= http->random >> 7;
	http->random ^= http->random << 17;
	return http->random;
}

/* Half of it is certain, the other half is chance. */
static uint64_t http_backoff_ns(struct otlp_http *http)
{
	uint64_t wait_ns = http->retry.first_ns;

	for (unsigned int i = 1; i < http->failures && wait_ns < http->retry.longest_ns; i++)
		wait_ns *= 2;
	if (wait_ns > http->retry.longest_ns)
		wait_ns = http->retry.longest_ns;
	return wait_ns / 2 + http_random(http) % (wait_ns / 2 + 1);
}

/* The first of several failures at once says how long all wait, a backend's own word excepted. */
static void http_wait(struct otlp_http *http, uint64_t retry_after_ns)
{
	uint64_t wait_ns;

	if (http->waiting && retry_after_ns == 0)
		return;
	if (!http->waiting)
		http->failures++;
	wait_ns = retry_after_ns ? retry_after_ns : http_backoff_ns(http);
	if (wait_ns > http->retry.give_up_ns)
		wait_ns = http->retry.give_up_ns;
	http->waiting = true;
	http->throttled = retry_after_ns > 0;
	sd_event_source_set_time_relative(http->wait_timer, wait_ns / NS_PER_US);
	sd_event_source_set_enabled(http->wait_timer, SD_EVENT_ONESHOT);
}

static void http_wait_end(struct otlp_http *http)
{
	http->waiting = false;
	http->throttled = false;
	sd_event_source_set_enabled(http->wait_timer, SD_EVENT_OFF);
	http_pump(http);
}

static int on_wait_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	http_wait_end(userdata);
	return 0;
}

/* --- the end of a request ----------------------------------------------------------------- */

static void http_error(struct otlp_http *http, const char *what, const char *message,
		       const char *advice)
{
	snprintf(http->error, sizeof(http->error), "POST %.256s: %s%s%s; %s", http->target.shown,
		 what, *message ? ": " : "", message, advice);
	http->exporter.last_error = http->error;
}

static void http_retry(struct otlp_http *http, struct batch *batch, uint64_t retry_after_ns)
{
	struct export_counters *counters = &http->exporter.counters;

	if (clock_monotonic_ns() - batch->opened_ns >= http->retry.give_up_ns)
		batch_queue_settle(&http->queue, batch, 0, &counters->dropped_unreachable);
	else
		batch_queue_put_back(&http->queue, batch);
	http_wait(http, retry_after_ns);
}

static void answer_accepted(struct otlp_http *http, struct batch *batch,
			    const struct otlp_answer *answer)
{
	size_t rejected = answer->rejected < batch->n_items ? answer->rejected : batch->n_items;
	char what[64];

	http->failures = 0;
	if (rejected > 0) {
		snprintf(what, sizeof(what), "%zu of %zu spans rejected", rejected, batch->n_items);
		http_error(http, what, answer->message, "see the backend's log");
	} else if (*answer->message) {
		http_error(http, "accepted with a warning", answer->message,
			   "see the backend's log");
	}
	batch_queue_settle(&http->queue, batch, batch->n_items - rejected,
			   &http->exporter.counters.dropped_rejected);
}

/* An HTTP status has come. */
static void request_answered(struct otlp_http *http, struct request *request, struct batch *batch)
{
	struct export_counters *counters = &http->exporter.counters;
	struct view body = { (const char *)request->response.data, request->response.len };
	struct otlp_answer answer;
	const char *content_type = NULL;
	curl_off_t retry_after = 0;
	char what[32];
	long status = 0;

	libcurl.easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	libcurl.easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &content_type);
	otlp_answer_read(status, content_type, body, &answer);
	if (answer.verdict == OTLP_ACCEPTED) {
		answer_accepted(http, batch, &answer);
		return;
	}
	counters->failed_requests++;
	snprintf(what, sizeof(what), "HTTP %ld", status);
	http_error(http, what, answer.message, otlp_answer_advice(status));
	if (answer.verdict == OTLP_RETRY) {
		/* Seconds, or a date made seconds: RFC 9110 section 10.2.3. */
		libcurl.easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
		if (retry_after < 0)
			retry_after = 0;
		if ((uint64_t)retry_after > http->retry.give_up_ns / NS_PER_SEC + 1)
			retry_after = (curl_off_t)(http->retry.give_up_ns / NS_PER_SEC + 1);
		http_retry(http, batch, (uint64_t)retry_after * NS_PER_SEC);
		return;
	}
	/* It answers, so there is nothing to wait for. */
	http->failures = 0;
	if (answer.verdict == OTLP_TOO_LARGE && batch->n_items > 1 &&
	    batch_queue_split(&http->queue, batch) == 0)
		return;
	batch_queue_settle(&http->queue, batch, 0, &counters->dropped_rejected);
}

static void on_done(void *owner, CURL *easy, CURLcode result)
{
	struct otlp_http *http = owner;
	struct export_counters *counters = &http->exporter.counters;
	struct request *request = NULL;
	struct batch *batch;
	const char *reason;

	libcurl.easy_getinfo(easy, CURLINFO_PRIVATE, &request);
	batch = request->batch;
	if (result == CURLE_OK) {
		request_answered(http, request, batch);
	} else if (result == CURLE_WRITE_ERROR) {
		/* Not to be repeated: OTLP, "Limits on response size". */
		counters->failed_requests++;
		http_error(http, "the answer is larger than 4 MiB", "", "is this an OTLP backend?");
		batch_queue_settle(&http->queue, batch, 0, &counters->dropped_rejected);
	} else {
		counters->failed_requests++;
		reason = *request->error ? request->error : libcurl.easy_strerror(result);
		http_error(http, "no answer", reason,
			   "kept and sent again later; is the backend running there?");
		http_retry(http, batch, 0);
	}
	request_end(request);
	http_pump(http);
}

/* Starts what may be started now. */
static void http_pump(struct otlp_http *http)
{
	unsigned int limit = http->failures > 0 ? 1 : IN_FLIGHT_MAX;
	struct request *request;
	struct batch *batch;

	while (!http->waiting && http->in_flight < limit && (request = request_free_one(http)) &&
	       (batch = batch_queue_take(&http->queue)))
		request_start(http, request, batch);
}

/* --- the exporter ------------------------------------------------------------------------- */

static void http_ready(void *owner)
{
	http_pump(owner);
}

static void http_export(struct exporter *exporter, const struct span *span)
{
	batch_queue_add(&((struct otlp_http *)exporter)->queue, span);
}

/* Also ends a wait of our own making: who flushes does not want to wait, and often cannot. */
static void http_flush(struct exporter *exporter)
{
	struct otlp_http *http = (struct otlp_http *)exporter;

	batch_queue_seal(&http->queue);
	if (http->waiting && !http->throttled)
		http_wait_end(http);
	else
		http_pump(http);
}

static bool http_idle(const struct exporter *exporter)
{
	return exporter->counters.queued == 0;
}

static void request_clear(struct otlp_http *http, struct request *request)
{
	if (request->batch) {
		curl_loop_cancel(&http->curl, request->easy);
		batch_queue_settle(&http->queue, request_end(request), 0,
				   &http->exporter.counters.dropped_unreachable);
	}
	libcurl.easy_cleanup(request->easy);
	bytes_free(&request->body);
	bytes_free(&request->response);
}

/* What is under way comes back into the queue if it fails, or at once. */
static void http_hand_over(struct exporter *from, struct exporter *to, bool all)
{
	struct otlp_http *old = (struct otlp_http *)from, *new = (struct otlp_http *)to;

	for (size_t i = IN_FLIGHT_MAX; all && i-- > 0;) {
		struct request *request = &old->requests[i];

		if (!request->batch)
			continue;
		curl_loop_cancel(&old->curl, request->easy);
		batch_queue_put_back(&old->queue, request_end(request));
	}
	batch_queue_move(&old->queue, &new->queue);
	http_pump(new);
}

static void http_close(struct exporter *exporter)
{
	struct otlp_http *http = (struct otlp_http *)exporter;

	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		request_clear(http, &http->requests[i]);
	batch_queue_clear(&http->queue);
	curl_loop_clear(&http->curl);
	sd_event_source_disable_unref(http->wait_timer);
	libcurl.slist_free_all(http->headers);
	credentials_clear(&http->credentials);
	http_target_clear(&http->target);
	if (http->gzip)
		deflateEnd(&http->deflate);
	bytes_free(&http->scratch);
	bytes_free(&http->plain);
	free(http);
}

static int add_header(struct otlp_http *http, const char *line)
{
	struct curl_slist *longer = libcurl.slist_append(http->headers, line);

	if (!longer)
		return -ENOMEM;
	http->headers = longer;
	return 0;
}

/* RFC 9110 section 5.6.2: a token. */
static bool is_header_name(const char *name)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *name && name[strspn(name, token)] == '\0';
}

static int add_option_header(struct otlp_http *http, const char *name, const char *value)
{
	_cleanup_free_ char *line = NULL;

	if (!is_header_name(name) || strpbrk(value, "\r\n"))
		return -EINVAL;
	/* CURLOPT_HTTPHEADER(3): a header without a value is written with a semicolon. */
	if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0) {
		line = NULL;
		return -ENOMEM;
	}
	return add_header(http, line);
}

static int http_headers(struct otlp_http *http, const struct export_options *options)
{
	int r = add_header(http, "Content-Type: application/x-protobuf");

	/* libcurl would ask large requests' leave first and lose a round trip. */
	if (r == 0)
		r = add_header(http, "Expect:");
	if (r == 0 && options->gzip)
		r = add_header(http, "Content-Encoding: gzip");
	for (size_t i = 0; i < options->n_headers && r == 0; i++)
		r = add_option_header(http, options->headers[2 * i], options->headers[2 * i + 1]);
	return r;
}

static int http_gzip(struct otlp_http *http)
{
	if (deflateInit2(&http->deflate, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	http->gzip = true;
	return 0;
}

static int http_timers(struct otlp_http *http, sd_event *loop)
{
	/* Accuracy in us; 0 would be 250 ms. */
	int r = sd_event_add_time_relative(loop, &http->wait_timer, CLOCK_MONOTONIC, 0, 1000,
					   on_wait_timer, http);

	return r < 0 ? r : sd_event_source_set_enabled(http->wait_timer, SD_EVENT_OFF);
}

static int http_init(struct otlp_http *http, const char *target,
		     const struct export_options *options, sd_event *loop)
{
	const char *reason;
	int r = http_target_parse(target, &http->target, &reason);

	if (r == 0)
		r = http_headers(http, options);
	if (r == 0 && options->credentials)
		r = credentials_copy(options->credentials, &http->credentials);
	if (r == 0 && options->gzip)
		r = http_gzip(http);
	if (r == 0)
		r = batch_queue_init(&http->queue, options, loop);
	if (r >= 0)
		r = http_timers(http, loop);
	if (r >= 0)
		r = curl_loop_init(&http->curl, loop, IN_FLIGHT_MAX);
	for (size_t i = 0; i < IN_FLIGHT_MAX && r >= 0; i++)
		r = request_init(http, &http->requests[i], options);
	return r;
}

int otlp_http_open(const char *target, const struct export_options *options,
		   const struct otlp_http_retry *retry, sd_event *loop,
		   struct exporter **ret_exporter)
{
	struct otlp_http *http;
	int r = curl_library_load();

	if (r < 0)
		return r;
	http = calloc(1, sizeof(*http));
	if (!http)
		return -ENOMEM;
	http->exporter.ops = &otlp_http_ops;
	http->retry = *retry;
	/* Never 0, where xorshift stays. */
	http->random = (clock_ns(CLOCK_REALTIME) ^ (uintptr_t)http) | 1;
	http->queue = (struct batch_queue){
		.codec = &otlp_codec,
		.counters = &http->exporter.counters,
		.ready = http_ready,
		.owner = http,
	};
	http->curl.done = on_done;
	http->curl.owner = http;
	r = http_init(http, target, options, loop);
	if (r < 0) {
		http_close(&http->exporter);
		return r;
	}
	*ret_exporter = &http->exporter;
	return 0;
}

static int http_open(const char *target, int fd, const struct export_options *options,
		     sd_event *loop, struct exporter **ret_exporter)
{
	(void)fd;
	return otlp_http_open(target, options, &retry_usual, loop, ret_exporter);
}

const struct exporter_ops otlp_http_ops = {
	.name = "otlp_http",
	.open = http_open,
	.export = http_export,
	.flush = http_flush,
	.idle = http_idle,
	.hand_over = http_hand_over,
	.close = http_close,
};
