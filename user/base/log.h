/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics on stderr, one line each: "weft: <level>: <text>". Rooms below cli, watcher and
 * pipeline return errors and do not log (see CONTRIBUTING.md).
 */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Lines above `level` are left out. Default: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Logs an error and gives `code` back: return log_error_r(-EINVAL, "..."). */
#define log_error_r(code, ...)                                                                     \
	({                                                                                         \
		log_line(LOG_LEVEL_ERROR, __VA_ARGS__);                                            \
		(code);                                                                            \
	})

#endif
