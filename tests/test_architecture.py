"""The shape of the code, as rules: imports point one way, and each SDK has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from support.places import ROOT

FILES = sorted((ROOT / "rag").rglob("*.py"))
# From the ground up. A part imports from layers below its own, and within its own folder.
LAYERS = (
    "errors types threads markdown shown",
    "calibration files filters loaders selection services",
    "config_errors feedback models protocols trace",
    "parts",
    "answers chunkers embedders index rerankers stores",
    "worker",
    "generators ingest retrievers second_stage",
    "pipeline settings",
    "assembly",
    "inspection",
    "api",
    "contract",
    "runs",
    "evaluation",
    "training",
    "cli",
)
ADAPTERS = {"loaders", "chunkers", "embedders", "stores", "rerankers", "generators", "retrievers"}
# A folder is the home of all its files.
HOMES = {
    "chromadb": {"stores.chroma", "stores.chroma_folder", "stores.chroma_service"},
    "cohere": {"rerankers.cohere"},
    "httpx": {"services.http", "rerankers.cohere"},
    "openai": {"generators.openai", "embedders.openai", "services.openai"},
    "tantivy": {"index.lexical"},
    "torch": {
        "models.torch_bi_encoder",
        "models.torch_cross_encoder",
        "models.torch_reading",
        "models.onnx_runtime",
        "training.learning",
    },
    "onnxruntime": {"models.onnx_runtime"},
    "sentence_transformers": {
        "models.torch_bi_encoder",
        "models.torch_cross_encoder",
        "rerankers.multi_vector",
        "training.learning",
    },
    "transformers": {
        "models.torch_bi_encoder",
        "models.torch_cross_encoder",
        "models.torch_reading",
        "models.onnx_runtime",
        "training.learning.device",
    },
    "nncf": {"models.int8"},
    "openvino": {"models.openvino", "models.graph"},
    "huggingface_hub": {"models.folder"},
    "pydantic_settings": {"settings"},
    "typer": {"cli"},
    "rich": {"cli"},
    "watchfiles": {"cli.watching"},
    "matplotlib": {"evaluation.pages.pictures"},
    "ir_measures": {"evaluation.metrics"},
    "sklearn": {"evaluation.fitting"},
    "scipy": {"evaluation.statistics"},
}
# Where untrusted input enters: files, environment, services. Inside, values are frozen dataclasses.
VALIDATES = {
    *ADAPTERS,
    "answers.confidence",
    "config_errors",
    "parts",
    "settings",
    "second_stage.policy",
    "second_stage.fitted",
    "services",
    "runs.questions",
    "runs.line",
    "feedback",
    "models.card",
    "answers.reader",
    "evaluation.dataset",
}
READS_ENVIRONMENT = {
    "config_errors",
    "services.account",
    "services.offline",
    "models.torch_bi_encoder",
    "models.int8",
    "cli.app",
    "cli.opening",
}
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "chromadb",
    "openai",
    "cohere",
    "tantivy",
    "huggingface_hub",
    "openvino",
    "nncf",
    "onnxruntime",
}


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT / "rag").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(module: str) -> str:
    return module.split(".")[0]


@cache
def parsed(file: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(file.read_text("utf-8"))))


def imports(file: Path) -> set[str]:
    """Every module that a file imports, at its top, under TYPE_CHECKING or in a function."""
    return {name for node in parsed(file) for name in _imported(node)}


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        module = node.module or ""
        yield from (f"rag.{alias.name}" for alias in node.names) if module == "rag" else (module,)


def own(file: Path) -> set[str]:
    """The parts of this package that a file imports."""
    found = {module.removeprefix("rag.") for module in imports(file) if part_of(module) == "rag"}
    return {module for module in found if not module.startswith("__")}


def calls(file: Path, function: str) -> list[ast.Call]:
    found = [node for node in parsed(file) if isinstance(node, ast.Call)]
    return [call for call in found if isinstance(call.func, ast.Name) and call.func.id == function]


LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts.split()}


def offenders(rule: Callable[[Path], object]) -> dict[str, object]:
    """Of every file that breaks a rule, what it breaks it with."""
    return {name_of(file): broken for file in FILES if (broken := rule(file))}


def test_every_part_has_its_layer() -> None:
    assert {part_of(name_of(file)) for file in FILES} - {""} == set(LEVEL)


def test_imports_point_downwards() -> None:
    def upwards(file: Path) -> set[str]:
        part = part_of(name_of(file))
        if not part:
            return set()  # the public face names what is above and imports it when asked
        return {name for name in own(file) if part_of(name) != part and LEVEL[part_of(name)] >= LEVEL[part]}

    assert not offenders(upwards)


def test_no_adapter_imports_another_kind_of_adapter() -> None:
    def others(file: Path) -> set[str]:
        part = part_of(name_of(file))
        return {part_of(name) for name in own(file)} & (ADAPTERS - {part}) if part in ADAPTERS else set()

    assert not offenders(others)


def test_the_pipeline_knows_no_adapter_no_index_and_no_settings() -> None:
    for part in (
        "pipeline",
        "second_stage/rank",
        "selection",
        "index/fusion",
        "answers/prompt",
        "protocols",
        "types",
    ):
        known = {part_of(name) for name in own(ROOT / "rag" / f"{part}.py")}
        assert not known & {*ADAPTERS, "index", "catalog", "settings", "assembly"}


def test_each_sdk_stays_at_home() -> None:
    def abroad(file: Path) -> set[str]:
        mine = f"{name_of(file)}."
        sdks = {part_of(module) for module in imports(file)} & set(HOMES)
        return {sdk for sdk in sdks if not any(mine.startswith(f"{home}.") for home in HOMES[sdk])}

    assert not offenders(abroad)


def test_pydantic_stands_only_where_untrusted_input_enters() -> None:
    def validates(file: Path) -> bool:
        mine = name_of(file)
        uses = "pydantic" in {part_of(module) for module in imports(file)}
        return uses and not {part_of(mine), mine} & VALIDATES

    assert not offenders(validates)


def test_the_environment_is_read_only_at_the_edge() -> None:
    def reads(file: Path) -> set[str]:
        words = {node.attr for node in parsed(file) if isinstance(node, ast.Attribute)}
        return set() if name_of(file) in READS_ENVIRONMENT else words & {"environ", "getenv", "putenv"}

    assert not offenders(reads)


def test_the_command_line_goes_through_the_one_door() -> None:
    """It holds a `Rag`, and never reaches past it into pipeline, index or parts."""

    def reaches(file: Path) -> set[str]:
        words = {node.attr for node in parsed(file) if isinstance(node, ast.Attribute)}
        beyond = {"pipeline", "assembly", "catalog"} & words | {"pipeline", "assembly"} & own(file)
        return beyond if part_of(name_of(file)) == "cli" else set()

    assert not offenders(reaches)


def test_only_the_command_line_prints() -> None:
    assert not offenders(lambda file: part_of(name_of(file)) != "cli" and calls(file, "print"))


def test_every_zip_says_whether_its_lengths_are_equal() -> None:
    def unsaid(file: Path) -> list[int]:
        zips = calls(file, "zip")
        return [call.lineno for call in zips if "strict" not in {keyword.arg for keyword in call.keywords}]

    assert not offenders(unsaid)


def test_files_are_named_after_what_is_in_them() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core"}
    assert not [file for file in FILES if file.stem.lower() in vague]


def test_the_root_holds_few_files() -> None:
    assert len(list((ROOT / "rag").glob("*.py"))) <= 19


@pytest.mark.parametrize("folder", sorted(ADAPTERS - {"loaders"}))
def test_each_kind_of_part_is_in_its_union_which_is_the_registry(folder: str) -> None:
    """A file with settings that have a `kind` is one line in the folder's __init__."""
    listed = own(ROOT / "rag" / folder / "__init__.py")
    kinds = {
        name_of(f)
        for f in FILES
        if part_of(name_of(f)) == folder and "kind: Literal[" in f.read_text("utf-8")
    }
    assert kinds == listed


