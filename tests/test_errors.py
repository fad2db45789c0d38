"""
Tests of L{agtwisted.errors}.
"""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import errors
from agtwisted.errors import (
    AuthTokenExpiredError,
    AuthTokenNotBeforeError,
    BadConnectionError,
    InvalidActionError,
    ProcessExitError,
    SCError,
    SilentMiddlewareBlockedError,
    SocketProtocolError,
    dehydrateError,
    hydrateError,
    toISOString,
)

MOMENT = datetime(2020, 1, 2, 3, 4, 5, 678999, UTC)


class Colour(Enum):
    """A value that is not of JSON, but stands for one that is."""

    RED = "red"


class ClassesTests(SynchronousTestCase):
    """
    The error classes are SocketCluster's.
    """

    def test_names(self) -> None:
        """
        All of the reference's classes are there, each named on the wire as in Python.
        """
        names = """AuthTokenExpiredError AuthTokenInvalidError AuthTokenNotBeforeError AuthTokenError AuthError
            SilentMiddlewareBlockedError InvalidActionError InvalidArgumentsError InvalidOptionsError
            InvalidMessageError SocketProtocolError ServerProtocolError HTTPServerError ResourceLimitError TimeoutError
            BadConnectionError BrokerError ProcessExitError UnknownError""".split()
        for name in names:
            error = getattr(errors, name)("what happened")
            self.assertIsInstance(error, SCError)
            self.assertEqual((error.name, error.message, str(error)), (name, "what happened", "what happened"))

    def test_fields(self) -> None:
        """
        The further fields of a class are set by position, and C{None} where they are not given.
        """
        self.assertEqual(AuthTokenExpiredError("m", MOMENT).expiry, MOMENT)
        self.assertEqual(AuthTokenNotBeforeError("m", MOMENT).date, MOMENT)
        self.assertEqual(SilentMiddlewareBlockedError("m", "inbound").type, "inbound")
        self.assertEqual(SocketProtocolError("m", 4001).code, 4001)
        self.assertEqual(ProcessExitError("m", 3).code, 3)
        self.assertIsNone(AuthTokenExpiredError("m").expiry)
        self.assertIsNone(AuthTokenNotBeforeError("m").date)
        self.assertIsNone(SilentMiddlewareBlockedError("m").type)
        self.assertIsNone(SocketProtocolError("m").code)
        self.assertIsNone(ProcessExitError("m").code)

    def test_badConnectionDefaults(self) -> None:
        """
        A bad connection has code 1001 unless another is given, and the text of a harmless code for its reason.
        """
        cases = [
            (BadConnectionError("m"), (None, 1001, "Socket was disconnected")),
            (BadConnectionError("m", "disconnect", 1000), ("disconnect", 1000, "Socket closed normally")),
            (BadConnectionError("m", "connectAbort", 4001), ("connectAbort", 4001, "")),
            (BadConnectionError("m", "disconnect", 4001, "gone"), ("disconnect", 4001, "gone")),
        ]
        for error, expected in cases:
            self.assertEqual((error.type, error.code, error.reason), expected)

    def test_ownClass(self) -> None:
        """
        A class of an application is named after itself, or as it says.
        """

        class QuotaError(SCError):
            pass

        class Odd(SCError):
            name = "EvenError"

        self.assertEqual((QuotaError("m").name, Odd("m").name), ("QuotaError", "EvenError"))

    def test_copies(self) -> None:
        """
        Errors survive copying and pickling, with all of their attributes.
        """
        error = BadConnectionError("m", "disconnect", 4001, "gone")
        error.isBadToken = True  # type: ignore[attr-defined]
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            self.assertEqual((type(twin), str(twin), vars(twin)), (BadConnectionError, "m", vars(error)))

    def test_statuses(self) -> None:
        """
        The texts of close codes are SocketCluster's; those of harmless codes are apart.
        """
        self.assertEqual(sorted(errors.socketProtocolIgnoreStatuses), [1000, 1001])
        codes = [1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, *range(4000, 4010)]
        self.assertEqual(sorted(errors.socketProtocolErrorStatuses), codes)
        self.assertEqual(errors.socketProtocolErrorStatuses[4008], "Server rejected handshake from client")


