"""run.json: what made the answers of a run, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.contract import to_json
from rag.runs.outcomes import Results
from rag.runs.provenance import Provenance
from rag.types import IngestReport


@dataclass(frozen=True, slots=True)
class RunFile:
    """`ingest` is None without sources, `results` while the run goes on."""

    config: str
    started: str
    provenance: Provenance
    ingest: IngestReport | None
    results: Results | None = None

    def document(self) -> dict[str, Any]:
        """Counts that do not apply are left out."""
        results = to_json(self.results) or {}
        if results:
            results["counts"] = {name: n for name, n in results["counts"].items() if n is not None}
        return {
            "state": "finished" if self.results else "running",
            "config": self.config,
            "started": self.started,
            **to_json(self.provenance),
            "ingest": to_json(self.ingest),
            **results,
        }