# Where kinds are listed; the reader's two are in its own file.
UNIONS = [*(f"{folder}/__init__" for folder in sorted(ADAPTERS)), "answers/reader"]


@cache
def settings_of_kinds() -> frozenset[str]:
    """The names of all settings classes that a union lists."""
    files = [ROOT / "rag" / f"{union}.py" for union in UNIONS]
    names = {name for file in files for node in parsed(file) for name in _names(node)}
    return frozenset(name for name in names if name.endswith("Settings") and not name.startswith("Any"))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ClassDef):
        yield node.name


@cache
def names_of_kinds() -> frozenset[str]:
    """What stands in the `kind: Literal[…]` of any of them."""
    fields = [node for file in FILES for node in parsed(file) if isinstance(node, ast.AnnAssign)]
    literals = [field.annotation for field in fields if ast.unparse(field.target) == "kind"]
    constants = [node for literal in literals for node in ast.walk(literal) if isinstance(node, ast.Constant)]
    return frozenset(node.value for node in constants if isinstance(node.value, str))


def _asks_for_a_kind(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, asked]):
            return any(
                isinstance(name, ast.Name) and name.id in settings_of_kinds() for name in ast.walk(asked)
            )
        case ast.MatchClass(cls=ast.Name(id=name)):
            return name in settings_of_kinds()
        case ast.Compare(left=ast.Attribute(attr="kind"), comparators=[asked]):
            constants = [one for one in ast.walk(asked) if isinstance(one, ast.Constant)]
            return any(one.value in names_of_kinds() for one in constants)
    return False


def test_nobody_asks_which_kind_a_part_is() -> None:
    """What differs between kinds their settings say, so that a new one is a file and a line."""
    assert not offenders(lambda file: [ast.unparse(node) for node in parsed(file) if _asks_for_a_kind(node)])


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(settings.embedder, SentenceTransformersSettings)",
        "isinstance(x, int | OpenAIGeneratorSettings)",
        'settings.store.kind == "embedded"',
        'settings.reader.kind in ("none", "cross-encoder")',
        "match x:\n case EmbeddedStoreSettings():\n  pass",
    ],
)
def test_asking_for_a_kind_is_noticed(code: str) -> None:
    assert any(map(_asks_for_a_kind, ast.walk(ast.parse(code))))


def test_importing_the_package_whole_loads_no_model_library_and_no_sdk() -> None:
    # Written in OpenVINO's words throughout, or in torch's; imported by whoever builds a network.
    networks = {"models.graph", "models.torch_reading"}
    files = [name_of(file) for file in FILES if name_of(file) not in networks]
    names = ["rag" + (f".{name}" if name else "") for name in files]
    loaded = _loaded_by("; ".join(f"import {name}" for name in names))
    assert not loaded & HEAVY


def test_importing_rag_costs_next_to_nothing() -> None:
    assert not _loaded_by("import rag") & {*HEAVY, "numpy", "pydantic", "yaml", "typer", "rich", "jinja2"}


def _loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {part_of(module) for module in done.stdout.split()}
