"""What stands beside the weights: a model card for people, the record for machines."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from rag.evaluation.statistics import Difference
from rag.models.card import CARD, RECORD
from rag.training.trained import Trained, provenance_json

_CARD = """\
---
{front}---

# {name}

{start}, trained on one collection's own questions by `rag train {config}`. A config uses it by

```yaml
{lines}
```

{then}The licence of {start} ({licence}) goes on; what the questions and
the documents are under, whoever has them must say.
{forced}
## Trained on

{train} questions with {pairs} passages that answer them{drafted}, {wrong} mined ones that do not,
{titles} titles with what stands under them. {steps} steps; the weights of step {best} are kept,
{share} of the way from the start. {ended}.

## Judged by

{judge} questions that were held out from everything else, asked of the whole pipeline before and after:

| nDCG@10 | before | after | gain | 95% interval |
|---|---|---|---|---|
| whole pipeline | {before:.3f} | {after:.3f} | {gain} |
| first stage alone | | | {first} |

It knows this collection and questions like these. On others it may be worse than its start: `rag eval` tells.
The record of the training is in {record}.
"""


def write_card(made: Trained, folder: Path) -> None:
    (folder / CARD).write_text(_card(made), "utf-8")
    text = json.dumps(provenance_json(made), ensure_ascii=False, indent=1)
    (folder / RECORD).write_text(text + "\n", "utf-8")


def _card(made: Trained) -> str:
    plan, judgement = made.plan, made.judgement
    forced = "\n**Installed by force**: it was not shown to be better than its start.\n"
    return _CARD.format(
        front=yaml.safe_dump(_front(made), sort_keys=False),
        name=made.out.name,
        start=made.trainee.name,
        config=made.config,
        licence=made.licence or "not stated",
        lines=made.lines,
        then="Then `rag rebuild --embed` encodes the index anew. " if made.trainee.encodes else "",
        forced="" if judgement.better else forced,
        train=plan.train,
        pairs=plan.pairs,
        drafted=f" ({plan.synthetic} of all questions are synthetic)" if plan.synthetic else "",
        wrong=plan.wrong,
        titles=plan.titles,
        steps=made.course.done,
        best=made.course.best.step,
        share=f"{made.share:.0%}",
        ended=made.course.ended.capitalize(),
        judge=plan.judge,
        before=judgement.before,
        after=judgement.after,
        gain=_cells(judgement.gain),
        first=_cells(judgement.first_stage),
        record=RECORD,
    )


def _front(made: Trained) -> dict[str, object]:
    """What the Hugging Face hub and `rag models` read."""
    licence = {"license": made.licence.lower()} if made.licence else {}
    return {**licence, "base_model": made.trainee.name, "library_name": "sentence-transformers"}


def _cells(gain: Difference) -> str:
    return f"{gain.mean:+.3f} | {gain.low:+.3f} to {gain.high:+.3f}"
