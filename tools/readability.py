"""Measure how dense the Python code is, and how much of it speaks a language of its own.

    python tools/readability.py [PATH ...]
    python tools/readability.py --compare starlette celery timm
    python tools/readability.py --worst 20 shared

A path is a file or a folder; without one, the project's own folders are measured. Installed
packages are found beside this interpreter and read as text: nothing is imported or run.

A *line of code* holds at least one token of code; blank lines, comments and docstrings are not
counted. Every figure per 1,000 lines is per 1,000 lines of code.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import statistics
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_FOLDERS = ("shared", "services", "cli", "deploy", "trials", "tools")
MAX_LINE_LENGTH = 100
MAX_POSITIONAL_ARGUMENTS = 5

# Participles, pointers and prepositions that say nothing about a value. Words that are also nouns,
# states or customary names of bounds are not in the list: "left" and "right" (sides), "done" (a
# job's state), "since" and "until" (the bounds of a period), "words" (of a language).
PRIVATE_NAMES = frozenset(
    """
    aforesaid after again alike along already anew another apart around asked at_once aside
    before behind beside between beyond both bound brought by called chosen come due each either
    else elsewhere enough every few fetched fitting for_ from_ further gave given gone got had
    has heard held hence here his into its itself kept known late later least less like lost
    made many marked meant mine more most much near needed neither nobody none_of nothing of of_
    off on once one ones only onto other others ours out over own particulars past rather
    reached said same seen several shown so some somebody something soon spoken spoilt stood
    such taken tells that the theirs them then there these they thing things this those thus
    told too toward towards tried under upon used wanted was were what whatever when whence
    where wherever which whichever while_ who whoever whole whom whose within without word yet
    """.split()  # noqa: SIM905
)

IGNORED_TOKENS = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)


@dataclass
class Measures:
    """Counts over one file, or summed over many."""

    files: int = 0
    total_lines: int = 0
    code_lines: int = 0
    ast_nodes: int = 0
    definitions: int = 0
    long_lines: int = 0
    private_names: Counter[str] = field(default_factory=Counter)
    tuple_assignments: int = 0
    calls_with_many_positional: int = 0
    function_lengths: list[int] = field(default_factory=list)

    def add(self, other: Measures) -> None:
        self.files += other.files
        self.total_lines += other.total_lines
        self.code_lines += other.code_lines
        self.ast_nodes += other.ast_nodes
        self.definitions += other.definitions
        self.long_lines += other.long_lines
        self.private_names.update(other.private_names)
        self.tuple_assignments += other.tuple_assignments
        self.calls_with_many_positional += other.calls_with_many_positional
        self.function_lengths.extend(other.function_lengths)

    def per_thousand(self, count: int) -> float:
        return 1000 * count / max(self.code_lines, 1)

    @property
    def nodes_per_line(self) -> float:
        return self.ast_nodes / max(self.code_lines, 1)

    @property
    def long_line_percent(self) -> float:
        return 100 * self.long_lines / max(self.total_lines, 1)


def python_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        if "__pycache__" not in file.parts:
            yield file


def docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            continue
        if not node.body:
            continue
        first = node.body[0]
        if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
            continue
        if isinstance(first.value.value, str):
            lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def lines_of_code(source: str, tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in IGNORED_TOKENS:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(tree)


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that an assignment, a loop, a parameter or a field binds, with its line.

    `other` as the parameter of `__eq__` and its like is Python's own custom and does not count.
    """
    parameters_of_operators = {
        parameter
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name.startswith("__")
        for parameter in function.args.args
        if parameter.arg == "other"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg) and node not in parameters_of_operators:
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def is_private(name: str) -> bool:
    return name.strip("_").lower() in PRIVATE_NAMES


