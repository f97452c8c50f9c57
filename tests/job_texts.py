"""Short job files for tests."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
import yaml

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
    read_job,
)

HERE = {"table": "orders", "region": "us-east-1", "connection": "aws_virginia"}
THERE = {"table": "orders", "region": "us-west-2", "connection": "aws_oregon"}
TOPIC = "arn:aws:sns:us-west-2:123456789012:oncall"
STORE = {"s3": "s3://dr-backups/orders", "region": "us-west-2", "connection": "aws_oregon"}
OBJECTIVES = {"rto": "30m", "rpo": "24h", "max_bytes": "500GB"}

J = TypeVar("J", bound=Job)

_SHORTEST: dict[type[Job], dict[str, Any]] = {
    CopyJob: {"copy": "full", "from": HERE, "to": THERE},
    BackupJob: {"copy": "full", "from": HERE, "to": STORE},
    IncrementalJob: {"copy": "incremental", "changes": {"by": "stream"}, "from": HERE, "to": THERE},
    IncrementalBackupJob: {"copy": "incremental", "changes": {"by": "stream"}, "from": HERE, "to": STORE},
    RestoreJob: {"restore": "latest", "from": STORE, "to": THERE},
    DrillJob: {"drill": OBJECTIVES, "from": STORE, "to": {"region": "us-west-2", "connection": "aws_oregon"}},
}
KINDS = tuple(_SHORTEST)
_APART: dict[type[Job], dict[str, str]] = {
    RestoreJob: {"table": "restored"},
    IncrementalJob: {"table": "replica"},
    IncrementalBackupJob: {"s3": "s3://dr-backups/chain"},
}


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's hook
        return True


def text_of(kind: type[Job] = CopyJob, /, **changes: Any) -> str:
    """The shortest job file of a kind with these changes; `from_` and `to_` change single keys of `from` and `to`."""
    shortest = _SHORTEST[kind]
    source = {**shortest["from"], **changes.pop("from_", {})}
    target = {**shortest["to"], **changes.pop("to_", {})}
    keys = {**shortest, "from": source, "to": target, **changes}
    return yaml.dump(keys, Dumper=_WithoutAliases, sort_keys=False)


def texts_apart() -> dict[type[Job], str]:
    """The shortest job file of each kind, with targets apart from each other, so that one folder can hold them."""
    return {kind: text_of(kind, to_=_APART.get(kind, {})) for kind in KINDS}


def job_of(**changes: Any) -> CopyJob:
    """The job `orders` of such a file, a copy."""
    return kind_of(CopyJob, **changes)


def kind_of(kind: type[J], /, **changes: Any) -> J:
    """The job `orders` of such a file."""
    job = read_job("orders", text_of(kind, **changes))
    assert isinstance(job, kind)
    return job


def errors_of(kind: type[Job] = CopyJob, /, **changes: Any) -> str:
    """What is said about such a file, which must be wrong."""
    return errors_in(text_of(kind, **changes))


def errors_in(text: str) -> str:
    """What is said about a job file with this text, which must be wrong."""
    with pytest.raises(JobFileError) as caught:
        read_job("orders", text)
    return str(caught.value)
