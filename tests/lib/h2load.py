# SPDX-License-Identifier: Apache-2.0
"""What h2load, of nghttp2, prints when it is done."""

import re


def told(text):
    """
    Of its requests how many were `total`, `started`, `done`, `succeeded`, `failed`, `errored` and had a
    `timeout`; the `rate` per second; how long one took, `mean` and `longest`, each with its unit. None:
    it did not get so far.
    """
    rate = re.search(r"^finished in .*, ([\d.]+) req/s", text, re.M)
    counts = re.search(r"^requests: (.*)$", text, re.M)
    times = re.search(r"^time for request: +\S+ +(\S+) +(\S+)", text, re.M)
    if not rate or not counts or not times:
        return None
    return {**{name: int(count) for count, name in re.findall(r"(\d+) (\w+)", counts[1])},
            "rate": float(rate[1]), "longest": times[1], "mean": times[2]}
