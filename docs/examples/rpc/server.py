"""Remote calls in both directions."""

from twisted.internet.defer import ensureDeferred

from agtwisted.errors import TimeoutError


class OutOfStockError(Exception):
    """The client gets this name, the text and the public attributes."""

    def __init__(self, message, left):
        super().__init__(message)
        self.left = left


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        for part in (add, order, slow, listen, ask, count):
            ensureDeferred(part(event.socket))


# begin add
async def add(socket):
    async for request in socket.procedure("add"):
        request.end(sum(request.data))
# end add


# begin order
async def order(socket):
    async for request in socket.procedure("order"):
        try:
            request.end(takeFromStock(request.data))
        except OutOfStockError as error:
            request.error(error)


def takeFromStock(number):
    if number > 2:
        raise OutOfStockError("There are not so many", left=2)
    return {"ordered": number}
# end order


# begin slow
async def slow(socket):
    async for request in socket.procedure("slow"):
        socket.server.reactor.callLater(0.2, request.end, f"{request.data} is done")
# end slow


# begin listen
async def listen(socket):
    async for data in socket.receiver("position"):
        socket.transmit("seen", {"at": data})
# end listen


# begin ask
async def ask(socket):
    async for request in socket.procedure("buy"):
        try:
            answer = await socket.invoke("confirm", {"price": request.data}, ackTimeout=500)
        except TimeoutError:
            request.end("nobody answered")
        except Exception as error:
            request.error(error)
        else:
            request.end("bought" if answer else "not bought")
# end ask


# begin count
async def count(socket):
    async for request in socket.procedure("count"):
        socket.startBatch()
        for number in range(3):
            socket.transmit("number", number)
        request.end()
        socket.flushBatch()
# end count
