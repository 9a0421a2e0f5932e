"""What holds for all tests."""

import os
import signal
import sys
from pathlib import Path

from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A property is about values, not about time, and this machine may be busy.
settings.register_profile("fedspoke", deadline=None)
settings.load_profile("fedspoke")

# envoy and Flower's programs are those of this environment, whether it is activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
