"""ExportTableToPointInTime and its like as AWS answers them: no emulator writes what a real export does.

    exports = NativeExports(emulator.endpoint)
    with FaultProxy(emulator.endpoint, *exports.rules()) as proxy: ... len(exports.started) ...

Emulators keep no history: every full export, of whatever time, holds the table as it was when the export was asked
for. An incremental one holds what the table's stream tells, which a test has to enable before the window begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from stack.native_calls import Caller, Operation, RefusalError, served
from stack.native_increments import changes_of
from stack.native_jobs import Failure, Job, Jobs, failure_of, job_id, page_of
from stack.native_layout import Change, Export, Item, Window, started_file, written_export
from stack.native_objects import put_files
from stack.proxy_faults import Rule
from stack.recovery_windows import RecoveryWindows

_FILLED_FILES = 3
"""Data files with items; one without follows, as partitions that hold nothing leave."""

_FORMAT, _FULL, _INCREMENTAL = "DYNAMODB_JSON", "FULL_EXPORT", "INCREMENTAL_EXPORT"
_VIEWS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
"""The model's; NEW_IMAGES, of which the guide speaks, is refused (measured by ack-api-quirks, DDB-EXPORT-003)."""

_LEAST_BILLED_BYTES = 10_000_000
"""Of an incremental export (observed with 0 and with 5 changes)."""

_ECHOED = ("ClientToken", "S3Bucket", "S3BucketOwner", "S3Prefix", "S3SseKmsKeyId")


