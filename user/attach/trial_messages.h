/* SPDX-License-Identifier: Apache-2.0 */
/* What the self-test says on its connections: messages as applications send them. */
#ifndef WEFT_ATTACH_TRIAL_MESSAGES_H
#define WEFT_ATTACH_TRIAL_MESSAGES_H

#define MESSAGE_REQUEST                                                                            \
	"GET /weft/self-test HTTP/1.1\r\n"                                                         \
	"Host: localhost\r\n"                                                                      \
	"User-Agent: weft\r\n"                                                                     \
	"Accept: */*\r\n\r\n"

#define MESSAGE_ANSWER_HEAD                                                                        \
	"HTTP/1.1 200 OK\r\n"                                                                      \
	"Content-Length: 160\r\n\r\n"
#define MESSAGE_ANSWER_BODY 160

#define MESSAGE_UPLOAD_HEAD                                                                        \
	"POST /weft/self-test HTTP/1.1\r\n"                                                        \
	"Host: localhost\r\n"                                                                      \
	"Content-Length: 1048576\r\n\r\n"
#define MESSAGE_UPLOAD_BODY 1048576

/* The same on a connection where exchanges interleave: RFC 9113, RFC 7541. */
#define MESSAGE_HELLO	 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" MESSAGE_SETTINGS
#define MESSAGE_SETTINGS "\0\0\0\4\0\0\0\0\0"
#define MESSAGE_HEAD(stream)                                                                       \
	"\0\0\x0e\1\5\0\0\0" stream "\x82\x84\x86\1\x09"                                           \
	"localhost"
#define MESSAGE_HEAD_LEN       (9 + 14)
#define MESSAGE_STATUS(stream) "\0\0\1\1\5\0\0\0" stream "\x88"

#endif
