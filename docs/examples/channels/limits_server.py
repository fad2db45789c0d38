"""Nobody but the server publishes, and a client has two channels at most."""

options = {"allowClientPublish": False, "socketChannelLimit": 2}


def start(server):
    pass
