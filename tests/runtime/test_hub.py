"""Calls kept off gevent's hub: in one real thread, and straight where there is no gevent."""

import subprocess
import sys

from runtime import hub

UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import threading, time
import gevent
from gevent.threadpool import ThreadPool
from runtime import hub

sleep = monkey.get_original("time", "sleep")
ident = monkey.get_original("threading", "get_ident")
assert hub.is_gevent()
ticks = []
gevent.spawn(lambda: [(ticks.append(1), gevent.sleep(0.01)) for _ in range(20)])
wait = hub.off_the_hub(lambda seconds: (sleep(seconds), ident())[1])
threads = {wait(0.1), wait(0.1)}
assert len(threads) == 1 and ident() not in threads, threads
assert len(ticks) > 3, "the hub stood still"
try:
    hub.off_the_hub(lambda: 1 / 0)()
except ZeroDivisionError:
    print("fine")
"""


def test_without_gevent_the_function_is_left_as_it_is():
    assert not hub.is_gevent()
    assert hub.off_the_hub(len) is len


def test_under_gevent_it_runs_in_one_real_thread_and_the_hub_goes_on():
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout.strip(), run.returncode) == ("fine", 0), run.stderr
