"""``%%mlinfn submit``: which names a cell needs, and how they travel.

Loaded by the shim inside the person's kernel, by path: standard library only, Python 3.8 or
newer. A job starts empty, so a name that the cell uses and does not define would fail hours
later; here it is listed at once, with the offer to take it along (``--with a,b``).
"""

from __future__ import annotations

import ast
import builtins
import os
import pickle
import shlex
import symtable
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

KEPT_IN = ".mlinfn"
_MAX_KEPT = 256 * 2**20
_IPYTHON_NAMES = {
    "get_ipython", "display", "In", "Out", "exit", "quit",
    "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh",
}  # fmt: skip
_DEFINING_MAGICS = ("run", "pylab", "load", "load_ext", "store")


class CellRefused(Exception):
    """Why the cell is not submitted, for people."""


class Prepared(NamedTuple):
    """What to call the program with: its words, the job's source, and the file it needs."""

    words: list[str]
    text: str
    kept: Path | None

    def discard(self) -> None:
        """Remove the kept variables of a job that was not submitted."""
        if self.kept is not None:
            self.kept.unlink()


def prepare(words: list[str], cell: str, shell: Any) -> Prepared:
    """From the magic's words and cell to the program's. Raises :class:`CellRefused`."""
    words, taken = take_with(words)
    names = missing_names(shell.transform_cell(cell), parameter_names(words))
    check_names(names, taken, words, shell.user_ns)
    words = [*words, "--cell", "-"]
    modules = [name for name in taken if isinstance(shell.user_ns[name], ModuleType)]
    values = {name: shell.user_ns[name] for name in taken if name not in modules}
    lines = [_importing(name, shell.user_ns[name]) for name in modules]
    kept = keep(values) if values else None
    if kept is not None:
        words += ["--input", str(kept)]
        lines.append(f"import mlinfn; globals().update(mlinfn.brought_along({str(kept)!r}))")
    return Prepared(words, "".join(line + "\n" for line in lines) + cell, kept)


def _importing(name: str, module: ModuleType) -> str:
    return f"import importlib; {name} = importlib.import_module({module.__name__!r})"


