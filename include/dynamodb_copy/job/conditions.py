"""Keys that are needed in one case and refused in all others: their checks also run when the key is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dynamodb_copy.job.values import refusal


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final[Any] = _Absent()
"""The default of such a key, which its check takes for a value; a key that was left empty is None."""


def read_needed(found: Any, read: Callable[[Any], Any], *, needed: bool | None, case: str) -> Any:
    """Read a key that is needed in that case alone; `needed` is None when another error hides whether it is the case.

    Returns None for a key that is neither there nor needed.
    """
    if found is not ABSENT:
        return _allowed(read(found), needed=needed, case=case)
    if needed:
        raise refusal(f"a value, since it is needed {case}", "add the key")
    return None


def _allowed(value: Any, *, needed: bool | None, case: str) -> Any:
    if needed is False:
        raise refusal(f"only {case}", "remove this key")
    return value
