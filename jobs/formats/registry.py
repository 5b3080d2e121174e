"""The formats there are, by name: each module of this package that holds a FORMAT."""

from __future__ import annotations

import importlib
import pkgutil

from jobs import formats
from jobs.formats.format import Format


def found() -> dict[str, Format]:
    """The formats of the package's modules, by name."""
    names = [each.name for each in pkgutil.iter_modules(formats.__path__, "jobs.formats.")]
    modules = [importlib.import_module(name) for name in names]
    kernels = [each for module in modules if isinstance(each := getattr(module, "FORMAT", None), Format)]
    return {each.name: each for each in sorted(kernels, key=lambda each: each.name)}


# All of them; those of lines, and those of whole documents.
KERNELS: dict[str, Format] = found()
FORMATS: dict[str, Format] = {name: each for name, each in KERNELS.items() if each.parse}
DOCUMENTS: dict[str, Format] = {name: each for name, each in KERNELS.items() if each.read}
# Filters whose lines stand in the logs of other formats.
COMPANIONS: tuple[Format, ...] = tuple(each for each in FORMATS.values() if each.within)
# Below this, a sample is of no format that is known here.
SURE_ENOUGH = 0.5


def sniff(sample: bytes) -> tuple[str | None, float]:
    """The format that recognises the sample best, and how sure it is; None when none is sure enough."""
    name, confidence = max(
        ((name, kernel.sniff(sample)) for name, kernel in KERNELS.items()), key=lambda pair: pair[1]
    )
    return (name, confidence) if confidence >= SURE_ENOUGH else (None, confidence)
