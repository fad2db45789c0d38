"""A codec: JSON, compressed, in binary frames."""

import json
import zlib

from zope.interface import implementer

from agtwisted.interfaces import ICodec

LONGEST = 1024 * 1024


@implementer(ICodec)
class CompressingCodec:
    def encode(self, value):
        return zlib.compress(json.dumps(value).encode("utf-8"))

    def decode(self, message):
        if isinstance(message, str):
            return message
        inflater = zlib.decompressobj()
        text = inflater.decompress(message, LONGEST)
        if inflater.unconsumed_tail:
            raise ValueError("The message is too long")
        return json.loads(text)


def start(server):
    server.setCodecEngine(CompressingCodec())
