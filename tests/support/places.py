"""Where things lie in this project."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
HANDBOOK = ROOT / "data" / "handbook"
CONFIGS = sorted(set((ROOT / "configs").glob("*.yaml")) - {ROOT / "configs" / "results.yaml"})
