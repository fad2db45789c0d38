"""
Tests of L{agtwisted.prometheus}.
"""

from __future__ import annotations

import re

from agtwisted.prometheus import expose
from agtwisted.server.statistics import FIGURES
from tests.server.support import ServerTestCase

USAGE = {"pid": 7, "cpuSeconds": 1.5, "residentBytes": 4096, "openDescriptors": 5, "descriptorLimit": 1024}


class ExposeTests(ServerTestCase):
    """
    L{expose}.
    """

    def samples(self, text: str) -> dict[str, str]:
        """
        Read the format as strictly as Prometheus does.

        @return: the values, by name and labels.
        """
        self.assertTrue(text.endswith("\n"))
        found: dict[str, str] = {}
        types: dict[str, str] = {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                self.assertRegex(line, r"\A# HELP [a-z_]+ [^\\]+\Z")
            elif line.startswith("# TYPE "):
                name, type = line.split()[2:]
                self.assertIn(type, ("counter", "gauge"))
                self.assertNotIn(name, types)
                self.assertEqual(type == "counter", name.endswith("_total"))
                types[name] = type
            else:
                sample = re.fullmatch(r'(([a-z_]+)(?:\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"\})?) (\S+)', line)
                assert sample is not None, line
                self.assertIn(sample[2], types)
                self.assertNotIn(sample[1], found)
                float(sample[3])
                found[sample[1]] = sample[3]
        return found

    def test_values(self) -> None:
        """
        Every figure that has a value is there, under its own name; those of processes under Prometheus's.
        """
        self.connect()
        self.server.stalls.start()
        self.addCleanup(self.server.stalls.stop)
        self.server.limitHit("socketChannelLimit", "too many")
        self.server.limitHit("socketChannelLimit", "too many")
        self.server.limitHit("maxPayload", "too much")
        stats = self.server.stats()
        found = self.samples(expose(stats, USAGE))
        self.assertEqual(found.pop(f'agtwisted_info{{version="{stats["version"]}"}}'), "1")
        self.assertEqual(found.pop('agtwisted_limits_hit_total{limit="socketChannelLimit"}'), "2")
        self.assertEqual(found.pop('agtwisted_limits_hit_total{limit="maxPayload"}'), "1")
        self.assertEqual(found.pop("agtwisted_ready"), "1")
        for name, value in (
            ("process_cpu_seconds_total", "1.5"),
            ("process_resident_memory_bytes", "4096"),
            ("process_open_fds", "5"),
            ("process_max_fds", "1024"),
        ):
            self.assertEqual(found.pop(name), value)
        plain = {figure.metric: str(stats[figure.name]) for figure in FIGURES}
        self.assertEqual(found, {name: value for name, value in plain.items() if name in found})
        self.assertEqual(len(found), len(FIGURES) - 3)
        self.assertEqual(found["agtwisted_connections"], "1")

    def test_leftOut(self) -> None:
        """
        What nobody measures is left out.
        """
        found = self.samples(expose(self.server.stats(), {"pid": 7}))
        for name in ("agtwisted_longest_stall_seconds", "process_open_fds"):
            self.assertNotIn(name, found)
        self.assertEqual(found["agtwisted_ready"], "0")

    def test_labels(self) -> None:
        """
        A label may hold anything.
        """
        self.server.limitHit('a\\b"c\nd', "too much")
        found = self.samples(expose(self.server.stats(), {}))
        self.assertEqual(found['agtwisted_limits_hit_total{limit="a\\\\b\\"c\\nd"}'], "1")
