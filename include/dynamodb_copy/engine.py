"""The copy itself: pages pulled from a source, through steps, into a sink; each durable cursor a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from dynamodb_copy.errors import RunIncompleteError
from dynamodb_copy.model import Checkpoint, Segment, Tally
from dynamodb_copy.ports import CheckpointStore, Sink, Source, Step


def copy_segment(
    source: Source,
    sink: Sink,
    segment: Segment,
    checkpoints: CheckpointStore,
    steps: Sequence[Step] = (),
) -> Tally:
    """Copy what earlier attempts left over and return the cumulative tally. Safe to call again at any time."""
    checkpoint = checkpoints.load(segment)
    if checkpoint.done:
        return checkpoint.tally
    pages = source.pages(segment, after=checkpoint.cursor)
    for step in steps:
        pages = step(pages)
    with closing(sink.absorb(segment, pages)) as durables:
        for durable in durables:
            tally = checkpoint.tally + durable.tally
            parts = (*checkpoint.parts, *durable.parts)
            cursor = durable.cursor or checkpoint.cursor
            checkpoint = Checkpoint(cursor, tally, done=durable.cursor is None, parts=parts)
            checkpoints.save(segment, checkpoint)
    return checkpoint.tally


def finished(checkpoints: CheckpointStore, segments: Sequence[Segment]) -> list[Tally]:
    """Return every segment's tally; raises RunIncompleteError unless each planned segment's checkpoint says done."""
    if not segments:
        raise RunIncompleteError("the plan has no segments, so nothing was copied; start a new run")
    loaded = [(segment, checkpoints.load(segment)) for segment in segments]
    missing = [segment.label for segment, checkpoint in loaded if not checkpoint.done]
    if missing:
        raise RunIncompleteError(
            f"{len(missing)} of {len(segments)} planned segments are not copied to their end "
            f"({', '.join(missing[:5])}); let their copy tasks run again: marking them as success does not copy"
        )
    return [checkpoint.tally for _, checkpoint in loaded]
