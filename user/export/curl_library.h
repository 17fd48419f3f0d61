/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when spans are to go over HTTP. It brings thirty libraries with it, of which the
 * watcher and a pipeline that writes a file would hold some MiB each for nothing. Its functions
 * are called as libcurl.easy_init() for curl_easy_init().
 */
#ifndef WEFT_EXPORT_CURL_LIBRARY_H
#define WEFT_EXPORT_CURL_LIBRARY_H

#include <curl/curl.h>

/* FUNCTION(name): curl_name(). */
#define CURL_FUNCTIONS                                                                             \
	FUNCTION(global_init)                                                                      \
	FUNCTION(global_cleanup)                                                                   \
	FUNCTION(free)                                                                             \
	FUNCTION(easy_init)                                                                        \
	FUNCTION(easy_cleanup)                                                                     \
	FUNCTION(easy_setopt)                                                                      \
	FUNCTION(easy_getinfo)                                                                     \
	FUNCTION(easy_strerror)                                                                    \
	FUNCTION(multi_init)                                                                       \
	FUNCTION(multi_cleanup)                                                                    \
	FUNCTION(multi_setopt)                                                                     \
	FUNCTION(multi_add_handle)                                                                 \
	FUNCTION(multi_remove_handle)                                                              \
	FUNCTION(multi_info_read)                                                                  \
	FUNCTION(multi_socket_action)                                                              \
	FUNCTION(multi_assign)                                                                     \
	FUNCTION(slist_append)                                                                     \
	FUNCTION(slist_free_all)                                                                   \
	FUNCTION(url)                                                                              \
	FUNCTION(url_cleanup)                                                                      \
	FUNCTION(url_get)                                                                          \
	FUNCTION(url_set)                                                                          \
	FUNCTION(url_strerror)

struct curl_library {
#define FUNCTION(name) typeof(curl_##name) *name;
	CURL_FUNCTIONS
#undef FUNCTION
};

/* To be called through once curl_library_load() has succeeded. */
extern struct curl_library libcurl;

/* Does nothing when it is loaded already. -ELIBACC: it is not installed, or too old. */
int curl_library_load(void);

#endif
