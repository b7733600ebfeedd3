"""Starts the demo cooperative: `./run demo`, or `python deploy/demo` inside the environment."""

from __future__ import annotations

import sys
from pathlib import Path

# The folder itself stands first on the path when it is executed; the project's root is what the imports mean.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from deploy.demo.app import main  # noqa: E402  the path comes first

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
