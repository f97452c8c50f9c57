"""What cannot be true of several job files at once: one name, one place that they write, one stream for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path

from dynamodb_copy.job.incremental import IncrementalBackupJob, IncrementalJob
from dynamodb_copy.job.kinds import BackupJob, CopyJob, RestoreJob
from dynamodb_copy.job.model import Job

_READERS_OF_A_STREAM = 2  # at most, of each shard [AWS: Change data capture for DynamoDB Streams]


def clashes(paths: Iterable[Path], jobs: Mapping[Path, Job]) -> Iterator[tuple[Path, str]]:
    """Each path that clashes with others of the folder, with what is wrong; `jobs` are those that could be read."""
    yield from _same_names(paths)
    yield from _same_tables(jobs)
    yield from _overlapping_backups(jobs)
    yield from _crowded_streams(jobs)


def _same_names(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path, others in _sharing({path: path.stem for path in paths}):
        found = f"another file for the same job: {', '.join(others)}"
        yield path, f"found {found}; allowed: one; remove or rename one of them"


def _same_tables(jobs: Mapping[Path, Job]) -> Iterator[tuple[Path, str]]:
    targets = {path: job.target for path, job in jobs.items() if isinstance(job, CopyJob | RestoreJob | IncrementalJob)}
    for path, others in _sharing({path: target.ref for path, target in targets.items()}):
        target = targets[path]
        place = f"{target.table} in {target.region} over {target.connection}"
        found = f"{', '.join(others)} writes the same target, {place}"
        yield path, f"found that {found}; allowed: one job per target; remove one, or give it another target"


def _overlapping_backups(jobs: Mapping[Path, Job]) -> Iterator[tuple[Path, str]]:
    targets = {path: job.target for path, job in jobs.items() if isinstance(job, BackupJob | IncrementalBackupJob)}
    folders = {path: f"{target.bucket}/{target.prefix}".rstrip("/") + "/" for path, target in targets.items()}
    for path, folder in folders.items():
        others = [
            f"{other.name} ({targets[other].s3})"
            for other, its_folder in folders.items()
            if other != path and (folder.startswith(its_folder) or its_folder.startswith(folder))
        ]
        if others:
            found = f"backups of {', '.join(others)} in the same prefix, or one prefix inside the other"
            allowed = "prefixes apart from each other, because a job would list the other's backups too"
            yield path, f"found {found}; allowed: {allowed}; remove one, or give it another prefix"


def _crowded_streams(jobs: Mapping[Path, Job]) -> Iterator[tuple[Path, str]]:
    readers = {path: job for path, job in jobs.items() if isinstance(job, IncrementalJob | IncrementalBackupJob)}
    sources = {path: job.source for path, job in readers.items() if job.changes.by == "stream"}
    for path, others in _sharing({path: source.ref for path, source in sources.items()}):
        if len(others) >= _READERS_OF_A_STREAM:
            source = sources[path]
            found = f"{', '.join(others)} read the stream of {source.table} in {source.region} over {source.connection}"
            allowed = "two jobs by stream of a table, as many as the service lets read a shard"
            yield path, f"found that {found} too; allowed: {allowed}; remove one, or let it take changes by: export"


def _sharing(values: Mapping[Path, Hashable]) -> Iterator[tuple[Path, list[str]]]:
    """Each path whose value others have too, with the names of these others."""
    holders = defaultdict(list)
    for path, value in values.items():
        holders[value].append(path)
    for path, value in values.items():
        others = [other.name for other in holders[value] if other != path]
        if others:
            yield path, others
