"""The benchmarks find the folder `suite` beside them, as they do when they are run as commands."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
