"""Leases: who may send, until when, judged by nobody's wall clock.

A holder renews by changing its row's beat. Another takes over only after it has watched the row stand still for a whole
lease by its own clock, so that clocks of two machines are never compared.
"""

from __future__ import annotations

from collections.abc import Callable

from dynamodb_copy.aws.backoff import Clock
from dynamodb_copy.errors import LeaseLostError, TargetBusyError
from dynamodb_copy.state.rows import RUN_DAYS, Row, RowKey, StateRows, expiry

_POLL_SECONDS = 1.0


class Lease:
    """One holder's claim to one row. A holder that several tasks share (a run) may acquire again at any time."""

    def __init__(self, rows: StateRows, key: RowKey, holder: str, *, request_seconds: float, clock: Clock) -> None:
        self._rows = rows
        self._key = key
        self.holder = holder
        self._request_seconds = request_seconds
        self.seconds = 3 * request_seconds
        self._clock = clock
        self._until = float("-inf")

    def acquire(self, *, wait_while_alive: bool) -> None:
        """Become the holder.

        Waits while the present holder shows no sign of life, until its lease is over. If it does show one: waits on
        with `wait_while_alive`, raises TargetBusyError without.
        """
        seen, since = None, self._clock.now()
        while True:
            row = self._rows.get(self._key)
            before = self._clock.now()
            if _is_free(row) or _holder(row) == self.holder or before - since > self.seconds:
                if self._take(row):
                    self._until = before + self.seconds
                    return
                continue
            if seen is not None and _pulse(row) != seen:
                if not wait_while_alive:
                    raise TargetBusyError(
                        f"{self._key.partition}: {_holder(row)!r} is at work there; wait for its end or stop it"
                    )
                since = self._clock.now()
            seen = _pulse(row)
            self._clock.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Return if a request sent now ends while the lease holds; renews it in time; raises LeaseLostError."""
        if self._until - self._clock.now() >= 2 * self._request_seconds:
            return
        self.renew()
        if self._until - self._clock.now() < self._request_seconds:
            raise LeaseLostError(f"{self._key.sort}: the state table answers too slowly to keep the lease; try again")

    def renew(self) -> None:
        """Make the lease last a whole time again; raises LeaseLostError if another took it."""
        before = self._clock.now()
        if not self._write(str(before), released=False):
            raise LeaseLostError(f"{self._key.sort}: another attempt took over from {self.holder!r}; this one stops")
        self._until = before + self.seconds

    def release(self) -> None:
        """Let the next holder in at once; harmless when the lease is lost already."""
        self._until = float("-inf")
        self._write("", released=True)

    def _write(self, beat: str, *, released: bool) -> bool:
        changes: Row = {"beat": {"S": beat}, "released": {"BOOL": released}}
        return self._rows.update(self._key, changes, only_if="holder = :me", values={":me": {"S": self.holder}})

    def _take(self, row: Row | None) -> bool:
        changes: Row = {
            "holder": {"S": self.holder},
            "beat": {"S": str(self._clock.now())},
            "released": {"BOOL": False},
            "expires_at": expiry(RUN_DAYS),
        }
        if row is None or "holder" not in row:
            return self._rows.update(self._key, changes, only_if="attribute_not_exists(holder)")
        unchanged = {":holder": row["holder"], ":beat": row["beat"]}
        return self._rows.update(self._key, changes, only_if="holder = :holder AND beat = :beat", values=unchanged)


def _is_free(row: Row | None) -> bool:
    return row is None or "holder" not in row or bool(row["released"]["BOOL"])


def _holder(row: Row | None) -> str:
    return str(row["holder"]["S"]) if row and "holder" in row else ""


def _pulse(row: Row | None) -> tuple[str, str]:
    return (_holder(row), str(row["beat"]["S"]) if row and "beat" in row else "")


class Fences:
    """Several leases as one: the attempt's own and its run's."""

    def __init__(self, *checks: Callable[[], None]) -> None:
        self._checks = checks

    def check(self) -> None:
        """Return if every lease holds; raises LeaseLostError."""
        for check in self._checks:
            check()
