"""The ways to read a stream."""

from twisted.internet.defer import ensureDeferred

from agtwisted import WritableConsumableStream
from agtwisted.errors import TimeoutError


async def loop(name, stream):
    async for value in stream:
        print(name, "got", value)
    print(name, "ended")


# begin consumers
async def consumers():
    stream = WritableConsumableStream()
    stream.write("nobody reads this")
    ensureDeferred(loop("one", stream))
    stream.write("first")
    ensureDeferred(loop("two", stream))
    stream.write("second")
    stream.close()
    await stream.turns.settled()
# end consumers


# begin buffering
async def buffering():
    stream = WritableConsumableStream()
    consumer = stream.createConsumer()
    stream.write("a")
    stream.write("b")
    print("waiting:", consumer.getBackpressure(), stream.getBackpressure())
    print((await consumer.next()).value, (await consumer.next()).value)
    consumer.return_()
# end buffering


# begin once
async def once():
    stream = WritableConsumableStream()
    try:
        await stream.once(timeout=20)
    except TimeoutError as error:
        print(type(error).__name__)
# end once


# begin ending
async def ending():
    for end in ("close", "kill"):
        stream = WritableConsumableStream()
        consumer = stream.createConsumer()
        stream.write("buffered")
        getattr(stream, end)("the end")
        step = await consumer.next()
        print(end, step.value, step.done)
# end ending


# begin turns
async def turns():
    stream = WritableConsumableStream()
    ensureDeferred(loop("reader", stream))
    stream.write("value")
    print("written")
    await stream.turns.settled()
    stream.kill()
    await stream.turns.settled()
# end turns


async def main():
    for part in (consumers, buffering, once, ending, turns):
        print(f"-- {part.__name__}")
        await part()