class DehydrateTests(SynchronousTestCase):
    """
    L{dehydrateError} makes plain data of an error.
    """

    def dehydrated(self, **attributes: object) -> object:
        """
        @return: The attributes as they would cross the wire.
        """
        error = SCError("m")
        vars(error).update(attributes)
        plain = dehydrateError(error)
        assert isinstance(plain, dict)
        json.dumps(plain, allow_nan=False)
        return {name: value for name, value in plain.items() if name not in ("message", "name")}

    def test_order(self) -> None:
        """
        The message comes first, then the name, the fields of the class, and what the application has set.
        """
        error = BadConnectionError("gone", "disconnect", 4001)
        error.isBadToken = False  # type: ignore[attr-defined]
        expected = [
            ("message", "gone"),
            ("name", "BadConnectionError"),
            ("type", "disconnect"),
            ("code", 4001),
            ("reason", ""),
            ("isBadToken", False),
        ]
        plain = dehydrateError(error)
        assert isinstance(plain, dict)
        self.assertEqual(list(plain.items()), expected)

    def test_fieldNotGiven(self) -> None:
        """
        A field without a value is left out; an attribute that the application set to C{None} is not.
        """
        error = SocketProtocolError("m")
        error.detail = None  # type: ignore[attr-defined]
        self.assertEqual(dehydrateError(error), {"message": "m", "name": "SocketProtocolError", "detail": None})

    def test_otherException(self) -> None:
        """
        Any other exception has its text, the name of its class and its public attributes, and nothing else.
        """
        error = ValueError("bad", 5)
        error.status = 7  # type: ignore[attr-defined]
        error._secret = 8  # type: ignore[attr-defined]
        try:
            raise error
        except ValueError as raised:
            plain = dehydrateError(raised)
        self.assertEqual(plain, {"message": "('bad', 5)", "name": "ValueError", "status": 7})

    def test_ownNameAndMessage(self) -> None:
        """
        A name or a message that an exception has of its own goes before those of Python.
        """

        class Named(Exception):
            name = "SomethingElse"

        error = Named("text")
        self.assertEqual(dehydrateError(error), {"message": "text", "name": "SomethingElse"})
        error.message = "own"  # type: ignore[attr-defined]
        error.name = "Mine"
        self.assertEqual(dehydrateError(error), {"message": "own", "name": "Mine"})

    def test_pythonsOwnName(self) -> None:
        """
        The C{name} that some of Python's exceptions have is the name of something else.
        """
        self.assertEqual(dehydrateError(NameError("n", name="x")), {"message": "n", "name": "NameError"})

    def test_brokenText(self) -> None:
        """
        An exception whose text cannot be made still crosses the wire.
        """

        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        self.assertEqual(dehydrateError(Broken()), {"message": "", "name": "Broken"})

    def test_plainData(self) -> None:
        """
        Plain data used as an error passes through; a dict is led by its message, if it has one.
        """
        for value in ("text", 5, 1.5, True, None, [1, {"a": 2}]):
            self.assertEqual(dehydrateError(value), value)
        plain = dehydrateError({"code": 1, "message": "m"})
        assert isinstance(plain, dict)
        self.assertEqual(list(plain.items()), [("message", "m"), ("code", 1)])
        self.assertEqual(dehydrateError({"code": 1}), {"code": 1})

    def test_functionsAndObjects(self) -> None:
        """
        A function is named as the reference names it, and an object of any other kind after its class.
        """
        self.assertEqual(dehydrateError(len), "[function len]")
        self.assertEqual(dehydrateError(ValueError), "[function ValueError]")
        self.assertEqual(dehydrateError(object()), "object")

    def test_values(self) -> None:
        """
        Values that JSON does not know take the form that they have on the wire.
        """
        expected = {
            "moment": "2020-01-02T03:04:05.678Z",
            "day": "2020-01-02",
            "colour": "red",
            "identity": "00000000-0000-0000-0000-000000000001",
            "amount": "1.50",
            "binary": {"base64": True, "data": "AAE="},
            "pair": [1, 2],
            "endless": None,
            "items": [1, None, {"1": 2}],
        }
        plain = self.dehydrated(
            moment=MOMENT,
            day=date(2020, 1, 2),
            colour=Colour.RED,
            identity=UUID(int=1),
            amount=Decimal("1.50"),
            binary=b"\0\1",
            pair=(1, 2),
            endless=float("inf"),
            items=[1, object(), {"1": 2}],
            function=len,
            collection={1, 2},
        )
        self.assertEqual(plain, expected)

    def test_keys(self) -> None:
        """
        Keys that JSON has a form for stay, others go with what they hold.
        """
        self.assertEqual(self.dehydrated(table={1: "a", None: "b", (1, 2): "c"}), {"table": {1: "a", None: "b"}})

    def test_repeated(self) -> None:
        """
        The second occurrence of an object is a reference to the first.
        """
        shared: dict[str, object] = {"a": [1]}
        expected = {"first": {"a": [1]}, "second": {"$ref": '$["first"]'}, "list": [{"$ref": '$["first"]["a"]'}]}
        self.assertEqual(self.dehydrated(first=shared, second=shared, list=[shared["a"]]), expected)

    def test_cycles(self) -> None:
        """
        An object that contains itself, or the error, ends in a reference.
        """
        error = InvalidActionError("m")
        loop: list[object] = [error]
        loop.append(loop)
        error.loop = loop  # type: ignore[attr-defined]
        error.itself = error  # type: ignore[attr-defined]
        expected = {
            "message": "m",
            "name": "InvalidActionError",
            "loop": [{"$ref": "$"}, {"$ref": '$["loop"]'}],
            "itself": {"$ref": "$"},
        }
        self.assertEqual(dehydrateError(error), expected)

    def test_cause(self) -> None:
        """
        An exception inside an error crosses the wire like one of its own.
        """
        self.assertEqual(self.dehydrated(cause=KeyError("k")), {"cause": {"message": "'k'", "name": "KeyError"}})

    def test_failure(self) -> None:
        """
        A failure stands for its exception: nothing of where it happened crosses the wire.
        """
        try:
            raise InvalidActionError("m")
        except InvalidActionError:
            failure = Failure()
        expected = {"message": "m", "name": "InvalidActionError"}
        self.assertEqual(dehydrateError(failure), expected)
        self.assertEqual(self.dehydrated(cause=failure), {"cause": expected})

    def test_depth(self) -> None:
        """
        What is nested absurdly deep is left out, and does no harm.
        """
        deep: list[object] = []
        for _ in range(10_000):
            deep = [deep]
        text = json.dumps(self.dehydrated(deep=deep))
        self.assertLess(text.count("["), 200)
        self.assertIn("null", text)


