"""The pages of the parts: one for each thing that a recipe can name, written from the code.

A part is found by walking the subclasses of its sort, a family by its file, and where a recipe
names it by the signatures of the families. Its page holds its docstring taken apart (what it is,
its equation, its source, its options with their defaults), the lines of a recipe that choose it,
and what refuses it: it is built on an example of every kind of data, and on one of them together
with every other part that its family could be given.
"""

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal

import torch

from twofold.core import toml
from twofold.core.build import Option, Part, is_part, kebab, options, parts_of, resolved
from twofold.core.errors import UserError
from twofold.core.game import Model
from twofold.core.space import Space
from twofold.data.doctor import every_kind
from twofold.maths.adversarial import Objective
from twofold.maths.augmentations import Augmentation, Transformation
from twofold.maths.bounds import Bound
from twofold.maths.distributions import Normal
from twofold.maths.divergences import Divergence
from twofold.maths.growth import Growth
from twofold.maths.leads import Lead
from twofold.maths.likelihoods import Likelihood
from twofold.maths.noise import Noise
from twofold.maths.penalties import Penalty
from twofold.maths.quantise import Codebook
from twofold.maths.schedules import Schedule
from twofold.maths.varying import Varying
from twofold.models import families
from twofold.models.stylegan import PathLength
from twofold.nets.bags import Auxiliary
from twofold.nets.bodies import Architecture, Dense
from twofold.nets.causal import CausalTransformer
from twofold.nets.company import Company
from twofold.nets.expost import Codes, ExPost, OfCodes, Origin
from twofold.nets.imposed import Imposed
from twofold.nets.inference import Inference
from twofold.nets.mechanisms import Mechanism
from twofold.nets.posteriors import Form
from twofold.nets.priors import Prior
from twofold.nets.properties import Properties
from twofold.nets.refining import Refiner
from twofold.nets.regularisers import Regulariser
from twofold.nets.scales import Widths
from twofold.nets.weights import Unrolling
from twofold.runs.matrix import known
from twofold.runs.recipe import SPACES

Make = type[Any]
"""The class of a part, or of a family."""


@dataclass(frozen=True)
class Group:
    """Parts of one sort.

    Args:
        title: of all of them. one: what one of them is called. sort: what they derive from.
    """

    title: str
    one: str
    sort: Make

    @property
    def parts(self) -> Mapping[str, Make]:
        """The parts by the name that a recipe has for them."""
        found = families() if self.sort is Model else parts_of(self.sort)
        return {n: make for n, make in found.items() if make.__module__.startswith("twofold.")}


GROUPS: Mapping[str, Group] = {
    "families": Group("Families", "family", Model),
    "posteriors": Group("Posteriors", "posterior", Form),
    "priors": Group("Priors", "prior", Prior),
    "divergences": Group("Divergences", "divergence", Divergence),
    "bounds": Group("Bounds", "bound", Bound),
    "likelihoods": Group("Likelihoods", "likelihood", Likelihood),
    "noise": Group("Noise models", "noise model", Noise),
    "mechanisms": Group("How values go missing", "mechanism", Mechanism),
    "properties": Group("What is given", "way to take what is given", Properties),
    "auxiliaries": Group("What a code is asked for besides", "auxiliary loss", Auxiliary),
    "leads": Group("Whether the encoder learns ahead", "lead", Lead),
    "numbers": Group("Numbers that vary", "number that varies", Varying),
    "schedules": Group("Learning-rate schedules", "learning-rate schedule", Schedule),
    "architectures": Group("Architectures", "architecture", Architecture),
    "objectives": Group("Adversarial objectives", "adversarial objective", Objective),
    "penalties": Group("Critic penalties", "critic penalty", Penalty),
    "company": Group("Company of a critic's rows", "company", Company),
    "augmentations": Group("Augmentations", "augmentation", Augmentation),
    "transformations": Group("Transformations", "transformation", Transformation),
    "unrolling": Group("Unrolling", "unrolling", Unrolling),
    "growth": Group("Growth", "growth", Growth),
    "widths": Group("Widths", "widths", Widths),
    "refiners": Group("Refiners", "refiner", Refiner),
    "path-lengths": Group("Path length", "path length", PathLength),
    "regularisers": Group("Decoder regularisers", "decoder regulariser", Regulariser),
    "codebooks": Group("Codebooks", "codebook", Codebook),
    "code-priors": Group("Priors of indices", "prior of indices", CausalTransformer),
    "inferences": Group("Inferences of codes", "inference of codes", Inference),
    "imposed": Group("Imposed distributions", "imposed distribution", Imposed),
    "fitted-priors": Group("Fitted priors", "fitted prior", ExPost),
}
TINY = Dense(2, 1)
"""What stands in for networks where it does not matter which."""


