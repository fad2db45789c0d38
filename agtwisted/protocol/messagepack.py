"""
Reading MessagePack that may be hostile: within limits, and step by step where it is long.

What JavaScript's reader accepts is accepted: keys that are no texts, text that is not UTF-8, bytes behind the message.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import maxsize
from typing import Any

from agtwisted.errors import InvalidMessageError
from agtwisted.protocol.codecs import memberName
from agtwisted.protocol.depth import TooMany
from agtwisted.protocol.steps import Steps, finish

_SHORT = 512
"""Messages of up to so many bytes cannot be nested deeply enough to declare much."""

_PORTION = 65536
"""Bytes that are read in one step, which takes a few milliseconds if they are nothing but short values."""

_SLOTS = 2**18
"""How many elements, beyond those that it has room for, the arrays of a message may declare without a closer look."""

_LONGEST_ODDITY = 8
"""Names that are no texts, and texts that are not UTF-8, are read in messages of so many bytes for each container."""


class MessagePackReader:
    """
    Reads MessagePack with the package C{msgpack}.
    """

    __slots__ = ("_library", "_portion")

    def __init__(self, library: Any) -> None:
        """
        @param library: the package.
        """
        self._library = library
        # Where it is pure Python, what comes too late makes it begin again.
        isResumable = library.Unpacker.__module__ != "msgpack.fallback"
        self._portion = _PORTION if isResumable else maxsize

    def isSimple(self, payload: bytes, maxContainers: int | None) -> bool:
        """
        @return: whether a message can be read at once, because it is no longer than a step, declares no more than it may
            have, and can hold no more than it may.
        """
        length = len(payload)
        return (
            length <= _PORTION
            and (length <= _SHORT or not _mayDeclareTooMuch(payload))
            and not (maxContainers and mayHoldMore(payload, maxContainers // 2))
        )

    def readSimple(self, payload: bytes, maxContainers: int | None) -> Any:
        """
        As L{read}, for a L{simple<isSimple>} message.

        @return: its value.
        """
        library = self._library
        try:
            return library.unpackb(payload)
        except library.ExtraData as error:
            return error.unpacked
        except ValueError as error:
            return finish(self._readOddities(payload, error, maxContainers))

    def read(self, payload: bytes, maxContainers: int | None) -> Steps:
        """
        Read a message.

        @param maxContainers: How many arrays, maps and values of extension types it may hold, of which the last count
            twice; any number if C{None}.
        @return: Returns its value.
        @raise InvalidMessageError: It is no MessagePack.
        @raise TooMany: It holds more. The rest of it is not read.
        """
        if len(payload) > _SHORT and _mayDeclareTooMuch(payload):
            self._checkCompleteness(payload)
        hooks = {}
        if maxContainers and mayHoldMore(payload, maxContainers // 2):
            hooks = _Counter(maxContainers, self._library.ExtType).hooks
            yield from self._checkTimes(payload, maxContainers)
        try:
            return (yield from self._unpack(payload, **hooks))
        except ValueError as error:
            refused = error
        return (yield from self._readOddities(payload, refused, maxContainers))

    def _unpack(self, payload: bytes, **options: Any) -> Steps:
        """
        @raise ValueError: It cannot be read like this.
        """
        unpacker = self._library.Unpacker(max_buffer_size=len(payload), **options)
        for start in range(0, len(payload), self._portion):
            unpacker.feed(payload[start : start + self._portion])
            try:
                return unpacker.unpack()
            except self._library.OutOfData:
                yield
        raise ValueError("It is incomplete")

    def _checkCompleteness(self, payload: bytes) -> None:
        """
        Go through a message without making anything of it.

        @raise InvalidMessageError: It declares more than it has.
        """
        unpacker = self._library.Unpacker(read_size=len(payload), max_buffer_size=len(payload))
        unpacker.feed(payload)
        try:
            unpacker.skip()
        except (ValueError, self._library.UnpackException) as error:
            raise _noMessagePack(error) from None

    def _checkTimes(self, payload: bytes, limit: int) -> Steps:
        """
        Count what a message with timestamps holds. The library makes those without asking anybody.

        @raise TooMany: It is more than C{limit}.
        """
        if not any(header in payload for header in _TIMES):
            return
        # As values of another extension type they can be counted. What this does to other bytes is of no matter.
        for header in _TIMES:
            payload = payload.replace(header, header[:-1] + _NO_TIME)
        counter = _Counter(limit, lambda code, data: None)
        try:
            yield from self._unpack(payload, raw=True, strict_map_key=False, **counter.hooks)
        except (ValueError, TypeError, self._library.UnpackException):
            # Whether it can be read shows when it is.
            return

    def _readOddities(self, payload: bytes, error: ValueError, maxContainers: int | None) -> Steps:
        """
        Read what has been refused, accepting what JavaScript accepts.

        @param error: Why it has been refused.
        @raise TooMany: It is so long that this would take too much time.
        """
        if maxContainers and len(payload) > _LONGEST_ODDITY * maxContainers:
            raise TooMany
        for unicodeErrors in ("surrogatepass", "replace"):
            counter = _Counter(maxContainers or maxsize, self._library.ExtType)
            options = {"strict_map_key": False, "unicode_errors": unicodeErrors, **counter.hooksForOddNames}
            try:
                return (yield from self._unpack(payload, **options))
            except UnicodeDecodeError:
                continue
            except (ValueError, TypeError) as refused:
                error = refused if isinstance(refused, ValueError) else error
                break
        raise _noMessagePack(error) from None


class _Counter:
    """
    Counts what a message holds while it is read, and ends that when it is too much.
    """

    __slots__ = ("_extension", "_left")

    def __init__(self, limit: int, extension: Callable[[int, bytes], Any]) -> None:
        """
        @param extension: Makes a value of an extension type.
        """
        self._left = limit
        self._extension = extension

    @property
    def hooks(self) -> dict[str, Callable[..., Any]]:
        """
        What the library is to call with what it has read.
        """
        return {"list_hook": self._counted, "object_hook": self._counted, "ext_hook": self._countedExtension}

    @property
    def hooksForOddNames(self) -> dict[str, Callable[..., Any]]:
        """
        The same where members of maps may have names that are no texts.
        """
        return {"list_hook": self._counted, "object_pairs_hook": self._asObject, "ext_hook": self._countedExtension}

    def _count(self, number: int) -> None:
        self._left -= number
        if self._left < 0:
            raise TooMany

    def _counted(self, value: Any) -> Any:
        self._count(1)
        return value

    def _countedExtension(self, code: int, data: bytes) -> Any:
        # They take twice as long to make.
        self._count(2)
        return self._extension(code, data)

    def _asObject(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        """
        @return: The members by their names in JavaScript. Each name that is none costs as much as a container.
        """
        self._count(1 + sum(key.__class__ is not str for key, _ in pairs))
        return {key if isinstance(key, str) else memberName(key): value for key, value in pairs}


def _noMessagePack(error: Exception) -> InvalidMessageError:
    return InvalidMessageError(f"The message is no MessagePack: {str(error) or type(error).__name__}")


def _mayDeclareTooMuch(payload: bytes) -> bool:
    """
    For an array's header, which takes five bytes, the library reserves memory for all elements that it declares. With a
    thousand such headers in each other, a small message takes as much memory as a very large one.

    @return: Whether as many headers may be here; bytes that only look like headers count as well.
    """
    size = len(payload)
    headers = payload.count(b"\xdc") + payload.count(b"\xdd")
    return headers * size > _SLOTS + 2 * size


#: The headers of arrays, maps and values of extension types; and those of timestamps.
_HEADERS = bytes((*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)))
_TIMES = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")
_NO_TIME = b"\x7f"
_NO_HEADERS = bytes(set(range(256)) - set(_HEADERS))


def mayHoldMore(payload: bytes, limit: int) -> bool:
    """
    @return: Whether there may be more than C{limit} containers here; bytes that only look like headers count as well.
    """
    return len(payload) > limit and len(payload.translate(None, _NO_HEADERS)) > limit
