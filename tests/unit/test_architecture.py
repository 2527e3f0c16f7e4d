"""The architecture, read from the source: layers, cycles, sizes, values, errors."""

from __future__ import annotations

import ast
import functools
import inspect
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import memplug
from memplug import exceptions

PACKAGE = Path(memplug.__file__).parent

#: Lowest first. A module belongs to the longest prefix that it starts with; what stands in one line is one layer.
LAYERS = (
    ("memplug.exceptions",),
    ("memplug.values",),
    ("memplug.safety",),
    ("memplug.lexical", "memplug.skills"),
    ("memplug.feedback",),
    ("memplug.plugins",),
    (
        "memplug.backends",
        "memplug.inputs",
        "memplug.embedders",
        "memplug.models",
        "memplug.describers",
        "memplug.extraction",
        "memplug.rankers",
    ),
    ("memplug.rights",),
    ("memplug.store",),
    ("memplug.pipelines",),
    (
        "memplug.config",
        "memplug.settings",
        "memplug.equipment",
        "memplug.engine",
        "memplug.memory",
        "memplug.upkeep",
        "memplug.reading",
        "memplug.chatting",
        "memplug.reindex",
        "memplug.scoped",
        "memplug.aio",
        "memplug.binding",
        "memplug.toolbelt",
        "memplug.forwarding",
    ),
    ("memplug.langchain", "memplug.llamaindex", "memplug.testing", "memplug.cli", "memplug.__main__", "memplug"),
)

#: Imports that go up and stay, each with its reason. All of them are made when they are needed, not at import.
UPWARD = {
    # Registers the built-ins: its factories are the one place where the plugin layer names what it carries.
    ("memplug.plugins.builtins", "memplug.backends"),
    ("memplug.plugins.builtins", "memplug.embedders"),
    ("memplug.plugins.builtins", "memplug.inputs"),
    ("memplug.plugins.builtins", "memplug.models"),
    ("memplug.plugins.builtins", "memplug.describers"),
    ("memplug.plugins.builtins", "memplug.extraction"),
    ("memplug.plugins.builtins", "memplug.rankers"),
    # `Hit.image` decodes when it is looked at, and decoding is safety's.
    ("memplug.values.hit", "memplug.safety.image"),
}

#: Type-only imports may go up, but only these do, so that a new one is a decision.
UPWARD_TYPES = {
    ("memplug.exceptions", "memplug.values"),  # an error carries the outcomes of the `add` it ended
}

#: Broad handlers that do not raise, each with its reason.
BROAD = {
    "memplug.plugins.isolation.attempt": "returns the error to its caller, who reports it",
    "memplug.pipelines.parsing._accepts": "logs; the other input types still have their chance at the part",
    "memplug.pipelines.describing._accepts": "logs; the other describers still have their chance at the media",
    "memplug.pipelines.looking.look": "logs, and the memory's status carries the reason",
    "memplug.pipelines.pages._words": "logs, and the document's status carries the reason",
    "memplug.pipelines.ingest._tried": "logs; what the user said is stored without the extractor",
    "memplug.pipelines.attempt._call": "logs; tried again, and at last the memory's status carries the reason",
    "memplug.inputs.envelope._content_blocks": "a provider's reader failed; the raw content is read instead",
    "memplug.backends.lancedb.upkeep._round": "logs and tries again; the thread must go on, or the store only grows",
    "memplug.backends.lancedb.steady._take": "keeps what the step raised; `Future.result` raises it in the asker",
    "memplug.backends.lancedb.steady._outlast": "the first interruption is raised; a second one only waits, too",
    "memplug.backends.lancedb.writes._lead": "keeps it in each batch's ticket; `commit` raises it in every caller",
    "memplug.backends.lancedb.forks.answer": "sends it as `BackendError`; the process that asked raises it",
    "memplug.testing.endpoint.answer": "keeps what a rule raised; the end of the `with` raises it in the test",
    "memplug.testing.records.run": "keeps what a thread raised; `together` raises it once all have ended",
    "memplug.testing.records.together": "the same: `run` is inside it",
}