# What a docstring says.


@dataclass(frozen=True)
class Said:
    """A docstring taken apart.

    Args:
        sentence: what it is. prose: everything else that is said, in order, equations included.
        equations: those in display, or the row of the module's table. notation: of the module.
        source: whose it is. options: what each option is.
    """

    sentence: str
    prose: tuple[str, ...]
    equations: tuple[str, ...]
    notation: str
    source: str
    options: Mapping[str, str]


def said(make: Make) -> Said:
    """What the docstrings of a part and of its module say; a family's module is its own."""
    own = blocks(make)
    module = blocks(sys.modules[make.__module__])
    told = module[1:] if issubclass(make, Model) else own[1:]
    row = () if issubclass(make, Model) else table_row(make, module)
    prose = tuple(block for block in told if not block.startswith(("Args:", *MARKED)))
    shown = tuple(block for block in prose if block.startswith("$$"))
    return Said(
        own[0],
        prose,
        shown or tuple(table for table, _ in row),
        marked("Notation: ", module),
        marked("Source: ", told) or "".join(source for _, source in row),
        dict(option_words(make, own)),
    )


MARKED = ("Source: ", "Notation: ", "Raises:", "Returns:")


def blocks(item: object) -> list[str]:
    """The paragraphs of a docstring."""
    return re.split(r"\n\s*\n", inspect.cleandoc(item.__doc__ or ""))


def marked(mark: str, paragraphs: list[str]) -> str:
    """The paragraph that begins with a mark, without it."""
    return "".join(text.removeprefix(mark) for text in paragraphs if text.startswith(mark))


def table_row(make: Make, paragraphs: list[str]) -> tuple[tuple[str, str], ...]:
    """The row of a module's table that a part has: what each column says, and its source."""
    name = f"`{make.__name__}`"
    for lines in (text.split("\n") for text in paragraphs if text.startswith("|")):
        head, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
        for row in (row for row in rows if name in row):
            cells = dict(zip(head, row, strict=True))
            source = cells.pop("source", "")
            told = (displayed(key, cell) for key, cell in cells.items() if cell != name)
            return (("\n\n".join(told), f"{source}."),)
    return ()


def displayed(key: str, cell: str) -> str:
    """A cell below its head; one that is a formula is displayed."""
    formula = re.fullmatch(r"\$([^$]+)\$", cell)
    return f"{key}:\n\n$$ {formula[1]} $$" if formula else f"{key}: {cell}"


def option_words(make: Make, paragraphs: list[str]) -> Iterator[tuple[str, str]]:
    """What `Args:` says of each option; several may share a line, or an entry."""
    names = "|".join(options(make, SPACES))
    text = " ".join(marked("Args:\n", paragraphs).split())
    entry = rf"(?:^|(?<=\. ))((?:{names})(?:, (?:{names}))*): "
    _, *found = re.split(entry, text) if names else ("",)
    for keys, words in zip(found[::2], found[1::2], strict=True):
        yield from ((key, words.strip()) for key in keys.split(", "))


# Where a recipe names a part.


@dataclass(frozen=True)
class Place:
    """An option of a family that is a part, or a list of them."""

    family: str
    option: str
    sort: Make
    many: bool

    def value(self, thing: Any) -> Any:
        """A thing as this option's value."""
        return [thing] if self.many else thing


