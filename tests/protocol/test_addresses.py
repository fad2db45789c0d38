"""
Tests of L{agtwisted.protocol.addresses}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.addresses import countedAddress


class CountedAddressTests(SynchronousTestCase):
    """
    What the connections of an address are counted under.
    """

    def test_addresses(self) -> None:
        """
        An IPv4 address counts itself, an IPv6 address with its /64 network, whatever stands around either; what is no
        address counts as it is.
        """
        table = {
            "192.0.2.1": "192.0.2.1",
            "192.0.2.1:5000": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
            "2001:db8:1:2::": "2001:db8:1:2::/64",
            "2001:db8:1:3::": "2001:db8:1:3::/64",
            "[2001:db8:1:2::7]": "2001:db8:1:2::/64",
            "[2001:db8:1:2::7]:5000": "2001:db8:1:2::/64",
            "fe80::1%eth0": "fe80::/64",
            "::1": "::/64",
            "unknown": "unknown",
            "_hidden": "_hidden",
            "": "",
            "[": "[",
            "a:b:c": "a:b:c",
            "[]:1:2": "[]:1:2",
        }
        self.assertEqual({address: countedAddress(address) for address in table}, table)
