"""
What can be wrong with a token: the errors of C{jsonwebtoken}.
"""

from __future__ import annotations

from datetime import datetime

__all__ = ["JsonWebTokenError", "NotBeforeError", "TokenError", "TokenExpiredError"]


class TokenError(Exception):
    """
    A token cannot be signed, or not be verified with such a key.

    @ivar name: The name of the error in the reference, where this one is a plain C{Error}.
    @ivar message: What is wrong.
    """

    name = "Error"

    def __init__(self, message: str, *details: object) -> None:
        """
        @param message: What is wrong.
        """
        super().__init__(message, *details)
        self.message = message

    def __str__(self) -> str:
        return self.message


class JsonWebTokenError(TokenError):
    """A token is malformed, not signed as it should be, or does not say what it should."""

    name = "JsonWebTokenError"


class TokenExpiredError(JsonWebTokenError):
    """
    A token's time is over.

    @ivar expiredAt: When it expired.
    """

    name = "TokenExpiredError"

    def __init__(self, message: str, expiredAt: datetime) -> None:
        """
        @param message: What is wrong.
        @param expiredAt: When the token expired.
        """
        super().__init__(message, expiredAt)
        self.expiredAt = expiredAt


class NotBeforeError(JsonWebTokenError):
    """
    A token's time has not come yet.

    @ivar date: When it becomes valid.
    """

    name = "NotBeforeError"

    def __init__(self, message: str, date: datetime) -> None:
        """
        @param message: What is wrong.
        @param date: When the token becomes valid.
        """
        super().__init__(message, date)
        self.date = date