Chosen = tuple[Place, Make]
"""A part where it stands."""


@cache
def places() -> tuple[Place, ...]:
    """Every option of every family that is a part; those of the VAE first."""
    found = sorted(families().items(), key=lambda pair: pair[0] != "vae")
    return tuple(place for family, make in found for place in places_in(family, make))


def places_in(family: str, make: Make) -> Iterator[Place]:
    """The options of a family that are parts."""
    for option in options(make, SPACES).values():
        (inner,) = typing.get_args(option.annotation)[:1] or (None,)
        many = typing.get_origin(option.annotation) is tuple and is_part(inner)
        if many or is_part(option.annotation):
            yield Place(family, option.name, inner if many else option.annotation, many)


def places_of(make: Make) -> list[Place]:
    """Where a part may stand."""
    return [place for place in places() if issubclass(make, place.sort)]


def recipe_of(make: Make) -> dict[str, Any]:
    """A recipe that chooses a part with all its defaults; nothing where none can."""
    if issubclass(make, Model):
        plain = {n: o.default for n, o in options(make, SPACES).items() if is_plain(o.default)}
        return {"model": {"name": name_of(make), **plain}}
    part = resolved(make())
    if issubclass(make, Schedule):
        return {"train": {"schedule": part}}
    if issubclass(make, Varying):
        return {"model": {"name": "vae", "divergence": {"name": "kl", "beta": part}}}
    named = [{"name": p.family, p.option: p.value(part)} for p in places_of(make)[:1]]
    return {"model": named[0]} if named else {}


def is_plain(value: Any) -> bool:
    """Whether an option's default fits in a line."""
    return not isinstance(value, Part | tuple)


def commands_of(make: Make) -> Iterator[str]:
    """The words that choose a part on the command line."""
    name = name_of(make)
    if issubclass(make, Model):
        yield f"twofold fit DATA --model {name}"
    if issubclass(make, Schedule):
        yield f"twofold fit DATA --set train.schedule={name}"
    if issubclass(make, Varying):
        yield f"twofold fit DATA --set 'model.divergence.beta={{name=\"{name}\"}}'"
    if issubclass(make, ExPost):
        yield f"twofold prior RUN --fit {name}"
    for place in places_of(make):
        family = "" if place.family == "vae" else f"--model {place.family} "
        option = f"model.{place.option}"
        value = f"'{option}=[\"{name}\"]'" if place.many else f"{option}={name}"
        yield f"twofold fit DATA {family}--set {value}"


def name_of(make: Make) -> str:
    """What a recipe calls a part or a family."""
    return make.__module__.rpartition(".")[2] if issubclass(make, Model) else kebab(make.__name__)


# What refuses a part.


def refusals(make: Make) -> dict[str, list[str]]:
    """Why a part does not go with others, as the code says it when it is tried, and with which."""
    found: dict[str, list[str]] = {}
    for other, why in chain(of_data(make), of_parts(make), of_points(make)):
        found.setdefault(why, []).append(other)
    return found


def of_data(make: Make) -> Iterator[tuple[str, str]]:
    """The kinds of data that refuse a family, or a part."""
    alone: list[tuple[str, tuple[Chosen, ...]]]
    alone = [(place.family, ((place, make),)) for place in places_of(make)[:1]]
    for family, chosen in [(name_of(make), ())] if issubclass(make, Model) else alone:
        for kind in every_kind():
            if why := built(family, kind, chosen):
                yield f"data of the kind `{kind}`", why


def of_parts(make: Make) -> Iterator[tuple[str, str]]:
    """The other parts of its family that refuse a part, on data that suits them both."""
    for place in places_of(make)[:1]:
        for other in places():
            if other.family == place.family and other.option != place.option:
                for part in parts_of(other.sort).values():
                    if why := together((place, make), (other, part)):
                        yield f"`{other.option}={name_of(part)}`", reason(why, name_of(part))


