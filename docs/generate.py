"""The reference, written from the code while mkdocs builds; no page of it is kept in a file.

A page is a package, a section is a module of it, and a section holds the docstrings of the module,
of its public classes and functions, with the options of every constructor. A new family, kind,
measure or recipe therefore has its section as soon as it has its file. Formulas become MathML,
which browsers draw themselves: the pages ask nothing of any other host.
"""

import html
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from evidence import quoted, results_of_studies, study_page
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from parts import part_nav, part_pages

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "twofold" / "recipes"
AT_ROOT = ("CONTRIBUTING", "CHANGELOG")
SOURCES = {
    "twofold.verbs": "Verbs",
    "twofold.models": "Models",
    "twofold.data.kinds": "Kinds of data",
    "twofold.measures": "Measures",
    "twofold.studies": "Studies",
    "twofold.core": "Core",
    "twofold.maths": "Mathematics",
    "twofold.nets": "Networks",
    "twofold.data": "Data",
    "twofold.train": "Training",
    "twofold.runs": "Runs",
    "twofold.apps": "Jobs",
    "twofold.report": "Report",
}
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the reference before the last two pages, which are about the project itself."""
    pages = [{title: address(name)} for name, title in SOURCES.items() if find_spec(name)]
    pages += [{"Switches": "reference/switches.md"}, {"Recipes": "reference/recipes.md"}]
    results = [{file.stem: f"studies/{file.stem}.md"} for file in results_of_studies()]
    nav = config.nav or []
    written: list[Any] = [{"Parts": part_nav()}, {"Studies": results}, {"Reference": pages}]
    config.nav = [*nav[:-2], *written, *nav[-2:]]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the two that lie at the repository's root."""
    pages = {address(name): module_page(name) for name in SOURCES if find_spec(name)}
    pages["reference/recipes.md"] = recipes_page()
    pages["reference/switches.md"] = switches_page()
    pages |= part_pages(markdown)
    pages |= {f"studies/{file.stem}.md": study_page(file) for file in results_of_studies()}
    pages |= {f"{name.lower()}.md": (ROOT / f"{name}.md").read_text("utf-8") for name in AT_ROOT}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    """Fill in what a page quotes."""
    return quoted(text)


def on_page_content(content: str, **_: Any) -> str:
    """Draw the formulas of a page."""
    return FORMULA.sub(formula, content)


def formula(found: re.Match[str]) -> str:
    """One formula as MathML: a div is displayed, a span stands in the line."""
    display = "block" if found["tag"] == "div" else "inline"
    return convert(html.unescape(found["tex"]), display=display)


def address(name: str) -> str:
    """Where a module's page lies: twofold.data.kinds is reference/data.kinds.md."""
    return f"reference/{name.removeprefix('twofold.')}.md"


def recipes_page() -> str:
    """Every recipe whole: its head comment is its documentation."""
    sections = [
        f"## {file.stem}\n\n```toml\n{file.read_text('utf-8').strip()}\n```"
        for file in sorted(RECIPES.glob("*.toml"))
    ]
    return "\n\n".join(["# Recipes", *sections])


def switches_page() -> str:
    """Which family takes which switch, read off the code."""
    module = import_module("twofold.core.switches")
    taken = {k: module.takes(v) for k, v in import_module("twofold.models").families().items()}
    head = ["switch", "from", "`--set`", *taken]
    rows = [
        [title, switch.paper, f"`{switch.setting}`", *(row[title] for row in taken.values())]
        for title, switch in module.SWITCHES.items()
    ]
    table = [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
    return "\n\n".join(["# Switches", markdown(module), "\n".join(table)])


def module_page(name: str) -> str:
    """A module, what it defines, and the modules that lie in it."""
    module = import_module(name)
    inner = (module_section(found) for found in modules(module))
    own = (item_section(item, 2) for item in items(module))
    return "\n\n".join([f"# {SOURCES[name]}", markdown(module), *own, *inner])


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The public modules that lie in a package, in alphabetical order."""
    for found in pkgutil.iter_modules(getattr(package, "__path__", [])):
        if not found.ispkg and not found.name.startswith("_"):
            yield import_module(f"{package.__name__}.{found.name}")


def module_section(module: ModuleType) -> str:
    title = f"## {module.__name__.rpartition('.')[2]}"
    return "\n\n".join([title, markdown(module), *(item_section(i, 3) for i in items(module))])


def items(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """The public classes and functions that a module defines, in its own order."""
    for name, item in vars(module).items():
        own = getattr(item, "__module__", "") == module.__name__
        if own and not name.startswith("_") and (inspect.isfunction(item) or inspect.isclass(item)):
            yield item


def item_section(item: Callable[..., Any], depth: int) -> str:
    title = f"{'#' * depth} `{item.__name__}`"
    call = f"```python\n{signature(item)}\n```"
    return "\n\n".join([title, call, markdown(item), *methods(item)])


def signature(item: Callable[..., Any]) -> str:
    """How the item is called, an argument a line where there are several."""
    try:
        call = inspect.signature(item)
    except ValueError:  # an exception's constructor is the interpreter's own
        return item.__name__
    arguments = [f"\n    {argument}," for argument in listed(call)]
    bare = call.replace(parameters=())
    long = str(bare).replace("()", f"({''.join(arguments)}\n)", 1)
    return item.__name__ + unquoted(long if len(arguments) > 2 else str(call))


def listed(call: inspect.Signature) -> Iterator[str]:
    """The arguments one by one, with the star that those given by keyword alone stand behind."""
    starred = False
    for argument in call.parameters.values():
        if argument.kind is argument.KEYWORD_ONLY and not starred:
            yield "*"
        starred |= argument.kind in (argument.VAR_POSITIONAL, argument.KEYWORD_ONLY)
        yield str(argument)


def methods(item: object) -> Iterator[str]:
    """A class's own public methods, as definitions: how each is called, and what it says."""
    for name, entry in vars(item).items() if inspect.isclass(item) else ():
        method = getattr(entry, "__func__", entry)  # a class method's function
        if inspect.isfunction(method) and method.__doc__ and not name.startswith("_"):
            call = unquoted(f"{name}{inspect.signature(method)}")
            text = textwrap.indent(markdown(method), "    ")
            yield f"`{call}`\n:{text[1:]}"


def unquoted(signature: str) -> str:
    """A signature whose annotations were kept as text, without the quotes."""
    return re.sub(r"""(: |-> )(['"])(.*?)\2""", r"\1\3", signature)


def markdown(item: object) -> str:
    """A docstring as Markdown: doctests are fenced, `Args:` and its like become lists."""
    text = inspect.cleandoc(item.__doc__ or "")
    return "\n\n".join(paragraph(block) for block in re.split(r"\n\s*\n", text))


def paragraph(block: str) -> str:
    head, _, rest = block.partition("\n")
    if head.startswith(">>>"):
        return f"```pycon\n{block}\n```"
    if head in ("Args:", "Returns:", "Raises:"):
        entries = re.sub(r"^    (\w+): ", r"* `\1`: ", rest, flags=re.MULTILINE)
        return f"**{head}**\n\n{entries}"
    return block
