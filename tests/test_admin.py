"""
Tests of L{agtwisted.admin}.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.web.resource import Resource
from twisted.web.server import Site

from agtwisted import SCServer, admin
from agtwisted.admin import AdminResource, AdminSite
from agtwisted.testing import connect
from tests.test_site import SiteTestCase


class AdminTests(SiteTestCase):
    """
    L{AdminResource} and L{AdminSite}.
    """

    def setUp(self) -> None:
        """
        Make the pages of a server.
        """
        super().setUp()
        self.site = AdminSite(self.server)

    def stats(self, site: Any) -> Any:
        """
        @return: what the page of figures says.
        """
        status, headers, body = self.get(site, "/stats")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        return json.loads(body)

    def test_stats(self) -> None:
        """
        C{/stats} has the server's figures as JSON, and those of the process.
        """
        self.connect()
        self.server.limitHit("maxPayload", "too much")
        found = self.stats(self.site)
        self.assertGreater(found.pop("process")["cpuSeconds"], 0)
        self.assertEqual(found, self.server.stats())
        self.assertEqual((found["connections"], found["limitsHit"]), (1, {"maxPayload": 1}))
        self.assertIsNone(found["longestStall"])

    def test_version14(self) -> None:
        """
        A server of version 14 has the same pages.
        """
        server = SCServer(self.clock)
        connect(server)
        self.assertEqual(self.stats(AdminSite(server))["connections"], 1)

    def test_metrics(self) -> None:
        """
        C{/metrics} has the same in Prometheus's format.
        """
        self.connect()
        status, headers, body = self.get(self.site, "/metrics")
        self.assertEqual((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertIn(b"\nagtwisted_connections 1\n", body)
        self.assertIn(b"\nprocess_cpu_seconds_total ", body)

    def test_healthCheck(self) -> None:
        """
        C{/health-check} is C{OK} while the server is ready, 503 otherwise.
        """
        self.assertEqual(self.get(self.site, "/health-check")[::2], (503, b"Service Unavailable"))
        self.server.start()
        status, headers, body = self.get(self.site, "/health-check")
        self.assertEqual((status, headers["content-type"], body), (200, "text/plain; charset=utf-8", b"OK"))
        self.server.close()
        self.assertEqual(self.get(self.site, "/health-check", "HEAD")[::2], (503, b""))

    def test_fresh(self) -> None:
        """
        Nothing of it is kept anywhere, or taken for anything else.
        """
        for path in ("/stats", "/metrics", "/health-check"):
            headers = self.get(self.site, path)[1]
            self.assertEqual((headers["cache-control"], headers["x-content-type-options"]), ("no-store", "nosniff"), path)

    def test_head(self) -> None:
        """
        HEAD gets the same head, and no body.
        """
        self.patch(admin, "processUsage", lambda: {"pid": 7, "cpuSeconds": 1.5})
        self.server.start()
        for path in ("/stats", "/metrics", "/health-check"):
            status, headers, body = self.get(self.site, path, "HEAD")
            whole = self.get(self.site, path)
            self.assertEqual((status, body), (200, b""), path)
            self.assertEqual(headers["content-type"], whole[1]["content-type"])
            self.assertEqual(int(headers["content-length"]), len(whole[2]))

    def test_nothingElse(self) -> None:
        """
        There is nothing else, and nothing can be sent.
        """
        for path in ("/", "/stats/", "/stats/x", "/socketcluster/", "/health-check/..", "/%2e%2e/stats"):
            for method in ("GET", "HEAD", "POST"):
                self.assertEqual(self.get(self.site, path, method)[0], 404, (method, path))
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            for path in ("/stats", "/metrics", "/health-check"):
                self.assertIn(self.get(self.site, path, method)[0], (405, 501), (method, path))

    def test_mounted(self) -> None:
        """
        The pages can be put into another site, below any path.
        """
        root = Resource()
        root.putChild(b"admin", AdminResource(self.server))
        site = Site(root, reactor=self.clock)
        self.assertEqual(self.get(site, "/admin/stats")[0], 200)
        self.assertEqual(self.get(site, "/admin/health-check")[0], 503)
        self.assertEqual(self.get(site, "/admin/")[0], 404)
        self.assertEqual(self.get(site, "/admin")[0], 404)

    def test_quiet(self) -> None:
        """
        The site writes no access log and keeps no clock for one.
        """
        reactor = MemoryReactorClock()
        self.site.logFile = log = StringIO()
        self.site.reactor = reactor
        self.site.doStart()
        self.get(self.site, "/stats")
        self.assertEqual((log.getvalue(), reactor.getDelayedCalls()), ("", []))
        self.site.doStop()