def reason(why: str, other: str) -> str:
    """A refusal without the names that stand beside it."""
    text = why.partition(": ")[2] or why
    return f"it{text.removeprefix(other)}" if text.startswith(f"{other} ") else text


def together(one: Chosen, other: Chosen) -> str:
    """Why two parts cannot be had at once; nothing where they can, or have no data in common."""
    family = one[0].family
    for kind in every_kind():
        if not built(family, kind, (one,)) and not built(family, kind, (other,)):
            first, second = sorted((one, other), key=lambda chosen: chosen[0].option)
            return built(family, kind, (first, second))
    return ""


@cache
def built(family: str, kind: str, chosen: tuple[Chosen, ...]) -> str:
    """Build a family with some parts for an example of a kind of data; why not, if it refuses."""
    make = families()[family]
    small = {p.option: TINY for p in places() if (p.family, p.sort) == (family, Architecture)}
    parts = {place.option: (part(),) if place.many else part() for place, part in chosen}
    try:
        with torch.random.fork_rng(devices=()):
            make(every_kind()[kind].example, known(make), **small | parts)
    except UserError as error:
        return str(error)
    return ""


def of_points(make: Make) -> Iterator[tuple[str, str]]:
    """A density of posteriors refuses codes that have none of the form it needs."""
    if issubclass(make, ExPost) and not issubclass(make, OfCodes):
        z, none = torch.zeros(4, 1), torch.zeros(4, 0)
        try:
            codes = Codes(z, none, none, none)
            standard = Origin(Space(), lambda x, c: Normal.standard(len(x), 1, x), lambda rows: z)
            make().fit(codes, codes, 0, standard)
        except UserError as error:
            yield "codes that are points, or of another posterior than `diagonal`", str(error)


# Pages.


def part_pages(text: Callable[[object], str]) -> dict[str, str]:
    """Every page by its path; `text` turns a docstring into Markdown."""
    pages = {"parts/index.md": overview()}
    for folder, group in GROUPS.items():
        pages[f"parts/{folder}/index.md"] = group_page(folder, group, text)
        for name, make in group.parts.items():
            pages[f"parts/{folder}/{name}.md"] = part_page(folder, name, make)
    return pages


def part_nav() -> list[Any]:
    """The pages of the parts in the navigation."""
    groups = [
        {group.title: [f"parts/{folder}/index.md", *listed(folder, group)]}
        for folder, group in GROUPS.items()
    ]
    return [{"All parts": "parts/index.md"}, *groups]


def listed(folder: str, group: Group) -> list[dict[str, str]]:
    return [{name: f"parts/{folder}/{name}.md"} for name in group.parts]


def overview() -> str:
    """All parts, a sentence each."""
    lead = (
        "Everything that a recipe can name, a page each: its equation, its source, its options, "
        "and what it does not go with. The pages are written from the code while the "
        "documentation is built. [Recipes](../recipes.md) say how to write one."
    )
    tables = [
        f"## {group.title}\n\n{index(group, f'{folder}/')}" for folder, group in GROUPS.items()
    ]
    return "\n\n".join(["# Parts", lead, *tables])


def group_page(folder: str, group: Group, text: Callable[[object], str]) -> str:
    """What the parts of a sort have in common, and which there are."""
    named = {f"`model.{p.option}` of `{p.family}`" for p in places() if p.sort is group.sort}
    where = f"Named as {', '.join(sorted(named))}." if named else ""
    module = sys.modules[group.sort.__module__]
    return "\n\n".join([f"# {group.title}", where, index(group, ""), text(module)])


def index(group: Group, folder: str) -> str:
    """The parts of a group with their sentences."""
    rows = [
        [f"[`{name}`]({folder}{name}.md)", said(make).sentence.replace("\n", " ")]
        for name, make in group.parts.items()
    ]
    return table([group.one, "is"], rows)