def is_tuple_assignment(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    return any(isinstance(target, ast.Tuple) for target in node.targets)


def has_many_positional(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and len(node.args) > MAX_POSITIONAL_ARGUMENTS


def measure_file(path: Path) -> Measures:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    functions = [
        n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    lines = source.splitlines()
    return Measures(
        files=1,
        total_lines=len(lines),
        code_lines=len(lines_of_code(source, tree)),
        ast_nodes=len(nodes),
        definitions=len(functions) + len(classes),
        long_lines=sum(len(line) > MAX_LINE_LENGTH for line in lines),
        private_names=Counter(
            name for name, _ in bound_names(tree) if is_private(name)
        ),
        tuple_assignments=sum(map(is_tuple_assignment, nodes)),
        calls_with_many_positional=sum(map(has_many_positional, nodes)),
        function_lengths=[
            (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions
        ],
    )


def measure(paths: Sequence[Path]) -> Measures:
    total = Measures()
    for path in paths:
        for file in python_files(path):
            total.add(measure_file(file))
    return total


def installed_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed beside this interpreter.")
    return Path(spec.origin).parent


def quantile(lengths: Sequence[int], fraction: float) -> int:
    ordered = sorted(lengths)
    return (
        ordered[min(int(fraction * len(ordered)), len(ordered) - 1)] if ordered else 0
    )


def print_table(measures_by_name: dict[str, Measures]) -> None:
    heading = (
        "name", "files", "lines", "code", "defs", "median", "p90",
        "nodes/line", "over 100", "private", "tuples", "6 args",
    )  # fmt: skip
    print("".join(f"{title:>12}" for title in heading))
    for name, measures in measures_by_name.items():
        lengths = measures.function_lengths
        cells = (
            name[-11:],
            measures.files,
            measures.total_lines,
            measures.code_lines,
            measures.definitions,
            round(statistics.median(lengths)) if lengths else 0,
            quantile(lengths, 0.9),
            f"{measures.nodes_per_line:.2f}",
            f"{measures.long_line_percent:.2f} %",
            f"{measures.per_thousand(measures.private_names.total()):.2f}",
            f"{measures.per_thousand(measures.tuple_assignments):.2f}",
            f"{measures.per_thousand(measures.calls_with_many_positional):.2f}",
        )
        print("".join(f"{cell:>12}" for cell in cells))


def print_findings(paths: Sequence[Path]) -> None:
    """Name each place that a reader may stumble over, in the form that editors open."""
    for path in paths:
        for file in python_files(path):
            source = file.read_text(encoding="utf-8")
            tree = ast.parse(source)
            for name, line in bound_names(tree):
                if is_private(name):
                    print(f"{file}:{line}: name {name}")
            for node in ast.walk(tree):
                if isinstance(node, ast.Assign) and is_tuple_assignment(node):
                    print(f"{file}:{node.lineno}: tuple assignment")
                if isinstance(node, ast.Call) and has_many_positional(node):
                    print(
                        f"{file}:{node.lineno}: {len(node.args)} positional arguments"
                    )
            for number, text in enumerate(source.splitlines(), start=1):
                if len(text) > MAX_LINE_LENGTH:
                    print(f"{file}:{number}: {len(text)} characters")


def print_worst(paths: Sequence[Path], count: int) -> None:
    files = [file for path in paths for file in python_files(path)]
    measures_by_file = {file: measure_file(file) for file in files}
    long_enough = [file for file in files if measures_by_file[file].code_lines >= 20]
    long_enough.sort(
        key=lambda file: measures_by_file[file].nodes_per_line, reverse=True
    )
    for file in long_enough[:count]:
        measures = measures_by_file[file]
        print(f"{measures.nodes_per_line:6.2f} nodes/line  {file}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths", nargs="*", type=Path, help="files and folders to measure"
    )
    parser.add_argument("--compare", nargs="*", default=[], metavar="PACKAGE")
    parser.add_argument("--findings", action="store_true", help="name every place")
    parser.add_argument(
        "--worst", type=int, default=0, metavar="N", help="the densest files"
    )
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    folders = [root / folder for folder in PROJECT_FOLDERS]
    paths = arguments.paths or [folder for folder in folders if folder.is_dir()]
    if arguments.findings:
        print_findings(paths)
        return 0
    if arguments.worst:
        print_worst(paths, arguments.worst)
        return 0
    measures_by_name = {path.name: measure([path]) for path in paths}
    if len(paths) > 1:
        measures_by_name["together"] = measure(paths)
    for package in arguments.compare:
        measures_by_name[package] = measure([installed_folder(package)])
    print_table(measures_by_name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
