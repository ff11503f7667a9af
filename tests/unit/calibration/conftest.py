"""Makes the model liquid of ``tests/unit/harmonic_liquid.py`` importable without a package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