def part_page(folder: str, name: str, make: Make) -> str:
    """All that there is to know of a part."""
    words = said(make)
    head = [f"# {name}", words.sentence]
    shown = words.prose if any(b in words.prose for b in words.equations) else words.equations
    rest = [block for block in words.prose if block not in shown]
    text = [fenced(block) for block in (*shown, *rest)]
    notation = [f"*Notation*: {words.notation}"] if words.notation else []
    source = [f"*Source*: {words.source}"]
    ends = [recipe_section(make), option_section(make, words), refusal_section(make)]
    return "\n\n".join([*head, *text, *notation, *source, *ends, footer(folder, make)])


def fenced(block: str) -> str:
    """A paragraph, its doctest fenced."""
    return f"```pycon\n{block}\n```" if block.startswith(">>>") else block


def recipe_section(make: Make) -> str:
    recipe = recipe_of(make)
    written = [f"```toml\n{toml.dumps(recipe).strip()}\n```"] if recipe else []
    words = "\n".join(commands_of(make))
    return "\n\n".join(["## In a recipe", *written, f"```sh\n{words}\n```"])


def option_section(make: Make, words: Said) -> str:
    """A table of the options: what each takes, its default, what it is."""
    rows = [
        [
            f"`{option.name}`",
            takes(option.annotation),
            shown(option),
            words.options.get(option.name, ""),
        ]
        for option in options(make, SPACES).values()
    ]
    text = table(["option", "takes", "default", "is"], rows) if rows else "None."
    return f"## Options\n\n{text}"


def shown(option: Option) -> str:
    """A default as a recipe would write it; of a part its name."""
    value = option.default
    if isinstance(value, tuple) and any(isinstance(item, Part) for item in value):
        return f"`{toml.literal([kebab(type(item).__name__) for item in value])}`"
    if isinstance(value, Part):
        return f"`{toml.literal(kebab(type(value).__name__))}`"
    return f"`{toml.literal(value)}`"


def takes(annotation: Any) -> str:
    """What a value of this type is, in words."""
    inner = typing.get_args(annotation)
    if is_part(annotation):
        return linked(annotation)
    if typing.get_origin(annotation) is tuple:
        return f"a list: {takes(inner[0])}"
    if typing.get_origin(annotation) is Literal:
        return " or ".join(f"`{toml.literal(value)}`" for value in inner)
    if Varying in inner:
        return "a number, or [one that varies](../numbers/index.md)"
    plain = {int: "a whole number", float: "a number", bool: "`true` or `false`", str: "a word"}
    return plain[inner[0] if inner else annotation] + limits(inner[1:])


def limits(notes: tuple[Any, ...]) -> str:
    """Between which numbers a number must lie."""
    found = [limit for note in notes for limit in getattr(note, "metadata", [note])]
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    words = [
        f"{sign} {getattr(limit, key)}"
        for limit in found
        for key, sign in signs.items()
        if hasattr(limit, key)
    ]
    return f" {' and '.join(words)}" if words else ""


def linked(sort: Make) -> str:
    """A link to the page of a sort, or of the one part that will do."""
    folder, group = next((f, g) for f, g in GROUPS.items() if issubclass(sort, g.sort))
    if sort is group.sort or inspect.isabstract(sort):
        return f"[{group.one}](../{folder}/index.md)"
    return f"[`{name_of(sort)}`](../{folder}/{name_of(sort)}.md)"


def refusal_section(make: Make) -> str:
    """What was tried and refused, with the reason that was given."""
    rows = [[", ".join(others), why] for why, others in refusals(make).items()]
    text = table(["with", "because"], rows) if rows else "Nothing."
    return f"## Does not go with\n\n{text}"


def footer(folder: str, make: Make) -> str:
    """Where to read on."""
    package, _, module = make.__module__.rpartition(".")
    page = f"../../reference/{package.removeprefix('twofold.')}.md"
    return f"[{GROUPS[folder].title}](index.md) · `{module}.py` in the [reference]({page})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; a bar in a cell is kept from ending it."""
    kept = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *kept]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
