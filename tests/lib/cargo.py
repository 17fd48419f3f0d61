# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/apps in Rust, with what they need from its registry."""

import os
import shutil
import subprocess

import apps
import netns
from case import Skip

FILES = ("Cargo.toml", os.path.join("src", "main.rs"))
BUILD_LIMIT_S = 900


def program(t, source, name):
    """
    The program `name` of the directory `source`, built if a file of it is newer. The registry is asked in
    the runner's network; where it cannot be had, the case is skipped.
    """
    if not shutil.which("cargo"):
        raise Skip("not installed: cargo")
    place = os.path.join(apps.BUILT, source)
    target = os.path.join(place, "target", "release", name)
    files = [(os.path.join(apps.APPS, source, file), os.path.join(place, file)) for file in FILES]
    if not any(apps.stale(target, path) for path, _ in files):
        return target
    for path, copy in files:
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(path, copy)
    options = {"cwd": place, "stdin": subprocess.DEVNULL}
    try:
        apps.build([*netns.outside(t.runner_pid), "cargo", "fetch", "--quiet"], source, BUILD_LIMIT_S, **options)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Skip(f"what it needs cannot be had: {str(error).splitlines()[-1]}") from None
    apps.build(["cargo", "build", "--quiet", "--release", "--offline"], source, BUILD_LIMIT_S, **options)
    return target
