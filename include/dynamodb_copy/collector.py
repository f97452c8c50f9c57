"""The cyclic garbage collector while items pass."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_GROWTH_OBJECTS = 500_000


@contextmanager
def frozen_collector() -> Iterator[None]:
    """Hide what exists now from the collector, and let it look again only when half a million objects pile up.

    Pages are freed by reference counts; the collector's walks over them cost several times what parsing them does.
    Were it off altogether, cycles that errors leave behind would pile up in a copy that is throttled for hours.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GROWTH_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
