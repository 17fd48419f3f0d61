/* SPDX-License-Identifier: Apache-2.0 */
#include "export/curl_loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "export/curl_library.h"

static void curl_loop_reap(struct curl_loop *curl)
{
	CURLMsg *message;
	int left;

	while ((message = libcurl.multi_info_read(curl->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		/* The message does not live longer than this. */
		libcurl.multi_remove_handle(curl->multi, easy);
		curl->done(curl->owner, easy, result);
	}
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct curl_loop *curl = userdata;
	int flags = 0;
	int running;

	(void)source;
	if (events & EPOLLIN)
		flags |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		flags |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		flags |= CURL_CSELECT_ERR;
	libcurl.multi_socket_action(curl->multi, fd, flags, &running);
	curl_loop_reap(curl);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct curl_loop *curl = userdata;
	int running;

	(void)source;
	(void)usec;
	libcurl.multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	curl_loop_reap(curl);
	return 0;
}

/* libcurl wants a socket to be watched, otherwise or no longer: CURLMOPT_SOCKETFUNCTION(3). */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
	struct curl_loop *curl = userdata;
	sd_event_source *source = socket_data;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		libcurl.multi_assign(curl->multi, fd, NULL);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(curl->event, &source, fd, events, on_socket, curl) < 0)
		return -1;
	libcurl.multi_assign(curl->multi, fd, source);
	return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct curl_loop *curl = userdata;

	(void)multi;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(curl->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	if (sd_event_source_set_time_relative(curl->timer,
					      (uint64_t)timeout_ms * (NS_PER_MS / NS_PER_US)) < 0)
		return -1;
	return sd_event_source_set_enabled(curl->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

int curl_loop_init(struct curl_loop *curl, sd_event *event, long connections)
{
	int r;

	if (libcurl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	curl->event = sd_event_ref(event);
	/* Accuracy in us; 0 would be 250 ms. */
	r = sd_event_add_time_relative(event, &curl->timer, CLOCK_MONOTONIC, 0, 1000, on_timer,
				       curl);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(curl->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	curl->multi = libcurl.multi_init();
	if (!curl->multi)
		return -ENOMEM;
	libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	libcurl.multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	libcurl.multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	libcurl.multi_setopt(curl->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
	return 0;
}

int curl_loop_start(struct curl_loop *curl, CURL *easy)
{
	return libcurl.multi_add_handle(curl->multi, easy) == CURLM_OK ? 0 : -EIO;
}

void curl_loop_cancel(struct curl_loop *curl, CURL *easy)
{
	libcurl.multi_remove_handle(curl->multi, easy);
}

void curl_loop_clear(struct curl_loop *curl)
{
	if (!curl->event)
		return;
	/* Closes the kept connections, which takes their sockets from the loop. */
	libcurl.multi_cleanup(curl->multi);
	curl->multi = NULL;
	curl->timer = sd_event_source_disable_unref(curl->timer);
	curl->event = sd_event_unref(curl->event);
	libcurl.global_cleanup();
}
