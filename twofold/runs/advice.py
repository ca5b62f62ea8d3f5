"""Which switches to turn against a trouble of a game: those that are off, and the family takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twofold.core.build import complete
from twofold.core.game import Trouble
from twofold.core.switches import REMEDIES, SWITCHES, Switch, reason
from twofold.nets.critics import critics
from twofold.runs.recipe import SPACES, Plan, settings

MOST = 3
"""Remedies that are named."""
SLOWER = 4


def advice(plan: Plan, model: object, trouble: Trouble) -> list[str]:
    """The settings, as `--set` takes them, the most promising first; the run has none of them yet.

    Args:
        plan: of the run. model: of the run, whose players are named.
    """
    taken = (SWITCHES[title] for title in REMEDIES.get(trouble, ()))
    usable = [switch for switch in taken if not reason(plan.make, switch) and off(plan, switch)]
    return [setting(plan, model, switch) for switch in usable][:MOST]


def off(plan: Plan, switch: Switch) -> bool:
    """Whether the run leaves what a switch turns as the family has it; rates can go lower yet."""
    if switch.trains:
        return True
    table = plan.recipe["model"]
    asked = settings([switch.setting])["model"][switch.option]
    usual = complete(plan.make, {}, SPACES).get(switch.option)
    stronger = switch.option == "penalties"  # may be turned whatever they are
    return bool(table.get(switch.option) != asked if stronger else table[switch.option] == usual)


def setting(plan: Plan, model: object, switch: Switch) -> str:
    """How to turn a switch of this run: rates are lowered from what they are."""
    train: Any = plan.training
    if switch.option == "lr":
        return f"train.lr={train.lr / SLOWER:g}"
    if switch.option == "players":
        lower = [
            f"train.players.{name}.lr={train.rate(name) / train.lr / SLOWER:g}"
            for name in critics(model)
        ]
        return " --set ".join(lower)
    return switch.setting


def in_words(found: Sequence[str]) -> str:
    """Settings in a clause; empty where there are none."""
    return " or ".join(f"--set {text}" if "{" not in text else f'--set "{text}"' for text in found)
