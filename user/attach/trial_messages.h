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

#endif
