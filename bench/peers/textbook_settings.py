from thrad_events.settings import *  # noqa: F403
from thrad_events.settings import DATABASES

ROOT_URLCONF = "bench.peers.textbook"
# As every guide to Django in production says.
DATABASES["default"]["CONN_MAX_AGE"] = None
