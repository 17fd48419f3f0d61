/* SPDX-License-Identifier: Apache-2.0 */
/* The exporters there are: rows of export/exporter.c's table. */
#ifndef WEFT_EXPORT_OPS_H
#define WEFT_EXPORT_OPS_H

#include "export/exporter.h"

extern const struct exporter_ops stdout_ops;
extern const struct exporter_ops file_ops;
extern const struct exporter_ops otlp_http_ops;

#define FILE_SCHEME "file:"

/* A descriptor of the file behind `fd` whose writes do not block, as far as that can be had;
 * -errno. */
int stdout_prepare(int fd);

#endif
