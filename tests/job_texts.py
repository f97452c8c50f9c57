"""Short job files for tests."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job import Job

HERE = {"table": "orders", "region": "us-east-1", "connection": "aws_virginia"}
THERE = {"table": "orders", "region": "us-west-2", "connection": "aws_oregon"}
TOPIC = "arn:aws:sns:us-west-2:123456789012:oncall"


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's hook
        return True


def text_of(**changes: Any) -> str:
    """The shortest job file with these changes; `from_` and `to_` change single keys of `from` and `to`."""
    source = {**HERE, **changes.pop("from_", {})}
    target = {**THERE, **changes.pop("to_", {})}
    keys = {"copy": "full", "from": source, "to": target, **changes}
    return yaml.dump(keys, Dumper=_WithoutAliases, sort_keys=False)


def job_of(**changes: Any) -> Job:
    """The job `orders` of such a file."""
    return Job.from_text("orders", text_of(**changes))


def errors_of(**changes: Any) -> str:
    """What is said about such a file, which must be wrong."""
    return errors_in(text_of(**changes))


def errors_in(text: str) -> str:
    """What is said about a job file with this text, which must be wrong."""
    with pytest.raises(JobFileError) as caught:
        Job.from_text("orders", text)
    return str(caught.value)
