#!/usr/bin/env python
"""What the bundled model can tell apart, and what it cannot: a table.

    python scripts/behaviour.py [--reader FOLDER]

Each case is a question with a passage that answers it and one that nearly does; counted is how often the
answering passage has the higher score. With a reader, what that makes of each case.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.calibration import sigmoid
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.models import token_bits
from rag.models.cross_encoder import load_cross_encoder


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    question: str
    answers: str
    other: str


_PUMP = (
    "The pump house stands beside the weir and was built in 1931 of local granite. Two diesel engines drive "
    "the pumps in turn, each for a week. The engines are started by compressed air. A log of hours is "
    "kept by the door and signed by whoever starts an engine. Visitors are asked to wear ear protection, and "
    "children are not admitted. The roof was renewed with slate after the storm of 1987, and the windows on "
    "the river side are kept shut in winter, since the spray freezes on the sills. In summer the doors stand "
    "open and swallows nest under the beams, which nobody minds. The crane above the engines lifts four tons "
    "and is tested every other spring by the insurer, who keeps the certificates. "
)

CASES = (
    Case(
        "negation",
        "Which filters may be washed?",
        "The cloth filters may be washed in warm water. The paper filters must never be washed.",
        "No filter of this unit may be washed. Replace each of them after six months.",
    ),
    Case(
        "negation",
        "Is the museum open on Mondays?",
        "The museum is open daily from ten to six, Mondays included.",
        "The museum cafe has tables in the courtyard and serves lunch until three.",
    ),
    Case(
        "negation",
        "Who did not sign the treaty?",
        "Of the five duchies only Arden refused to sign the treaty.",
        "The treaty was signed by the dukes of Berrow, Calder, Deane and Elland.",
    ),
    Case(
        "number",
        "What is the torque for the M8 bolts?",
        "Tighten M6 bolts to 10 Nm and M8 bolts to 25 Nm.",
        "Tighten M6 bolts to 10 Nm and M10 bolts to 49 Nm.",
    ),
    Case(
        "number",
        "What did revenue amount to in 2019?",
        "Revenue was 4.1 million in 2019 and fell to 3.2 million in the year after.",
        "Revenue was 2.7 million in 2016 and rose to 3.9 million in 2018.",
    ),
    Case(
        "number",
        "What happens at error code 417?",
        "Code 417: the door is not locked. Close it and press start.",
        "Code 471: the water inlet is blocked. Clean the sieve and press start.",
    ),
    Case(
        "unit",
        "How heavy is the battery?",
        "The battery weighs 11 kilograms and fits under the seat.",
        "The battery holds 48 volts and 11 ampere hours and fits under the seat.",
    ),
    Case(
        "unit",
        "How long is the cable in metres?",
        "A cable of 15 metres is included.",
        "Charging by cable takes 15 minutes.",
    ),
    Case(
        "unit",
        "At what temperature does the alarm sound?",
        "The alarm sounds at 70 degrees.",
        "The alarm sounds at a pressure of 70 bar.",
    ),
    Case(
        "entity",
        "Who designed the Lindow bridge?",
        "The Lindow bridge was designed by Hanna Ekberg and opened in 1958.",
        "The Marlow bridge was designed by Hanna Ekberg and opened in 1958.",
    ),
    Case(
        "entity",
        "Where was Tomas Arvid born?",
        "Tomas Arvid was born in Lund; his brother Nils in Malmo.",
        "Nils Arvid was born in Malmo and went to school with his cousin.",
    ),
    Case(
        "entity",
        "What is the capital of Varenia?",
        "Varenia's government sits in its capital, Ostrova.",
        "The capital of Kelmark is Ostrova, on the river Tarn.",
    ),
    Case(
        "asks for another thing",
        "When was the lighthouse built?",
        "The lighthouse was built in 1862 by the harbour board.",
        "The lighthouse was built by the harbour board of grey stone and stands on the northern pier.",
    ),
    Case(
        "asks for another thing",
        "What are the side effects of Paronil?",
        "Paronil may cause headache and, rarely, a rash.",
        "Paronil is taken twice a day with water. It is prescribed for pain in the joints.",
    ),
    Case(
        "asks for another thing",
        "Why did the dam fail?",
        "The dam failed because water had washed out the clay under its foundation.",
        "The dam failed in the night of 3 March. Forty houses in the valley were lost.",
    ),
    Case(
        "title only",
        "How is the access card renewed?",
        "Access card\nTo renew it, bring the old card and a photograph to the porter's lodge.",
        "How to renew the access card\nThis page was last changed in May. See also: parking, keys, lockers.",
    ),
    Case(
        "title only",
        "What does the warranty cover?",
        "Warranty\nMotor and gearbox are covered for five years, all other parts for two.",
        "What the warranty covers\nThank you for choosing one of our products. Please read all pages.",
    ),
    Case(
        "end of a long passage",
        "Where is the key of the fuel store kept?",
        _PUMP + "The key of the fuel store hangs behind the clock.",
        _PUMP + "The fuel store is filled by lorry twice a year.",
    ),
    Case(
        "end of a long passage",
        "How much oil do the engines need?",
        _PUMP + "Each engine takes nine litres of oil.",
        _PUMP + "Oil is bought in Hull.",
    ),
    Case(
        "another language",
        "When is the ferry cancelled?",
        "The ferry is cancelled when waves are higher than two metres.",
        "Die Fahrkarten gibt es am Schalter oder an Bord, Kinder fahren zum halben Preis.",
    ),
    Case(
        "another language",
        "When is the ferry cancelled?",
        "Die Fähre fällt aus, wenn die Wellen höher als zwei Meter sind.",
        "Die Fähre fährt viermal am Tag und nimmt auch Fahrräder mit.",
    ),
    Case(
        "another language",
        "Wann fällt die Fähre aus?",
        "Die Fähre fällt aus, wenn die Wellen höher als zwei Meter sind.",
        "Die Fähre fährt viermal am Tag und nimmt auch Fahrräder mit.",
    ),
)


def main() -> None:
    options = _options()
    print(table(CASES))
    if options.reader:
        print(f"\n{with_reader(CASES, options.reader)}")


def table(cases: Sequence[Case]) -> str:
    """How many of each kind the default's two scores get right."""
    told: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for case in cases:
        told[case.kind].append(_told(case))
    lines = ["| | cases | late interaction | cosine |", "|---|---|---|---|"]
    for kind, found in told.items():
        late, cosine = (sum(column) for column in zip(*found, strict=True))
        lines.append(f"| {kind} | {len(found)} | {late} | {cosine} |")
    return "\n".join(lines)