class NativeExports:
    """Rules that start and end exports before the emulator at `endpoint`, whose S3 takes the files.

    An export is IN_PROGRESS for the first `in_progress_polls` calls of DescribeExport. S3 is spoken to as the bucket's
    owner that the request names, else as the caller. AWS's `least_window_seconds` are longer than a test may last.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        in_progress_polls: int = 1,
        least_window_seconds: int = 15 * 60,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._now = now
        self._lock = Lock()
        self._jobs = Jobs("Export", in_progress_polls, now)
        self._windows = RecoveryWindows(now, least_window_seconds)
        self._next_failure: Failure | None = None

    def rules(self) -> list[Rule]:
        """For a proxy before the emulator; several proxies may share the exports."""
        operations: dict[str, Operation] = {
            "ExportTableToPointInTime": self._start,
            "DescribeExport": lambda _caller, asked: {"ExportDescription": self._jobs.polled(asked["ExportArn"])},
            "ListExports": self._list,
            **self._windows.operations(),
        }
        return [Rule(served(operation, self._endpoint, self._lock), name) for name, operation in operations.items()]

    @property
    def started(self) -> list[str]:
        """The ARNs of all exports that cost money, by their start; a repeated request starts none."""
        return self._jobs.arns

    def fail_next(self, code: str, message: str) -> None:
        """Let the next export that starts end FAILED with this FailureCode and FailureMessage."""
        self._next_failure = Failure(code, message)

    def _start(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        _check_asked(asked)
        if job := self._jobs.of_token(asked["ClientToken"], caller.region):
            if job.asked != asked:
                raise RefusalError("ExportConflictException", "Duplicate request detected")
            return {"ExportDescription": job.description}
        export = self._accepted(caller, asked)
        description = _description(export, asked)
        ending = self._ending(caller, asked, export)
        self._jobs.add(Job(export.arn, caller.region, asked, description, export.started_at, ending))
        return {"ExportDescription": description}

    def _list(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        """By ARN, those that run or failed too, as measured against AWS by alternator/test_export.py of scylladb."""
        jobs = sorted(self._jobs.all(caller.region, asked.get("TableArn")), key=lambda job: job.arn)
        page, rest = page_of(jobs, asked, "MaxResults")
        shown = ("ExportArn", "ExportStatus", "ExportType")
        return {"ExportSummaries": [{name: job.description[name] for name in shown} for job in page], **rest}

    def _accepted(self, caller: Caller, asked: dict[str, Any]) -> Export:
        now = self._now()
        table = _table(caller, asked["TableArn"])
        window = _window(asked, now)
        moment = window.end if window else asked.get("ExportTime", now)
        if window:
            self._windows.check_changes(caller, table, window.start, window.end)
        else:
            self._windows.check(caller, table["TableArn"], moment)
        return Export(
            id=job_id(now),
            table_arn=table["TableArn"],
            table_id=table["TableId"],
            bucket=asked["S3Bucket"],
            prefix=asked.get("S3Prefix"),
            exported_at=moment,
            started_at=now,
            sse_algorithm=asked.get("S3SseAlgorithm", "AES256"),
            sse_key_id=asked.get("S3SseKmsKeyId"),
            billed_size_bytes=_LEAST_BILLED_BYTES if window else table["TableSizeBytes"],
            window=window,
        )

    def _ending(self, caller: Caller, asked: dict[str, Any], export: Export) -> Callable[[], dict[str, Any]]:
        """Begin the export; what comes back ends it and says what its description gains."""
        s3_client = caller.s3(asked.get("S3BucketOwner"))
        held = _held(caller, export)
        failed = _put(s3_client, export, started_file(export)) or self._next_failure
        self._next_failure = None

        def ending() -> dict[str, Any]:
            ended = replace(export, ended_at=self._now())
            partitions = [*(held[number::_FILLED_FILES] for number in range(_FILLED_FILES)), []]
            failure = failed or _put(s3_client, ended, written_export(ended, partitions))
            if failure:
                return {"ExportStatus": "FAILED", "EndTime": ended.ended_at, **failure.shown()}
            return _completion(ended, len(held))

        return ending


def _check_asked(asked: dict[str, Any]) -> None:
    if asked.get("ExportFormat", _FORMAT) != _FORMAT:
        raise _invalid(f"ExportFormat: found {asked['ExportFormat']}; this fake knows {_FORMAT} alone")
    is_incremental = asked.get("ExportType", _FULL) == _INCREMENTAL
    specification = asked.get("IncrementalExportSpecification")
    if (specification is not None) != is_incremental:
        raise _invalid("Incremental Export Specification goes with export type Incremental Export, and only with it")
    if specification is not None and "ExportFromTime" not in specification:
        raise _invalid("ExportFromTime must be provided in IncrementalExportSpecification")
    if specification and specification.get("ExportViewType", _VIEWS[0]) not in _VIEWS:
        raise _invalid("'incrementalExportSpecification.exportViewType' failed to satisfy constraint")


def _invalid(message: str) -> RefusalError:
    return RefusalError("ValidationException", f"Invalid Request: {message}")


def _window(asked: dict[str, Any], now: float) -> Window | None:
    """Of an incremental export; without an end it ends now."""
    specification = asked.get("IncrementalExportSpecification")
    if specification is None:
        return None
    end = specification.get("ExportToTime", int(now))
    return Window(specification["ExportFromTime"], end, specification.get("ExportViewType", _VIEWS[0]))


def _table(caller: Caller, arn: str) -> dict[str, Any]:
    try:
        return caller.table(arn)
    except RefusalError as refusal:
        raise RefusalError("TableNotFoundException", f"Table not found: {arn}") from refusal


def _held(caller: Caller, export: Export) -> list[Item] | list[Change]:
    if export.window is None:
        return _items(caller, export.table_arn)
    return changes_of(caller, caller.table(export.table_arn), export.window)


def _items(caller: Caller, table_arn: str) -> list[Item]:
    items: list[Item] = []
    start: dict[str, Any] = {}
    while True:
        page = caller.call("Scan", TableName=table_arn, ConsistentRead=True, **start)
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _put(s3_client: Any, export: Export, files: Mapping[str, bytes]) -> Failure | None:
    try:
        put_files(s3_client, export, files)
    except ClientError as error:
        return failure_of(error)
    return None


def _description(export: Export, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "ExportArn": export.arn,
        "ExportStatus": "IN_PROGRESS",
        "StartTime": export.started_at,
        "TableArn": export.table_arn,
        "TableId": export.table_id,
        **_times(export),
        "S3SseAlgorithm": export.sse_algorithm,
        "ExportFormat": _FORMAT,
        **{name: asked[name] for name in _ECHOED if name in asked},
    }


def _times(export: Export) -> dict[str, Any]:
    window = export.window
    if window is None:
        return {"ExportTime": export.exported_at, "ExportType": _FULL}
    times = {"ExportFromTime": window.start, "ExportToTime": window.end, "ExportViewType": window.view}
    return {"IncrementalExportSpecification": times, "ExportType": _INCREMENTAL}


def _completion(export: Export, item_count: int) -> dict[str, Any]:
    return {
        "ExportStatus": "COMPLETED",
        "EndTime": export.ended_at,
        "ExportManifest": export.summary_key,
        "BilledSizeBytes": export.billed_size_bytes,
        "ItemCount": item_count,
    }
