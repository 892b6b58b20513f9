"""The house is small enough to be walked: how many rooms a question and an ingest pass."""

from __future__ import annotations

import re
import subprocess
import sys

from support.places import ROOT

# Rooms, and moves between them, at most.
MOST = {"question": (15, 48), "ingest": (12, 34)}


def test_a_question_and_an_ingest_pass_few_rooms() -> None:
    walked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "walk.py"], capture_output=True, text=True, check=True
    ).stdout
    heads = re.findall(r"^(\w+): (\d+) rooms, (\d+) moves$", walked, re.MULTILINE)
    assert {name for name, _, _ in heads} == MOST.keys()
    for name, rooms, moves in heads:
        most_rooms, most_moves = MOST[name]
        assert int(rooms) <= most_rooms, walked
        assert int(moves) <= most_moves, walked