def with_reader(cases: Sequence[Case], model: Path) -> str:
    """Told apart: one half lies between them. Ranked: the answer is above the other."""
    pairs = load_cross_encoder(model, "auto", "auto", None)
    lines = ["| | question | the answer | the other | |", "|---|---|---|---|---|"]
    for case in cases:
        good, bad = map(sigmoid, pairs.score(case.question, [case.answers, case.other], None, 1024)[0])
        told = "told apart" if good >= 0.5 > bad else "ranked" if good > bad else "wrong"
        lines.append(f"| {case.kind} | {case.question} | {good:.2f} | {bad:.2f} | {told} |")
    return "\n".join(lines)


def _told(case: Case) -> tuple[bool, bool]:
    """Whether late interaction and the cosine prefer the answer."""
    embedder = SentenceTransformersSettings(precision="fp32").build()
    asked = embedder.embed_question(case.question)
    good, bad = embedder.embed_passages([case.answers, case.other])
    assert asked.tokens is not None
    assert good.tokens is not None
    assert bad.tokens is not None
    late = token_bits.maxsim_bits(asked.tokens, [good.tokens, bad.tokens])
    return bool(late[0] > late[1]), bool(good.vector @ asked.vector > bad.vector @ asked.vector)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reader", type=Path, help="folder of a cross-encoder that is to be tried too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
