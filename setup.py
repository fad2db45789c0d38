"""
What cannot stand in setup.cfg: the modules in C, without which agtwisted does as well, a little slower.

Where there is no compiler, or no header of Python's, installing goes on without them; where the environment variable
AGTWISTED_WITHOUT_C is set, it does not try.
"""

import os
import platform
from glob import glob

from setuptools import Extension, setup

FOLDER = "agtwisted/speedups"


def extensions() -> list[Extension]:
    """
    Return what there is to be compiled.
    """
    if os.environ.get("AGTWISTED_WITHOUT_C") or platform.python_implementation() != "CPython":
        return []
    headers = sorted(glob(f"{FOLDER}/*.h"))
    sources = {
        "agtwisted.speedups._inC": sorted(glob(f"{FOLDER}/*.c")),
        "agtwisted.v14._inC": ["agtwisted/v14/calls.c", f"{FOLDER}/objects.c"],
    }
    return [Extension(name, files, depends=headers, optional=True) for name, files in sources.items()]


setup(ext_modules=extensions())
