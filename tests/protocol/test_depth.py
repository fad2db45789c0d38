"""
Tests of L{agtwisted.protocol.depth}.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.depth import (
    TooDeep,
    checkingDepth,
    isDecodedDeeper,
    isDeeper,
    isDeeperInSteps,
    isTextDeeper,
    isTextFuller,
)
from agtwisted.protocol.steps import finish


def nested(depth: int) -> str:
    """
    @return: JSON with so many levels, lists and objects in turn.
    """
    text = "1"
    for level in range(depth):
        text = f"[{text}]" if level % 2 else f'{{"a":{text}}}'
    return text


def grown(random: Random, depth: int) -> Any:
    """
    @return: any value, with texts that look like brackets and quotation marks.
    """
    if depth == 0 or random.random() < 0.2:
        return random.choice([1, None, "]", "[[", '"', "\\", '\\"]', "{", "\\\\", ""])
    inner = [grown(random, depth - 1) for _ in range(random.randrange(4))]
    return inner if random.random() < 0.5 else {f'{number}["\\': each for number, each in enumerate(inner)}


def depthOf(value: Any) -> int:
    """
    @return: the levels of a value, found in the simplest way.
    """
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depthOf, value), default=0) if isinstance(value, list) else 0


def containersOf(value: Any) -> int:
    """
    @return: the lists and dicts of a value, found in the simplest way.
    """
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + sum(map(containersOf, value)) if isinstance(value, list) else 0


class FullnessTests(SynchronousTestCase):
    """
    How many lists and dicts there are.
    """

    def test_anything(self) -> None:
        """
        They are counted in the text, whatever brackets the strings in it have.
        """
        random = Random(20261122)
        for _ in range(500):
            value = grown(random, 5)
            count = containersOf(value)
            for limit in {count - 1, count, count + 1} - {-1}:
                self.assertEqual(isTextFuller(json.dumps(value).encode(), limit), count > limit, value)

    def test_noJSON(self) -> None:
        """
        What is no JSON holds nothing; JSON that breaks off as much as it got.
        """
        for text in (b"", b"x" + b"[" * 1000, b'"' + b"[" * 1000, b"]" * 1000, b'["' + b"[" * 1000, b"[" * 9):
            self.assertFalse(isTextFuller(text, 9), text)
        for text in (b"[" * 10, b" {" + b'"a":[' * 9, b"[" * 1_000_000, b"[[]" + b",{}" * 9):
            self.assertTrue(isTextFuller(text, 9), text[:20])


class DepthTests(SynchronousTestCase):
    """
    How deep is deep.
    """

    def test_limit(self) -> None:
        """
        As many levels as may be are not too many, one more is, whatever stands beside and behind them.
        """
        for limit in (3, 7, 256, 300):
            for before, after in (("", ""), ("[1,[],", ',{"b":[]}]'), (' \n["[[[[","\\"[","\\\\",', "]")):
                deep = limit - bool(after)
                text = f"{before}{nested(deep)}{after}"
                self.assertFalse(isTextDeeper(text.encode(), limit), (limit, before))
                self.assertFalse(isDeeper(json.loads(text), limit))
                self.assertFalse(finish(isDeeperInSteps(json.loads(text), limit)))
                text = f"{before}{nested(deep + 1)}{after}"
                self.assertTrue(isTextDeeper(text.encode(), limit), (limit, before))
                self.assertTrue(isDeeper(json.loads(text), limit))
                self.assertTrue(finish(isDeeperInSteps(json.loads(text), limit)))

    def test_anything(self) -> None:
        """
        Texts and values are judged alike, whatever brackets the strings in them have.
        """
        random = Random(20261121)
        for _ in range(500):
            value = grown(random, 6)
            depth = depthOf(value)
            for limit in range(1, 8):
                self.assertEqual(isDeeper(value, limit), depth > limit, value)
                self.assertEqual(finish(isDeeperInSteps(value, limit)), depth > limit, value)
                self.assertEqual(isTextDeeper(json.dumps(value).encode(), limit), depth > limit, value)

    def test_many(self) -> None:
        """
        A message with very many arrays and objects is judged as one with few.
        """
        for count in (300, 40_000):
            for deep, expected in ((256, False), (257, True)):
                payload = f"[{'[],' * count}{nested(deep - 1)}]".encode()
                self.assertIs(isDecodedDeeper(payload, json.loads(payload), 256), expected, (count, deep))
        self.assertFalse(isDecodedDeeper(nested(256).encode(), None, 256))

    def test_noJSON(self) -> None:
        """
        What is no JSON is not deep; JSON that breaks off is as deep as it got.
        """
        for text in (b"", b"x" + b"[" * 1000, b'"' + b"[" * 1000, b"]" * 1000, b'["' + b"[" * 1000):
            self.assertFalse(isTextDeeper(text, 9), text)
        for text in (b"[" * 10, b" {" + b'"a":[' * 9, b"[" * 1_000_000, b"[]" * 5000 + b"[" * 10):
            self.assertTrue(isTextDeeper(text, 9), text[:20])

    def test_scalars(self) -> None:
        """
        A text or a number has no levels.
        """
        for value in ("[[[", 1, None, b"[["):
            self.assertFalse(isDeeper(value, 1))
            self.assertFalse(finish(isDeeperInSteps(value, 1)))

    def test_steps(self) -> None:
        """
        Long values are looked at piece by piece, also those of many lists.
        """
        for value in ([0] * 500_000, [[0] * 1000] * 500, {str(n): [] for n in range(200_000)}):
            steps = 0
            for _ in isDeeperInSteps(value, 256):
                steps += 1
            self.assertGreater(steps, 3)

    def test_checking(self) -> None:
        """
        What decodes can be made to refuse what is too deep.
        """
        decode = checkingDepth(json.loads, 2)
        self.assertEqual(decode(b"[[1]]"), [[1]])
        self.assertRaises(TooDeep, decode, b"[[[1]]]")