MAX_FILE, MAX_FUNCTION = 600, 60
#: Values that read better with positions: `Compare("kind", "eq", "text")`.
POSITIONAL = {"Compare", "All", "AnyOf", "Not", "Native"}


@dataclass(kw_only=True)
class Module:
    """One source file, parsed."""

    name: str
    path: Path
    tree: ast.Module
    top: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)


class Imports(ast.NodeVisitor):
    """Sorts a module's imports of memplug by when they are made."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.found = module.top

    def visit_If(self, node: ast.If) -> None:
        """Type-only imports stand below ``if TYPE_CHECKING``."""
        if "TYPE_CHECKING" in ast.unparse(node.test):
            self._within(self.module.types, node.body)
            self._within(self.found, node.orelse)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """What a function imports, it imports when it is called."""
        self._within(self.module.types if self.found is self.module.types else self.module.inner, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast calls

    def visit_Import(self, node: ast.Import) -> None:
        """``import memplug.x``."""
        self.found.update(alias.name for alias in node.names if alias.name.split(".")[0] == "memplug")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """``from memplug.x import y``, where y may be a module too."""
        assert node.level == 0, f"{self.module.name}: imports are written out"
        if node.module is None or node.module.split(".")[0] != "memplug":
            return
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            self.found.add(name if name in names() else node.module)

    def _within(self, found: set[str], body: list[ast.stmt]) -> None:
        before, self.found = self.found, found
        for statement in body:
            self.visit(statement)
        self.found = before


@functools.cache
def names() -> dict[str, Path]:
    """The modules of memplug by name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("memplug", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def modules() -> dict[str, Module]:
    """The modules of memplug with their imports."""
    found = {}
    for name, path in names().items():
        found[name] = Module(name=name, path=path, tree=ast.parse(path.read_text(encoding="utf-8")))
        Imports(found[name]).visit(found[name].tree)
    return found


def layer(name: str) -> int:
    """The number of a module's layer, counted from below."""
    places = [(len(prefix), place) for place, prefixes in enumerate(LAYERS) for prefix in prefixes if _in(name, prefix)]
    return max(places)[1]


def _in(name: str, prefix: str) -> bool:
    return name == prefix or (prefix != "memplug" and name.startswith(f"{prefix}."))


def _allowed(name: str, target: str, allowed: set[tuple[str, str]]) -> bool:
    return any(name == above and _in(target, below) for above, below in allowed)


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of memplug, with its qualified name."""
    return [
        (f"{module.name}.{node.name}", node)
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_every_module_has_a_layer() -> None:
    """A new folder has to say where it belongs."""
    homeless = [name for name in modules() if not any(_in(name, prefix) for prefixes in LAYERS for prefix in prefixes)]
    assert homeless == []


def test_a_lower_layer_never_imports_a_higher_one() -> None:
    """Neither at import nor inside a function; the few reasons to are listed above."""
    upward = [
        (module.name, target)
        for module in modules().values()
        for target in sorted(module.top | module.inner)
        if layer(target) > layer(module.name) and not _allowed(module.name, target, UPWARD)
    ]
    assert upward == []


def test_an_exception_to_the_layers_is_never_made_at_import() -> None:
    """What goes up is imported inside a function."""
    assert [pair for pair in UPWARD if any(_in(target, pair[1]) for target in modules()[pair[0]].top)] == []


def test_types_of_a_higher_layer_are_listed() -> None:
    """A signature that names a higher layer's type is a decision, and none is listed in vain."""
    upward = {
        (module.name, target)
        for module in modules().values()
        for target in module.types
        if layer(target) > layer(module.name) and not _allowed(module.name, target, UPWARD | UPWARD_TYPES)
    }
    assert upward == set()
    used = {(module.name, target) for module in modules().values() for target in module.types}
    assert [pair for pair in UPWARD_TYPES if not any(_allowed(*found, {pair}) for found in used)] == []


def test_no_modules_import_each_other() -> None:
    """Imports made at import have no cycle."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle: {' -> '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for target in sorted(modules()[name].top & set(modules())):
                visit(target, (*path, name))
            done.add(name)

    for name in modules():
        visit(name, ())


@pytest.mark.parametrize("name", sorted(names()))
def test_files_and_functions_stay_small(name: str) -> None:
    """No file over 600 lines, no function over 60."""
    assert len(names()[name].read_text(encoding="utf-8").splitlines()) <= MAX_FILE
    long = [
        (node.name, size)
        for node in ast.walk(modules()[name].tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION
    ]
    assert long == []


def _dataclass(node: ast.ClassDef) -> ast.expr | None:
    decorators = [one for one in node.decorator_list if "dataclass" in ast.unparse(one).split("(")[0]]
    return decorators[0] if decorators else None


def _switched_on(decorator: ast.expr) -> set[str]:
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {one.arg or "" for one in keywords if isinstance(one.value, ast.Constant) and one.value.value is True}


def _required(node: ast.ClassDef) -> int:
    fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one)]
    return sum(one.value is None for one in fields)


def test_public_dataclasses_are_built_by_name() -> None:
    """A field can be added anywhere without breaking a caller; values are frozen too.

    A service made of one thing may be built by position, since there is nothing to mix up: ``Store(backend)``.
    """
    wrong = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_") or node.name in POSITIONAL:
                continue
            decorator = _dataclass(node)
            value = module.name.startswith("memplug.values")
            wanted = {"kw_only", "frozen"} if value else {"kw_only"} if _required(node) > 1 else set()
            if decorator is not None and not wanted <= _switched_on(decorator):
                wrong.append(f"{module.name}.{node.name}")
    assert wrong == []


def test_errors_form_one_tree_with_codes_of_their_own() -> None:
    """Every error can be caught as MemplugError, and told by its code."""
    errors = [one for _, one in inspect.getmembers(exceptions, inspect.isclass) if issubclass(one, BaseException)]
    assert [one.__name__ for one in errors if not issubclass(one, exceptions.MemplugError)] == []
    own = [one.__dict__.get("code") for one in errors]
    assert None not in own
    assert len(set(own)) == len(errors)
    assert sorted(exceptions.__all__) == sorted(one.__name__ for one in errors)


def test_the_tree_of_errors_in_the_docstring_is_the_real_one() -> None:
    """Names and codes that people read there are those of the classes."""
    lines = [line.split() for line in (exceptions.__doc__ or "").splitlines() if "── " in line]
    shown = {line[-2 if "." in line[-1] else -1]: line for line in lines}
    for name in exceptions.__all__:
        if name != "MemplugError":
            words = next(line for line in lines if name in line)
            assert getattr(exceptions, name).code in words
    assert len(shown) == len(exceptions.__all__) - 1


def test_only_the_command_line_prints() -> None:
    """A library's output belongs to its caller; there is logging."""
    printing = [
        f"{module.name}:{node.lineno}"
        for module in modules().values()
        if not _in(module.name, "memplug.cli")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def _broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or ast.unparse(one) in {"Exception", "BaseException"} for one in caught)


def test_nothing_is_swallowed() -> None:
    """A handler of every exception raises, or is listed above with its reason."""
    silent = {
        name
        for name, function in functions()
        for handler in ast.walk(function)
        if isinstance(handler, ast.ExceptHandler)
        and _broad(handler)
        and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    }
    assert silent - set(BROAD) == set()
    assert set(BROAD) - silent == set()


def test_nothing_is_left_open() -> None:
    """No stub, no placeholder, no note to self."""
    words = ("TO" + "DO", "FIX" + "ME", "raise NotImplemented" + "Error", "XX" + "X")
    left = [(name, word) for name, path in names().items() for word in words if word in path.read_text("utf-8")]
    assert left == []


def test_exports_exist() -> None:
    """Every name in an `__all__` is defined in its module."""
    for module in modules().values():
        defined = {
            name
            for node in ast.walk(module.tree)
            for name in (
                [node.name]
                if isinstance(node, ast.ClassDef | ast.FunctionDef)
                else [alias.asname or alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom | ast.Import)
                else [node.id]
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else []
            )
        }
        assert set(_exports(module.tree)) <= defined, module.name


def _exports(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []
