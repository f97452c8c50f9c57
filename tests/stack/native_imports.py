"""ImportTable, DescribeImport and ListImports as AWS answers them; emulators forget a token and count while they load.

Behaviour as measured against AWS by the tests of scylladb PR 31619.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import orjson
from botocore.exceptions import ClientError

from stack.native_calls import Caller, Operation, RefusalError, served
from stack.native_jobs import Failure, Job, Jobs, failure_of, job_id, page_of
from stack.native_layout import Item
from stack.proxy_faults import Rule

_KNOWN = {"InputFormat": {"DYNAMODB_JSON"}, "InputCompressionType": {"GZIP", "NONE"}}
_SUMMARY = (
    *("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "CloudWatchLogGroupArn", "InputFormat"),
    *("StartTime", "EndTime"),
)
_INVALID_ITEMS = Failure(
    "ItemValidationError",
    "Some of the items failed validation checks and were not imported. "
    "Please check CloudWatch error logs for more details.",
)


@dataclass
class _Counters:
    processed: int = 0
    imported: int = 0
    errors: int = 0
    size_bytes: int = 0  # uncompressed

    def count(self, *, imported: bool) -> None:
        self.processed += 1
        self.imported += imported
        self.errors += not imported

    def shown(self) -> dict[str, int]:
        return {
            "ProcessedItemCount": self.processed,
            "ImportedItemCount": self.imported,
            "ErrorCount": self.errors,
        }


class NativeImports:
    """Rules that start and end imports before the emulator at `endpoint`, from whose S3 they read.

    An import is IN_PROGRESS, and its table CREATING, for the first `in_progress_polls` calls of DescribeImport.
    """

    def __init__(self, endpoint: str, *, in_progress_polls: int = 1, now: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._now = now
        self._lock = Lock()
        self._jobs = Jobs("Import", in_progress_polls, now)

    def rules(self) -> list[Rule]:
        """For a proxy before the emulator; several proxies may share the imports."""
        operations: dict[str, Operation] = {
            "ImportTable": self._start,
            "DescribeImport": lambda _caller, asked: {"ImportTableDescription": self._jobs.polled(asked["ImportArn"])},
            "ListImports": self._list,
            "DescribeTable": self._show_table,
        }
        return [Rule(served(operation, self._endpoint, self._lock), name) for name, operation in operations.items()]

    @property
    def started(self) -> list[str]:
        """The ARNs of all imports that cost money, by their start; a repeated request starts none."""
        return self._jobs.arns

    def _start(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        _check_known(asked)
        parameters = asked["TableCreationParameters"]
        job = self._jobs.of_token(asked["ClientToken"], caller.region)
        if job and (job.ending or not _exists(caller, parameters["TableName"])):
            if job.asked["TableCreationParameters"]["TableName"] != parameters["TableName"]:
                raise RefusalError("ImportConflictException", "Duplicate request detected")
            return {"ImportTableDescription": job.description}  # whatever else differs is ignored
        table = caller.call("CreateTable", **parameters)["TableDescription"]
        now = self._now()
        arn = f"{table['TableArn']}/import/{job_id(now)}"
        description = _description(arn, table, asked, now)

        def ending() -> dict[str, Any]:
            return {**_loaded(caller, asked), "EndTime": self._now()}

        self._jobs.add(Job(arn, caller.region, asked, description, now, ending))
        return {"ImportTableDescription": description}

    def _list(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        """The newest first; nobody has measured whether those that run are there, so they are not."""
        ended = [job for job in self._jobs.all(caller.region, asked.get("TableArn")) if not job.ending]
        page, rest = page_of(ended[::-1], asked, "PageSize")
        return {"ImportSummaryList": [{name: job.description[name] for name in _SUMMARY} for job in page], **rest}

    def _show_table(self, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
        table = caller.table(asked["TableName"])
        if table["TableArn"] in {job.description["TableArn"] for job in self._jobs.running()}:
            table["TableStatus"] = "CREATING"
        return {"Table": table}


def _check_known(asked: dict[str, Any]) -> None:
    for name, known in _KNOWN.items():
        if (found := asked.get(name, "NONE")) not in known:
            raise RefusalError("ValidationException", f"{name}: found {found}; this fake knows {sorted(known)} alone")
    if any("WarmThroughput" in index for index in asked["TableCreationParameters"].get("GlobalSecondaryIndexes", [])):
        text = "WarmThroughput is not supported on Global Secondary Indexes via ImportTable"
        raise RefusalError("ValidationException", text)


def _exists(caller: Caller, table: str) -> bool:
    try:
        caller.table(table)
    except RefusalError:
        return False
    return True


def _description(arn: str, table: dict[str, Any], asked: dict[str, Any], now: float) -> dict[str, Any]:
    region, account = table["TableArn"].split(":")[3:5]
    return {
        "ImportArn": arn,
        "ImportStatus": "IN_PROGRESS",
        "TableArn": table["TableArn"],
        "TableId": table["TableId"],
        "ClientToken": asked["ClientToken"],
        "S3BucketSource": asked["S3BucketSource"],
        "CloudWatchLogGroupArn": f"arn:aws:logs:{region}:{account}:log-group:/aws-dynamodb/imports:*",
        "InputFormat": asked["InputFormat"],
        "InputCompressionType": asked.get("InputCompressionType", "NONE"),
        "TableCreationParameters": asked["TableCreationParameters"],
        "StartTime": now,
        **_Counters().shown(),
    }


def _loaded(caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """Load all objects; returns what the description gains."""
    table, counters = asked["TableCreationParameters"]["TableName"], _Counters()
    failure = None
    try:
        for content in _objects(caller, asked["S3BucketSource"]):
            _load(caller, table, _unpacked(content, asked), counters)
    except ClientError as error:
        failure = failure_of(error)
        if not counters.processed:
            caller.call("DeleteTable", TableName=table)
    failure = failure or (_INVALID_ITEMS if counters.errors else None)
    status = {"ImportStatus": "FAILED", **failure.shown()} if failure else {"ImportStatus": "COMPLETED"}
    return {**status, **counters.shown(), "ProcessedSizeBytes": counters.size_bytes}


def _objects(caller: Caller, source: dict[str, Any]) -> Iterator[bytes]:
    s3_client, bucket = caller.s3(source.get("S3BucketOwner")), source["S3Bucket"]
    pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=source.get("S3KeyPrefix", ""))
    for page in pages:
        for found in page.get("Contents", []):
            yield s3_client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()


def _unpacked(content: bytes, asked: dict[str, Any]) -> bytes | None:
    """The lines of an object; None when it is not compressed as the request says."""
    if asked.get("InputCompressionType", "NONE") == "NONE":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def _load(caller: Caller, table: str, content: bytes | None, counters: _Counters) -> None:
    """Put an object's items; its first line that is none abandons the rest, an item that is refused does not."""
    if content is None:
        counters.count(imported=False)
        return
    counters.size_bytes += len(content)
    for line in content.split(b"\n"):  # text's splitlines ends a line at more than this
        if not line.strip():
            continue
        item = _item(line)
        counters.count(imported=item is not None and _put(caller, table, item))
        if item is None:
            return


def _put(caller: Caller, table: str, item: Item) -> bool:
    try:
        caller.call("PutItem", TableName=table, Item=item)
    except RefusalError:
        return False
    return True


def _item(line: bytes) -> Item | None:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    item = content.get("Item") if isinstance(content, dict) else None
    return item if isinstance(item, dict) else None
