/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_answer.h"

#include <strings.h>

#include "export/otlp_encode.h"

/* Bytes from a peer, for a terminal: one line of printable ASCII, other runs become one space. */
static void message_copy(char *message, const uint8_t *data, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < OTLP_MESSAGE_MAX - 1; i++) {
		if (data[i] > ' ' && data[i] < 0x7f)
			message[n++] = (char)data[i];
		else if (n > 0 && message[n - 1] != ' ')
			message[n++] = ' ';
	}
	while (n > 0 && message[n - 1] == ' ')
		n--;
	message[n] = '\0';
}

static bool is_type(const char *content_type, struct view type)
{
	return content_type && strncasecmp(content_type, type.data, type.len) == 0;
}

static bool is_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

void otlp_answer_read(long status, const char *content_type, struct view body,
		      struct otlp_answer *ret_answer)
{
	bool protobuf = is_type(content_type, VIEW("application/x-protobuf"));
	struct bytes message = { 0 };
	uint64_t rejected = 0;

	*ret_answer = (struct otlp_answer){ .verdict = OTLP_REJECTED };
	if (status >= 200 && status < 300) {
		ret_answer->verdict = OTLP_ACCEPTED;
		if (protobuf && otlp_decode_response(body, &rejected, &message) == 0)
			ret_answer->rejected = rejected;
	} else {
		if (is_retryable(status))
			ret_answer->verdict = OTLP_RETRY;
		else if (status == 413)
			ret_answer->verdict = OTLP_TOO_LARGE;
		if (protobuf)
			otlp_decode_status(body, &message);
		else if (is_type(content_type, VIEW("text/plain")) ||
			 is_type(content_type, VIEW("application/json")))
			bytes_append_view(&message, body);
	}
	message_copy(ret_answer->message, message.data, message.len);
	bytes_free(&message);
}

const char *otlp_answer_advice(long status)
{
	static const struct {
		long status;
		const char *advice;
	} advices[] = {
		{ 401, "give credentials as a header (OTEL_EXPORTER_OTLP_HEADERS)" },
		{ 403, "check the credentials in OTEL_EXPORTER_OTLP_HEADERS" },
		{ 404, "check the URL: OTLP/HTTP is at http://HOST:4318 by default" },
		{ 405, "check the URL: OTLP/HTTP is at http://HOST:4318 by default" },
		{ 413, "sent again in halves; lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE or raise the "
		       "backend's limit" },
		{ 415, "the backend must take OTLP as application/x-protobuf" },
		{ 429, "kept and sent again later" },
		{ 502, "kept and sent again later" },
		{ 503, "kept and sent again later" },
		{ 504, "kept and sent again later" },
	};

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].status == status)
			return advices[i].advice;
	return "see the backend's log";
}
