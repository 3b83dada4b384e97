"""`make bench`: prints the figures of the design as ratios of this run, and keeps them in bench/results.json."""

from __future__ import annotations

import sys

from bench.figures import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
