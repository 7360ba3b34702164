"""A proxy carries one call at a time: callers at once are threads with a proxy each."""

import json
import sys
import threading
import time

import Pyro5.api

uri = sys.argv[1]


def alone(count):
    times = []
    with Pyro5.api.Proxy(uri) as counter:
        for _ in range(count):
            sent = time.perf_counter()
            counter.increment(1)
            times.append((time.perf_counter() - sent) * 1e6)
    return sorted(times)


def together(callers, seconds=3.0):
    calls = [0] * callers
    until = time.perf_counter() + seconds

    def call(index):
        with Pyro5.api.Proxy(uri) as counter:
            while time.perf_counter() < until:
                counter.increment(1)
                calls[index] += 1

    threads = [threading.Thread(target=call, args=(index,)) for index in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(calls) / seconds


alone(500)
times = alone(5000)
print(json.dumps({
    "name": "Pyro5 (serpent)",
    "p50_us": times[len(times) // 2],
    "p99_us": times[len(times) * 99 // 100],
    "c64_per_s": together(64),
    # Its server has a thread for each connection, 40 at most by default; more are not tried.
    "c512_per_s": None,
}))
