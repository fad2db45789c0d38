"""
Codecs by name.
"""

from __future__ import annotations

from typing import Any

from agtwisted.errors import InvalidOptionsError
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.minbin import MinBinCodec

__all__ = ["CODECS", "codecFor"]

CODECS = {"json": JSONCodec, "minBin": MinBinCodec}
"""The codecs that the option C{codecEngine} knows by name."""


def codecFor(codecEngine: Any) -> Any:
    """
    @param codecEngine: The option: a codec's name, an L{agtwisted.interfaces.ICodec}, or C{None} for the default.
    @return: The codec.
    @raise InvalidOptionsError: There is no codec of that name, or the package that it needs is not installed.
    """
    if codecEngine is None:
        return JSONCodec()
    if not isinstance(codecEngine, str):
        return codecEngine
    if codecEngine not in CODECS:
        names = ", ".join(CODECS)
        raise InvalidOptionsError(f"The codecEngine option must be an object or one of {names}, not {codecEngine!r}")
    try:
        return CODECS[codecEngine]()
    except ImportError as error:
        raise InvalidOptionsError(str(error)) from error
