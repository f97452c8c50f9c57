"""Leases: who may send, until when, judged by nobody's wall clock.

A holder renews by changing its row's beat. Another takes over only after it has watched the row stand still for a whole
lease by its own clock, so that clocks of two machines are never compared.
"""

from __future__ import annotations

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
        seen: tuple[str, str] | None = None
        since = self._clock.now()
        while True:
            row = self._rows.get(self._key)
            before = self._clock.now()
            is_open = _is_free(row) or _holder(row) == self.holder
            if _pulse(row) != seen:
                if seen is not None and not is_open and not wait_while_alive:
                    raise self._busy(row)
                seen, since = _pulse(row), before
            if not is_open and before - since <= self.seconds:
                self._clock.sleep(_POLL_SECONDS)
            elif self._take(row):
                self._until = before + self.seconds
                return

    def check(self) -> None:
        """Return if a request sent now ends while the lease holds; renews it in time; raises LeaseLostError."""
        if self._until - self._clock.now() < 2 * self._request_seconds:
            self.renew()
        self.require()

    def require(self) -> None:
        """Raise LeaseLostError unless a request sent now ends while the lease holds; asks nobody."""
        if self._until - self._clock.now() < self._request_seconds:
            raise LeaseLostError(f"{self._key.sort}: the state table answers too slowly to keep the lease; try again")

    def renew(self) -> None:
        """Make the lease last a whole time again; raises LeaseLostError if another took it."""
        before = self._clock.now()
        if not self._write({"released": {"BOOL": False}}, "holder = :holder", {":holder": {"S": self.holder}}):
            raise LeaseLostError(f"{self._key.sort}: another attempt took over from {self.holder!r}; this one stops")
        self._until = before + self.seconds

    def release(self) -> None:
        """Let the next holder in at once; harmless when the lease is lost already, or when who shares it is at work."""
        self._until = float("-inf")
        row = self._rows.get(self._key)
        if row is not None and _holder(row) == self.holder:
            self._write({"released": {"BOOL": True}}, *_unchanged(row))

    def end(self) -> None:
        """Return once no holder up to now can send any more; the lease is free then."""
        if not _is_free(self._rows.get(self._key)):
            self.acquire(wait_while_alive=True)
            self.release()

    def _take(self, row: Row | None) -> bool:
        changes: Row = {"holder": {"S": self.holder}, "released": {"BOOL": False}, "expires_at": expiry(RUN_DAYS)}
        if row is None or "holder" not in row:
            return self._write(changes, "attribute_not_exists(holder)", {})
        return self._write(changes, *_unchanged(row))

    def _write(self, changes: Row, only_if: str, values: Row) -> bool:
        """Every write moves the beat on, so that even one which arrives late is a sign of life and never hides one."""
        return self._rows.update(self._key, changes, only_if=only_if, values=values, counting="beat")

    def _busy(self, row: Row | None) -> TargetBusyError:
        held = self._key.partition.partition("#")[2]
        field = "to.s3" if held.startswith("s3://") else "to.table"
        return TargetBusyError(
            f"{field}: {held}: run {_holder(row)!r} is at work there; one run at a time may write there: wait for its "
            "end or stop it"
        )


def _is_free(row: Row | None) -> bool:
    return row is None or "holder" not in row or bool(row["released"]["BOOL"])


def _holder(row: Row | None) -> str:
    return str(row["holder"]["S"]) if row and "holder" in row else ""


def _pulse(row: Row | None) -> tuple[str, str]:
    return (_holder(row), str(row["beat"]["N"]) if row and "beat" in row else "")


def _unchanged(row: Row) -> tuple[str, Row]:
    """The condition that nobody wrote to the row since it was read, and its values."""
    return "holder = :holder AND beat = :beat", {":holder": row["holder"], ":beat": row["beat"]}


class Fences:
    """Several leases as one: the attempt's own and its run's."""

    def __init__(self, *leases: Lease) -> None:
        self._leases = leases

    def check(self) -> None:
        """Return if a request sent now ends while every lease holds; raises LeaseLostError."""
        for lease in self._leases:
            lease.check()
        for lease in self._leases:  # to renew a later one may have taken long
            lease.require()
