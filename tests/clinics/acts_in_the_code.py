"""The product's calls that change something, and the code that each of them reaches, read from the sources."""

import ast
import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from django.http import Http404
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from companion.api.urls import api
from companion.cli.main import SERVICES, main

_COMPANION = Path(__file__).resolve().parents[2] / "companion"
_UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
Code = tuple[str, str]
"""A module and the name of a function in it."""


def changing_calls() -> Iterator[tuple[str, Code]]:
    """Each call of the API and each page that takes more than GET, with its function."""
    for _, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in sorted(_UNSAFE & set(operation.methods)):
                    yield f"{method} {path}", _code_of(operation.view_func)
    for route, page in _pages(get_resolver().url_patterns):
        code = _code_of(page)
        if code[0].startswith("companion.web") and _takes_post(page):
            yield f"POST {route}", code


def commands(group: click.Group = main, above: str = "") -> Iterator[tuple[str, Code]]:
    """Each command that ends by itself, with its function."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        elif command.callback and name not in SERVICES:
            yield f"{above}{name}", _code_of(command.callback)


def reaches(start: Code, wanted: str) -> bool:
    """Return whether the function, or any that it mentions, mentions `wanted` ("audit.record")."""
    seen, waiting = {start}, [start]
    while waiting:
        code = waiting.pop()
        for mentioned in _mentions(code):
            if f"{mentioned[0].rpartition('.')[2]}.{mentioned[1]}".startswith(wanted):
                return True
            if mentioned not in seen:
                seen.add(mentioned)
                waiting.append(mentioned)
    return False


def _pages(patterns: list[URLPattern | URLResolver], above: str = "/") -> Iterator[tuple[str, Callable[..., object]]]:
    for pattern in patterns:
        route = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _pages(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def _takes_post(view: Callable[..., object]) -> bool:
    """Return whether the page lets a POST in: it names its methods when it refuses a made-up method."""
    try:
        answer = view(RequestFactory().generic("TRACE", "/"))
    except Http404:
        # A page of allauth's, or of the Sandbox, which is off: it names no methods.
        return False
    return "POST" in str(getattr(answer, "headers", {}).get("Allow", ""))


def _code_of(view: Callable[..., object]) -> Code:
    inner = inspect.unwrap(view.func if isinstance(view, functools.partial) else view)
    return inner.__module__, inner.__name__


@functools.cache
def _module(name: str) -> tuple[dict[str, ast.AST], dict[str, str]]:
    """A module's functions and classes by name, and what its imports mean."""
    path = _COMPANION.parent / Path(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.exists():
        return {}, {}
    tree = ast.parse(file.read_text())
    functions: dict[str, ast.AST] = {}
    imports: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("companion"):
            imports |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            functions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            functions |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return functions, imports


def _mentions(code: Code) -> Iterator[Code]:
    """The functions of the product that this function mentions."""
    functions, imports = _module(code[0])
    if code[1] not in functions:
        return
    for node in ast.walk(functions[code[1]]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imports:
            yield imports[node.value.id], node.attr
        elif isinstance(node, ast.Name):
            if node.id in imports:
                module, _, name = imports[node.id].rpartition(".")
                yield module, name
            elif node.id in functions:
                yield code[0], node.id


def functions_that_mention(module: str, name: str) -> Iterator[str]:
    """The product's functions with `module.name` in their code; those of the module itself, with `name`."""
    for file in sorted(_COMPANION.rglob("*.py")):
        own = ".".join(file.relative_to(_COMPANION.parent).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and any(_is_named(part, own, module, name) for part in ast.walk(node)):
                yield f"{own}.{node.name}"


def _is_named(node: ast.AST, own: str, module: str, name: str) -> bool:
    if own.endswith(f".{module}"):
        return isinstance(node, ast.Name) and node.id == name
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) == (module, name)
    )
