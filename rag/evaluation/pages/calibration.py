"""The page of a calibration."""

from __future__ import annotations

from collections.abc import Sequence

from rag.evaluation.calibrate import Calibrated, Quality
from rag.evaluation.pages import pictures
from rag.evaluation.pages.page import Page, Section, Table, synthetic
from rag.evaluation.reliability import Bin
from rag.evaluation.separation import curve


def calibration_page(found: Calibrated) -> Page:
    before, after = found.before, found.after
    headline = f"Threshold {found.proposal.threshold:.4f}" if found.proposal.clean else "No clean separation"
    facts = [
        ("Questions", str(len(found.asked)), "fitted and judged on different ones, in turns"),
        ("Calibration error", f"{after.calibration_error:.3f}", f"{before.calibration_error:.3f} before"),
        ("Log loss", f"{after.log_loss:.4f}", f"{before.log_loss:.4f} before"),
    ]
    if found.separation is not None:
        facts.append(("Separation", f"{found.separation:.3f}", "0.5 is chance, 1 is perfect"))
    return Page(
        title=f"rag calibrate: {found.config} on {found.dataset.name}",
        subtitle=f"Reranker {found.reranker}; chosen: {found.chosen}; written to {found.path}.",
        headline=headline,
        verdict=found.proposal.text,
        mood="adopt" if found.proposal.clean else "open",
        facts=facts,
        warnings=synthetic(found.dataset),
        sections=_calibration_sections(found),
    )


def _calibration_sections(found: Calibrated) -> list[Section]:
    sections = [
        _reliability("before", found.bins_before, found.before, found.threshold_before),
        _reliability("after", found.bins_after, found.after, found.proposal.threshold),
    ]
    if found.separation is not None:
        picture = pictures.answer_rates("answer-rates", "Answered and falsely answered", curve(found.asked))
        sections.append(Section("False answers against answers", picture=picture))
    rows = [
        (name, f"{q.log_loss:.4f}", f"{q.calibration_error:.4f}", f"{q.ndcg:.3f}")
        for name, q in {"as configured": found.before, **found.tried}.items()
    ]
    columns = ("held out", "log loss", "calibration error", "ndcg@10")
    sections.append(Section("What was tried", table=Table("What was tried", columns, rows)))
    return sections


def _reliability(when: str, bins: Sequence[Bin], quality: Quality, threshold: float) -> Section:
    title = f"Reliability {when} calibration"
    picture = pictures.reliability(f"reliability-{when}", title, bins, quality.calibration_error, threshold)
    return Section(f"Reliability {when}", picture=picture)
