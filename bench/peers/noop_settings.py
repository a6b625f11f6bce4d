from thrad_events.settings import *  # noqa: F403

ROOT_URLCONF = "bench.peers.noop"
