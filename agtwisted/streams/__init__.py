"""
Streams of values: what SocketCluster calls consumable streams, demuxes and stream emitters.

Nothing here knows a socket or a wire. A writer never runs its consumers: they wake together, in a later step of the
reactor's turn (L{agtwisted.streams.turns}).
"""
