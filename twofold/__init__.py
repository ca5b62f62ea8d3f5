"""Twofold: variational autoencoders and generative adversarial networks on the data you have.

Every verb of the command ``twofold`` is a function here, with the same name and arguments:

    import twofold

    run = twofold.fit("digits", model="vae")
    run.sample(100)

Importing this module is almost free: a verb, and torch behind it, is loaded when it is first asked
for (PEP 562). Four verbs share their name with a folder of the package (``data``, ``measures``,
``models``, ``recipes``); each of these folders is a module that can also be called:
``twofold.models()`` lists the families, ``twofold.models.vae`` is one of them.

>>> import twofold
>>> "fit" in dir(twofold), callable(twofold.models)
(True, True)
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twofold.verbs import (
        analogy,
        augment,
        classify,
        compare,
        data,
        demo,
        denoise,
        directions,
        doctor,
        edit,
        encode,
        export,
        fit,
        impute,
        interpolate,
        load,
        measure,
        measures,
        models,
        neighbours,
        optimize,
        predict,
        prior,
        project,
        recipes,
        reconstruct,
        reproduce,
        resume,
        sample,
        score,
        traverse,
    )

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "analogy",
    "augment",
    "classify",
    "compare",
    "data",
    "demo",
    "denoise",
    "directions",
    "doctor",
    "edit",
    "encode",
    "export",
    "fit",
    "impute",
    "interpolate",
    "load",
    "measure",
    "measures",
    "models",
    "neighbours",
    "optimize",
    "predict",
    "prior",
    "project",
    "recipes",
    "reconstruct",
    "reproduce",
    "resume",
    "sample",
    "score",
    "traverse",
]

_FOLDERS = frozenset({"data", "measures", "models", "recipes"})


class _Folder(ModuleType):
    """A folder of the package which, called, is the verb of the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _verb(self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    """This module. Python binds each folder here when it is imported; four become callable."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FOLDERS:
            value.__class__ = _Folder
        super().__setattr__(name, value)


def _verb(name: str) -> Any:
    return getattr(import_module("twofold.verbs"), name)


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return import_module(f"twofold.{name}")
    if name in __all__:
        return _verb(name)
    raise AttributeError(f"module 'twofold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


sys.modules[__name__].__class__ = _Package
