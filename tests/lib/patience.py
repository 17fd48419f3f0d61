# SPDX-License-Identifier: Apache-2.0
"""How many times as long as usual everything may take: more than once in an emulated machine."""

import os

PATIENCE = float(os.environ.get("WEFT_PATIENCE", "1"))
