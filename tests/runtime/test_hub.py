"""Calls kept off gevent's hub: in one real thread, and straight where there is no gevent."""

import subprocess
import sys
import threading
from itertools import count

import pytest

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
own = hub.OwnThread()


def until_the_hub_went_on():
    for _ in range(1000):
        if len(ticks) > 3:
            break
        sleep(0.01)
    return ident()


wait = own(until_the_hub_went_on)
threads = {wait(), wait(), own(ident)()}
assert len(threads) == 1 and ident() not in threads, threads
assert len(ticks) > 3, "the hub stood still"
try:
    own(lambda: 1 / 0)()
except ZeroDivisionError:
    print("fine")
assert hub.OwnThread(lambda: False)(ident)() == ident()
"""


def test_without_gevent_it_runs_in_the_caller_s_thread() -> None:
    assert not hub.is_gevent()
    assert hub.OwnThread()(threading.get_ident)() == threading.get_ident()


def test_under_gevent_it_runs_in_one_real_thread_and_the_hub_goes_on() -> None:
    run = subprocess.run([sys.executable, "-c", UNDER_GEVENT], capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout.strip(), run.returncode) == ("fine", 0), run.stderr


def test_long_work_gives_way_and_short_work_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr("time.sleep", lambda _seconds: done.append("others"))
    # Each look at the clock comes three milliseconds after the one before.
    moments = count(step=0.003)
    for item in hub.taking_turns("abcdefg", 2, lambda: next(moments)):
        done.append(item)
    assert done == ["a", "b", "c", "d", "others", "e", "f", "g"]
    done.clear()
    assert list(hub.taking_turns("abc", 1, lambda: 0.0)) == ["a", "b", "c"]
    assert done == []
