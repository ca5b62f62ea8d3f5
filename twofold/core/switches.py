"""Switches of adversarial games: which there are, and which family takes which.

A *switch* is an option that steadies or widens a game between a critic and a generator, and means
the same in every family that has it. A family takes a switch when its constructor has the option;
one that does not says why under `lacks`, or has no critic to switch. So the table of families and
switches is read off the code, and a recipe that sets a switch in vain is refused with that reason.

>>> from twofold.core.space import Space
>>> class Plain(Model):
...     def players(self): ...
...     def play(self, batch, progress): ...
>>> reason(Plain, SWITCHES["packing"])
'plain has no critic of observations'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.core.build import options
from twofold.core.errors import UserError
from twofold.core.game import Criticises, Model, Trouble

EVERY = "train"
"""The table of what every family takes."""


@dataclass(frozen=True)
class Switch:
    """One switch.

    Args:
        option: of a family's constructor, or of every family's training. setting: how a recipe
            turns it on. paper: where it comes from.
    """

    option: str
    setting: str
    paper: str

    @property
    def trains(self) -> bool:
        """Whether it belongs to training, whatever the family."""
        return self.setting.startswith(EVERY)


SWITCHES: dict[str, Switch] = {
    "packing": Switch("pac", "model.pac=2", "Lin et al. 2018"),
    "minibatch discrimination": Switch(
        "company", "model.company=discrimination", "Salimans et al. 2016"
    ),
    "minibatch deviation": Switch("company", "model.company=deviation", "Karras et al. 2018"),
    "feature matching": Switch("matching", "model.matching=1.0", "Salimans et al. 2016"),
    "label smoothing": Switch(
        "objective",
        "model.objective={name='non-saturating', smoothing=0.1}",
        "Salimans et al. 2016",
    ),
    "instance noise": Switch(
        "instance_noise", "model.instance_noise={name='linear', start=0.1, end=0.0}",
        "Sønderby et al. 2017",
    ),
    "DiffAugment": Switch("augment", "model.augment=diff-augment", "Zhao et al. 2020"),
    "adaptive augmentation": Switch("augment", "model.augment=adaptive", "Karras et al. 2020"),
    "consistency": Switch(
        "penalties", "model.penalties=[{name='consistency'}]", "Zhang et al. 2020"
    ),
    "top-k": Switch("top_k", "model.top_k=0.75", "Sinha et al. 2020"),
    "unrolling": Switch("unrolled", "model.unrolled.steps=5", "Metz et al. 2017"),
    "historical averaging": Switch("historical", "model.historical=0.1", "Salimans et al. 2016"),
    "spectral normalisation": Switch("spectral", "model.spectral=true", "Miyato et al. 2018"),
    "weight clipping": Switch("weight_clip", "model.weight_clip=0.01", "Arjovsky et al. 2017"),
    "orthogonal regularisation": Switch(
        "orthogonal", "model.orthogonal=1e-4", "Brock et al. 2019"
    ),
    "auxiliary classifier": Switch("auxiliary", "model.auxiliary=1.0", "Odena et al. 2017"),
    "slope penalty": Switch(
        "penalties",
        "model.penalties=[{name='r1', gamma=10.0}, {name='r2', gamma=10.0}]",
        "Mescheder et al. 2018",
    ),
    "critic turns": Switch("critic_turns", "model.critic_turns=5", "Arjovsky et al. 2017"),
    "TTUR": Switch("players", "train.players.critic.lr=4.0", "Heusel et al. 2017"),
    "slower critic": Switch("players", "train.players.critic.lr=0.25", "Heusel et al. 2017"),
    "lower rate": Switch("lr", "train.lr=1e-4", "Goodfellow 2016"),
    "EMA": Switch("average", "train.average=10.0", "Karras et al. 2018"),
}  # fmt: skip


REMEDIES: dict[Trouble, tuple[str, ...]] = {
    "collapsing": (
        "packing", "minibatch deviation", "slope penalty", "minibatch discrimination", "unrolling",
    ),
    "critic too strong": ("slower critic", "slope penalty", "instance noise"),
    "overfitting": ("adaptive augmentation", "DiffAugment", "slope penalty"),
    "diverged": ("lower rate", "slope penalty"),
}  # fmt: skip
"""What to turn against each trouble of a game, the most promising first."""


def reason(family: type[Model], switch: Switch) -> str:
    """Why a family does not take a switch; empty where it does."""
    name = family.__name__.lower()  # as its file is called
    if switch.trains or (switch.option in options(family) and issubclass(family, Criticises)):
        return ""
    if switch.option in family.lacks:
        return f"{name}: {family.lacks[switch.option]}"
    if not issubclass(family, Criticises):
        return f"{name} has no critic of observations"
    return f"the game of {name} has no place for it"


def takes(family: type[Model]) -> dict[str, str]:
    """For each switch `yes`, or why not."""
    return {title: reason(family, switch) or "yes" for title, switch in SWITCHES.items()}


def refuse(family: type[Model], table: Mapping[str, Any]) -> None:
    """Refuse a recipe that sets a switch which the family does not have, with the reason.

    Raises:
        UserError: there is such a switch.
    """
    for title, switch in SWITCHES.items():
        if switch.option in table and switch.option not in options(family):
            raise UserError(
                f"model.{switch.option} is {title}, and {reason(family, switch)}; "
                "see twofold models --switches"
            )
