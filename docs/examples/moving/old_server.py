"""What there was: an application with the API of version 14."""


def start(server):
    def connected(socket):
        socket.on("hello", lambda data, respond: respond(None, f"Hello {data}"))
        socket.on("shout", lambda data: server.exchange.publish("wall", data))

    server.on("connection", connected)
