/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on an sd-event loop: transfers go on while the loop does other things.
 */
#ifndef WEFT_EXPORT_CURL_LOOP_H
#define WEFT_EXPORT_CURL_LOOP_H

#include <curl/curl.h>
#include <systemd/sd-event.h>

struct curl_loop {
	CURLM *multi;
	sd_event *event;
	sd_event_source *timer;
	/*
	 * A transfer has ended and its handle is the owner's again. Called from the loop, never
	 * from within curl_loop_start().
	 */
	void (*done)(void *owner, CURL *easy, CURLcode result);
	void *owner;
};

/*
 * The caller has set done and owner; `curl` stays where it is until it is cleared. At most
 * `connections` are open to one host. -ENOMEM, or -errno of sd-event.
 */
int curl_loop_init(struct curl_loop *curl, sd_event *event, long connections);

/* -EIO: libcurl refuses the handle. */
int curl_loop_start(struct curl_loop *curl, CURL *easy);

/* Ends a transfer without done(). */
void curl_loop_cancel(struct curl_loop *curl, CURL *easy);

/* All transfers must have ended or been cancelled. A half-built one is accepted. */
void curl_loop_clear(struct curl_loop *curl);

#endif