def take_with(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without ``--with a,b``, and the names it gives."""
    kept: list[str] = []
    names: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--with" or word.startswith("--with="):
            given = word[len("--with=") :] if "=" in word else next(rest, "")
            names += [name.strip() for name in given.split(",") if name.strip()]
        else:
            kept.append(word)
    return kept, list(dict.fromkeys(names))


def parameter_names(words: list[str]) -> set[str]:
    """Names given by ``-p NAME=VALUE`` or a sweep: the job defines them."""
    names: set[str] = set()
    for i, word in enumerate(words):
        if word in {"-p", "--parameter", "--sweep"}:
            names.update(following.partition("=")[0] for following in words[i + 1 : i + 2])
        elif word.startswith(("--parameter=", "--sweep=")):
            names.add(word.split("=")[1])
        elif word.startswith("-p"):
            names.add(word[2:].partition("=")[0])
    return names


def check_names(names: list[str], taken: list[str], words: list[str], here: dict[str, Any]) -> None:
    """Refuse before two hours have passed: every name must come from somewhere."""
    absent = [name for name in taken if name not in here]
    if absent:
        raise CellRefused(f"--with names what this notebook does not hold: {', '.join(absent)}.")
    missing = [name for name in names if name not in taken]
    if not missing:
        return
    lines = ["The cell uses names that it does not define, and a job starts empty:"]
    lines += [f"  {name}  ({_what(here, name)})" for name in missing]
    offered = [*taken, *(name for name in missing if name in here)]
    if any(name in here for name in missing):
        line = shlex.join([*words[:1], "--with", ",".join(offered), *words[1:]])
        lines.append(f"Take them along with:  %%mlinfn {line}")
    if any(name not in here for name in missing):
        lines.append("What is defined nowhere has to be defined in the cell.")
    raise CellRefused("\n".join(lines))


def _what(here: dict[str, Any], name: str) -> str:
    if name not in here:
        return "not defined in this notebook either"
    value = here[name]
    return f"module {value.__name__}" if isinstance(value, ModuleType) else type(value).__name__


# --- names ---------------------------------------------------------------------------------------


def missing_names(source: str, known: set[str]) -> list[str]:
    """Names the source uses and does not define, in the order of their use.

    Empty when the cell brings in names nobody can see from outside (``import *``, ``%run``).
    """
    try:
        tree = ast.parse(source)
        table = symtable.symtable(source, "<cell>", "exec")
    except (SyntaxError, ValueError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        what = error.msg if isinstance(error, SyntaxError) else error
        raise CellRefused(f"The cell has a syntax error{where} ({what}).") from None
    if any(f"run_line_magic('{name}'" in source for name in _DEFINING_MAGICS):
        return []
    reader = _Reader(known | set(dir(builtins)) | _IPYTHON_NAMES)
    reader.visit(tree)
    if reader.star:
        return []
    for scope in _functions(table):
        reader.defined.update(_declared(scope))
    for scope in _functions(table):
        reader.missing.update(dict.fromkeys(_free(scope, reader.defined)))
    return list(reader.missing)


def _functions(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Every function scope: their bodies run later, when the whole cell may be defined."""
    if table.get_type() == "function":
        yield table
    for child in table.get_children():
        yield from _functions(child)


def _declared(scope: symtable.SymbolTable) -> Iterator[str]:
    """Names that a function declares ``global`` and sets."""
    for symbol in scope.get_symbols():
        if symbol.is_global() and (symbol.is_assigned() or symbol.is_imported()):
            yield symbol.get_name()


def _free(scope: symtable.SymbolTable, defined: set[str]) -> Iterator[str]:
    for symbol in scope.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and symbol.get_name() not in defined:
            yield symbol.get_name()


class _Reader(ast.NodeVisitor):
    """Names that code reads before it defines them, in the order of execution."""

    def __init__(self, known: set[str]) -> None:
        self.defined = set(known)
        self.missing: dict[str, None] = {}
        self.star = False

    def in_order(self, *parts: ast.AST | Iterable[ast.AST] | None) -> None:
        for part in parts:
            for node in [part] if isinstance(part, ast.AST) else part or ():
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.defined.add(node.id)
        elif node.id not in self.defined:
            self.missing[node.id] = None

    def visit_Assign(self, node: ast.Assign) -> None:
        self.in_order(node.value, node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.in_order(node.annotation, node.value)
        if node.value is not None:
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self.defined:
            self.missing[node.target.id] = None
        self.in_order(node.value, node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.in_order(node.value, node.target)

    def visit_For(self, node: Any) -> None:
        self.in_order(node.iter, node.target, node.body, node.orelse)

    def visit_ListComp(self, node: Any) -> None:
        outer = set(self.defined)
        for part in node.generators:
            self.in_order(part.iter, part.target, part.ifs)
        for field in ("key", "value", "elt"):
            self.in_order(getattr(node, field, None))
        self.defined = outer

    def visit_FunctionDef(self, node: Any) -> None:
        self.in_order(getattr(node, "decorator_list", ()), node.args.defaults)
        self.in_order(default for default in node.args.kw_defaults if default is not None)
        self.defined.add(getattr(node, "name", "_"))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.in_order(node.decorator_list, node.bases, node.keywords)
        outer = set(self.defined)
        self.in_order(node.body)
        self.defined = outer | {node.name}

    def visit_Import(self, node: Any) -> None:
        for alias in node.names:
            self.star = self.star or alias.name == "*"
            self.defined.add(alias.asname or alias.name.split(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.in_order(node.type)
        self.defined.add(node.name or "_")
        self.in_order(node.body)

    def generic_visit(self, node: ast.AST) -> None:
        if type(node).__name__ in {"MatchAs", "MatchStar", "MatchMapping"}:
            self.defined.add(getattr(node, "name", None) or getattr(node, "rest", None) or "_")
        super().generic_visit(node)

    visit_AsyncFor = visit_For  # noqa: N815
    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815
    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # noqa: N815
    visit_ImportFrom = visit_Import  # noqa: N815


# --- values --------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Refuses what a job could not load: functions and classes defined in the notebook."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, (FunctionType, type)) and value.__module__ == "__main__":
            raise pickle.PicklingError(
                f"{value.__qualname__} is defined in this notebook. Put its definition into the "
                "cell, or into a module beside the notebook"
            )
        return NotImplemented


def keep(values: dict[str, Any]) -> Path:
    """The values in a new file below the current folder that only its owner can read.

    The file stays, because the job may run again. Git is told to leave the folder out.
    """
    folder = Path.cwd() / KEPT_IN
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    descriptor, name = tempfile.mkstemp(".pickle", "with-", folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            pickle.dump(len(values), stream)
            for key, value in values.items():
                try:
                    _Pickler(stream, protocol=4).dump((key, value))
                except Exception as error:  # a value's own code may raise anything
                    raise CellRefused(f"{key} cannot be taken along: {error}.") from None
                if stream.tell() > _MAX_KEPT:
                    raise CellRefused(
                        f"What --with names is larger than {_MAX_KEPT // 2**20} MiB. Save it to "
                        "a file and read that in the cell."
                    )
    except BaseException:
        path.unlink()
        raise
    return path
