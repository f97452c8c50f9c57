"""Checkpoints: cursor and cumulative tally in one conditional write, under the segment's lease."""

from __future__ import annotations

import base64

import orjson

from dynamodb_copy.errors import LeaseLostError
from dynamodb_copy.model import Checkpoint, Digest, Part, Segment, Tally
from dynamodb_copy.state.rows import PostedUpdate, Row, RowKey, StateRows

_NO_PARTS = {"S": "[]"}
_COUNTS = (
    *("items", "bytes", "expiring", "pages", "read_units", "write_units", "throttles", "retries", "seconds"),
    *("deletes", "growth", "checked"),
)


def segment_key(run: str, segment: Segment) -> RowKey:
    """The row of a segment: its lease and its checkpoint."""
    return RowKey(run, f"segment#{segment.index:04d}")


class StateCheckpoints:
    """The checkpoints of one run, as one attempt may write them."""

    def __init__(self, rows: StateRows, run: str, attempt: str) -> None:
        self._rows = rows
        self._run = run
        self._attempt = attempt
        self._posted: tuple[Segment, PostedUpdate] | None = None

    def load(self, segment: Segment) -> Checkpoint:
        """Return the segment's checkpoint, or an empty one."""
        row = self._rows.get(segment_key(self._run, segment))
        return Checkpoint() if row is None or "tally" not in row else _from_row(row)

    def save(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """Store it in one write; raises LeaseLostError if another attempt owns the segment.

        The write's round trip is the next page's time too: only the last one is waited for here, the others by the
        next `save`.
        """
        self._confirm()
        owner = {":me": {"S": self._attempt}}
        key = segment_key(self._run, segment)
        self._posted = segment, self._rows.post_update(key, _to_row(checkpoint), only_if="holder = :me", values=owner)
        if checkpoint.done:
            self._confirm()

    def close(self) -> None:
        """End after a failure: what was posted has then arrived or never will, and the lease may be released."""
        if self._posted is not None:
            self._posted[1].see_out()

    def _confirm(self) -> None:
        if self._posted is None:
            return
        segment, posted = self._posted
        self._posted = None
        if not posted.has_happened():
            raise LeaseLostError(f"{segment.label}: another attempt works on it now; this one stops")


def _to_row(checkpoint: Checkpoint) -> Row:
    counts = {name: getattr(checkpoint.tally, name) for name in _COUNTS}
    return {
        "cursor": {"S": orjson.dumps(checkpoint.cursor).decode()},
        "tally": {"S": orjson.dumps(counts).decode()},
        "digest": {"B": base64.b64encode(checkpoint.tally.digest.to_bytes()).decode()},
        "done": {"BOOL": checkpoint.done},
        "parts": {"S": orjson.dumps([list(part) for part in checkpoint.parts]).decode()},
    }


def _from_row(row: Row) -> Checkpoint:
    digest = Digest.from_bytes(base64.b64decode(row["digest"]["B"]))
    tally = Tally(**orjson.loads(row["tally"]["S"]), digest=digest)
    parts = tuple([Part(*part) for part in orjson.loads(row.get("parts", _NO_PARTS)["S"])])
    return Checkpoint(orjson.loads(row["cursor"]["S"]), tally, done=row["done"]["BOOL"], parts=parts)
