"""A shop with SocketCluster 14's API."""

from agtwisted.errors import AuthError


def start(server):
    stock = {"apples": 5}

    def connected(socket, status):
        # function(data, respond) for what the client emits.
        def buy(data, respond):
            left = stock.get(data["fruit"], 0) - data["count"]
            if left < 0:
                respond(ValueError("So many are not there"))
                return
            stock[data["fruit"]] = left
            respond(None, left)
            server.exchange.publish("stock", stock)

        def login(data, respond):
            socket.setAuthToken({"username": data["username"]}, {"expiresIn": 3600})
            # The client can be asked as well.
            socket.emit("question", "Ready?", lambda error, answer: respond(error, answer))

        socket.on("buy", buy)
        socket.on("login", login)
        socket.on("disconnect", lambda code, data: print("left with", code))

    def mayBuy(request, next):
        if request.event == "buy" and request.socket.authState != request.socket.AUTHENTICATED:
            next(AuthError("Log in first"))
        else:
            next()

    # A function of the request alone decides by returning or raising, and may be a coroutine function.
    async def maySubscribe(request):
        if request.channel.startswith("staff/"):
            raise AuthError("For staff only")

    def stamp(request, next):
        # What the publisher gets to know.
        request.ackData = {"accepted": True}
        next()

    server.on("connection", connected)
    server.addMiddleware(server.MIDDLEWARE_EMIT, mayBuy)
    server.addMiddleware(server.MIDDLEWARE_SUBSCRIBE, maySubscribe)
    server.addMiddleware(server.MIDDLEWARE_PUBLISH_IN, stamp)
    server.exchange.subscribe("gossip").watch(lambda data: print("heard:", data))