class HydrateTests(SynchronousTestCase):
    """
    L{hydrateError} makes an exception of plain data.
    """

    def hydrated(self, value: object) -> SCError:
        """
        @return: The error for a value that is not C{None}.
        """
        error = hydrateError(value)
        assert isinstance(error, SCError)
        return error

    def test_nothing(self) -> None:
        """
        No error is no exception.
        """
        self.assertIsNone(hydrateError(None))

    def test_known(self) -> None:
        """
        The name of a SocketCluster class makes an instance of it, with everything that came.
        """
        fields = {"message": "gone", "name": "BadConnectionError", "code": 4001, "reason": "r", "isBadToken": True}
        error = self.hydrated(fields)
        self.assertIsInstance(error, BadConnectionError)
        self.assertEqual(str(error), "gone")
        self.assertEqual({name: getattr(error, name) for name in fields}, fields)

    def test_unknown(self) -> None:
        """
        Any other name makes an L{SCError} of that name; without one it is called C{Error}, as in JavaScript.
        """
        self.assertEqual(self.hydrated({"message": "m", "name": "QuotaError"}).name, "QuotaError")
        self.assertEqual(self.hydrated({"message": "m"}).name, "Error")
        self.assertEqual(self.hydrated({"message": "m", "name": 5}).name, "Error")
        self.assertEqual(SCError("m").name, "SCError")

    def test_badMessage(self) -> None:
        """
        A message that is no text is replaced.
        """
        for fields in ({"message": 5}, {"name": "TimeoutError"}, {"message": None}):
            self.assertEqual(str(self.hydrated(fields)), "Invalid error message format")

    def test_hostileNames(self) -> None:
        """
        No attribute that the peer names can break the exception; what is merely odd is kept.
        """
        hostile = ("args", "with_traceback", "add_note", "__class__", "__dict__", "__traceback__", "__cause__", "__x__")
        error = self.hydrated({"message": "m", "constructor": 1, "": 2, "\ud800": 3} | dict.fromkeys(hostile, "evil"))
        self.assertIs(type(error), SCError)
        self.assertEqual(error.args, ("m",))
        self.assertEqual(vars(error), {"message": "m", "name": "Error", "constructor": 1, "": 2, "\ud800": 3})
        with self.assertRaises(SCError):
            raise error

    def test_plainData(self) -> None:
        """
        Plain data makes an exception too, with the text for its message and the data as its value.
        """
        cases = [
            ("text", "text"),
            (5, "5"),
            (True, "true"),
            ([1], "Invalid error message format"),
            (10**5000, "Invalid error message format"),
        ]
        for value, text in cases:
            error = self.hydrated(value)
            self.assertEqual((str(error), error.name), (text, "Error"))
            self.assertEqual(vars(error)["value"], value)

    def test_roundTrip(self) -> None:
        """
        An error that crosses the wire twice is the same as after once.
        """
        error = AuthTokenExpiredError("jwt expired", MOMENT)
        error.isBadToken = True  # type: ignore[attr-defined]
        plain = dehydrateError(error)
        again = hydrateError(plain)
        self.assertIsInstance(again, AuthTokenExpiredError)
        self.assertEqual(dehydrateError(again), plain)


class ISOStringTests(SynchronousTestCase):
    """
    L{toISOString} writes moments as JavaScript does.
    """

    def test_texts(self) -> None:
        """
        Milliseconds are cut off, zones become UTC, no zone is UTC, and what UTC cannot express has no text.
        """
        east = timezone(timedelta(hours=2))
        cases = [
            (MOMENT, "2020-01-02T03:04:05.678Z"),
            (datetime(2020, 1, 2, 1, tzinfo=east), "2020-01-01T23:00:00.000Z"),
            (datetime(1, 2, 3), "0001-02-03T00:00:00.000Z"),
            (datetime.min.replace(tzinfo=east), None),
        ]
        for moment, text in cases:
            self.assertEqual(toISOString(moment), text)
