"""Say what is worth a look at a server, for cron or a monitoring agent: python check.py http://127.0.0.1:9000/stats"""

import json
import sys
from urllib.request import urlopen


def problems(stats):
    process = stats["process"]
    if not stats["isReady"]:
        yield "it takes no clients"
    if process["openDescriptors"] > 0.8 * process["descriptorLimit"]:
        yield f"{process['openDescriptors']} of {process['descriptorLimit']} descriptors are in use"
    if (stats["longestStallLastMinute"] or 0) > 0.25:
        yield f"everybody has waited {stats['longestStallLastMinute']:.2f} s for something"
    if stats["clientsNotReading"] > 100 + stats["connections"] / 10:
        yield f"{stats['clientsNotReading']} of {stats['connections']} clients do not read"
    if stats["inboundMessagesWaiting"] > 100 + stats["connections"]:
        yield f"{stats['inboundMessagesWaiting']} messages wait for middleware or a broker"


if __name__ == "__main__":
    with urlopen(sys.argv[1], timeout=5) as answer:
        found = list(problems(json.load(answer)))
    print("\n".join(found) or "all is well")
    sys.exit(bool(found))
