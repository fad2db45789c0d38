"""
A session of Python's C{socketclusterclient}, a synchronous client by other people, run as a process of its own:
C{python pythonclient.py URL}. It writes what it sees, one JSON array a line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from typing import Any

from socketclusterclient import Socketcluster

Step = Callable[[Any, Callable[..., None]], None]
Story = Generator[Step, Any, None]


def record(*seen: Any) -> None:
    """
    Write down what was seen.
    """
    print(json.dumps(seen), flush=True)


def call(name: str, data: Any) -> Step:
    """
    @return: the step of calling a procedure.
    """
    return lambda client, acknowledge: client.emitack(name, data, acknowledge)


def story() -> Story:
    """
    What the client does, one step after the other; each step gives the error and the data of the answer.
    """
    values: list[Any] = [{"text": "äöü 日本語", "list": [1, 2.5, None, True]}, 0, False, "", []]
    for data in values:
        record("echo", *(yield call("echo", data)))
    error, _ = yield call("fail", {"name": "OutOfStockError", "message": "None left", "left": 0})
    record("fail", error["name"], error["message"], error["left"])
    record("subscribe", *(yield lambda client, acknowledge: client.subscribeack("news", acknowledge)))
    record("publish", *(yield lambda client, acknowledge: client.publishack("news", {"n": 1}, acknowledge)))
    record("callBack", *(yield call("callBack", {"procedure": "question", "data": 21})))
    record("login", *(yield call("login", {"username": "ann"})))
    record("unsubscribe", *(yield lambda client, acknowledge: client.unsubscribeack("news", acknowledge)))
    record("publish", *(yield lambda client, acknowledge: client.publishack("news", {"n": 2}, acknowledge)))
    record("done", *(yield call("echo", "done")))


class Session:
    """
    One connection and what is done over it.
    """

    def __init__(self, url: str, steps: Story, token: str | None = None) -> None:
        self.token = token
        self._steps = steps
        self._client = Socketcluster.socket(url)
        if token is not None:
            self._client.setAuthtoken(token)
        self._client.setBasicListener(
            lambda client: record("connected"),
            lambda client: record("disconnected"),
            lambda client, error: record("error", str(error)),
        )
        self._client.setAuthenticationListener(self._tokenSet, self._authenticated)
        self._client.onchannel("news", lambda name, data: record("published", name, data))
        self._client.onack("question", lambda name, data, answer: answer(None, data * 2))

    def run(self) -> None:
        """
        Connect, play all steps and disconnect.
        """
        self._client.connect()

    def _tokenSet(self, client: Any, token: str) -> None:
        self.token = token
        record("token", len(token.split(".")))

    def _authenticated(self, client: Any, isAuthenticated: bool) -> None:
        record("authenticated", isAuthenticated)
        self._play(lambda: next(self._steps))

    def _play(self, step: Callable[[], Step]) -> None:
        try:
            step()(self._client, self._acknowledged)
        except StopIteration:
            self._client.disconnect()

    def _acknowledged(self, name: str, error: Any, data: Any) -> None:
        # This client reads a missing member as an empty text.
        self._play(lambda: self._steps.send((error, data)))


def main(url: str) -> None:
    """
    Play the story, and come back with the token from it.
    """
    first = Session(url, story())
    first.run()
    second = Session(url, (step for step in [call("echo", "again")]), first.token)
    second.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
