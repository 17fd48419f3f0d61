# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/apps in Rust, with what they need from its registry."""

import os
import shutil

import apps
from case import Skip


def program(t, source, name, profile="release"):
    """
    The program `name` of the directory `source`, built if a file of it is newer. The registry is asked in
    the runner's network; where it cannot be had, the case is skipped.
    """
    if not shutil.which("cargo"):
        raise Skip("not installed: cargo")
    optimised = ["--release"] if profile == "release" else []
    place = apps.made(t, source, ["Cargo.toml", "src/main.rs"], ["cargo", "fetch", "--quiet"],
                      ["cargo", "build", "--quiet", "--offline", *optimised])
    return os.path.join(place, "target", profile, name)
