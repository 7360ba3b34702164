"""The same calls under Python's codecs: ROUNDS CALLS... as arguments, rows of CSV as output."""

import pickle
import sys
import time


class Inventory:
    def __init__(self):
        self.items = 0
        self.worth = 0.0

    def add(self, count, item, prices):
        self.items += count
        self.worth += sum(prices)
        return self.items, self.worth


def codecs():
    yield "Python pickle", pickle.dumps, pickle.loads
    try:
        import serpent
    except ImportError:
        print("left out: serpent is not installed (pip install serpent)", file=sys.stderr)
    else:
        yield "Python serpent", serpent.dumps, serpent.loads


def run(dumps, loads, calls):
    request = {
        "object": (0x0123456789ABCDEF, 0xFEDCBA9876543210),
        "method": "add",
        "arguments": (3, "sixteen letters.", [price * 1.25 for price in range(1, 9)]),
    }
    target = Inventory()
    began = time.perf_counter()
    for _ in range(calls):
        received = loads(dumps(request))
        result = getattr(target, received["method"])(*received["arguments"])
        loads(dumps(result))
    return (time.perf_counter() - began) * 1e3


rounds = int(sys.argv[1])
for name, dumps, loads in codecs():
    for calls in map(int, sys.argv[2:]):
        times = sorted(run(dumps, loads, calls) for _ in range(rounds))
        print(f"{name},{calls},{times[rounds // 2]:.3f}")
