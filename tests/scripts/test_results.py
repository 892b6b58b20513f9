"""Each claimed figure names the command that gives it, and a figure that does not hold is told."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from results import RESULTS, Claim, figure, judge, read
from support.docs import COMMANDS
from support.places import ROOT

CLAIMS = read(RESULTS)


def a_claim(**changes: object) -> Claim:
    prints = """import json; print(json.dumps({"after": {"ndcg@10": 0.7004}, "rows": [{"p": 1}]}))"""
    told = {
        "claim": "a test",
        "command": shlex.join(["python3", "-c", prints]),
        "figure": "after.ndcg@10",
        "expected": 0.7,
        "tolerance": 0.001,
    }
    return Claim.model_validate({**told, **changes})


def test_a_figure_within_the_tolerance_is_ok_and_one_beyond_is_told_with_the_difference() -> None:
    assert judge(a_claim(), None) == ("OK", "0.7004, claimed 0.7 ± 0.001 (+0.0004)")
    word, told = judge(a_claim(expected=0.75), None)
    assert word == "DIFF"
    assert "(-0.0496)" in told


def test_a_public_set_that_is_not_there_is_skipped_and_named(tmp_path: Path) -> None:
    needing = a_claim(command="rag eval configs/default.yaml {data}/scifact --json")
    assert needing.dataset == "scifact"
    for data in (None, tmp_path):
        assert judge(needing, data) == ("SKIP", "needs scifact in --data")


def test_a_command_that_fails_is_no_figure() -> None:
    with pytest.raises(SystemExit, match="failed"):
        judge(a_claim(command="python3 -c 'raise SystemExit(3)'"), None)


def test_figures_are_found_in_lists_too() -> None:
    assert figure({"rows": [{"p": 1}]}, ["rows", "0", "p"]) == 1.0


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.claim)
def test_a_claim_names_a_command_that_exists(claim: Claim) -> None:
    program, name, *arguments = shlex.split(claim.command)
    assert program == "rag"
    assert "--json" in arguments
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("-")} <= options
    for argument in arguments:
        if argument.startswith(("configs/", "data/")):
            assert (ROOT / argument).exists()


def test_claims_are_told_apart() -> None:
    names = [claim.claim for claim in CLAIMS]
    assert len(names) == len(set(names)) > 5


def test_the_tables_default_column_is_what_the_results_claim() -> None:
    """The README's table and results.yaml cannot drift apart."""
    claimed = {c.claim: c.expected for c in CLAIMS if c.claim.endswith(": default, nDCG@10")}
    table = re.search(
        r"<!-- table:quality -->(.*?)<!-- /table -->", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert table
    shown = {
        cells[0]: float(cells[-1].split()[0])
        for row in table.group(1).splitlines()
        if (cells := [cell.strip() for cell in row.strip("| ").split("|")]) and re.match(r"\d", cells[-1])
    }
    before, after = re.findall(r"^ ndcg@10 +(\S+) +(\S+)$", (ROOT / "README.md").read_text(), re.MULTILINE)[0]
    figures = {claim.claim: claim.expected for claim in CLAIMS}
    assert float(before) == figures["handbook: hybrid, nDCG@10"]
    assert float(after) == figures["handbook: default, nDCG@10"]
    compared = 0
    for name, expected in claimed.items():
        assert shown[name.removesuffix(": default, nDCG@10")] == pytest.approx(expected, abs=0.0006)
        compared += 1
    assert compared >= 5
