"""
Addresses of clients, as far as limits for each of them go.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

#: Bits of an IPv6 address that tell one customer's network from another's.
_NETWORK_BITS = 64


def countedAddress(address: str) -> str:
    """
    @param address: a client's address, as a socket or a proxy has it; a port and brackets may be around it.
    @return: what its connections are counted under: an IPv4 address itself, and of an IPv6 address its /64 network, which
        one customer has for itself. What is neither counts as it is.
    """
    if ":" not in address:
        return address
    bare = address[1:].partition("]")[0] if address.startswith("[") else address
    if bare.count(":") == 1:
        return bare.partition(":")[0]
    try:
        parsed = IPv6Address(bare.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, _NETWORK_BITS), strict=False))
