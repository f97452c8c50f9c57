"""Messages reach the topic over the named connection, or fail; they never go out with other credentials."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import Any

import pytest

from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.errors import ConnectionMissingError, CopyError
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
from dynamodb_copy_airflow import notifiers
from job_texts import TOPIC, job_of, kind_of


class Inbox:
    """Hears what is sent to a topic."""

    def __init__(self, name: str, connect: Connect) -> None:
        self._connect = connect
        self.topic: str = self._client("sns").create_topic(Name=name)["TopicArn"]
        self._queue: str = self._client("sqs").create_queue(QueueName=name)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:us-west-2:{self.topic.split(':')[4]}:{name}"
        self._client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)

    def message(self) -> tuple[str, str]:
        """The subject and text of the only message."""
        (message,) = self._client("sqs").receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)["Messages"]
        body = json.loads(message["Body"])
        return body["Subject"], body["Message"]

    def _client(self, service: str) -> Any:
        return self._connect(service, "us-west-2", "aws_oregon")


@pytest.fixture
def inbox(moto_endpoint: str, table_name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    values = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": {"endpoint_url": moto_endpoint}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_OREGON", json.dumps(values))
    return Inbox(table_name, connect)


def job(connection: str = "aws_oregon", **notify: str) -> CopyJob:
    late_after = {"late_after": "1h"} if "on_late" in notify else {}
    return job_of(schedule="@daily", **late_after, notify={"connection": connection, **notify})


def call_late(found: CopyJob) -> None:
    """Do what the triggerer does when a deadline is missed."""
    callback = notifiers.on_late(found)
    known = {"dag_run": {"dag_run_id": "scheduled__1"}, "deadline": {"deadline_time": "03:00"}}

    async def call() -> None:
        module, _, name = callback.path.rpartition(".")
        await getattr(import_module(module), name)(**callback.kwargs, context=known)

    asyncio.run(call())


def test_a_failed_run_is_told(inbox: Inbox) -> None:
    notifier = notifiers.on_failure(job(on_failure=inbox.topic))

    assert notifier is not None
    notifier({"run_id": "scheduled__1", "reason": "task_failure"})

    assert inbox.message() == ("orders failed", "orders: run scheduled__1 failed (task_failure).")


def test_a_successful_run_is_told(inbox: Inbox) -> None:
    notifier = notifiers.on_success(job(on_success=inbox.topic))

    assert notifier is not None
    notifier({"run_id": "scheduled__1"})

    subject, text = inbox.message()
    assert subject == "orders succeeded"
    assert text.startswith("orders: run scheduled__1 copied orders to orders")


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        (CopyJob, "copied orders to orders; seal's log"),
        (BackupJob, "backed up orders to s3://dr-backups/orders; seal's log"),
        (IncrementalJob, "brought orders up to date with orders; seal's log"),
        (IncrementalBackupJob, "backed up orders to s3://dr-backups/orders; seal's log"),
        (RestoreJob, "restored s3://dr-backups/orders into orders; seal's log"),
        (DrillJob, "recovered s3://dr-backups/orders within the objectives; report's log"),
    ],
)
def test_a_message_says_what_a_run_of_the_kind_did(kind: type[Job], done: str) -> None:
    notifier = notifiers.on_success(kind_of(kind, notify={"connection": "aws_oregon", "on_success": TOPIC}))  # type: ignore[arg-type]  # of every kind

    assert notifier is not None
    assert notifier.message.startswith(f"orders: run {{{{ run_id }}}} {done} has the ")


def test_a_late_run_is_told_by_the_triggerer(inbox: Inbox) -> None:
    call_late(job(on_late=inbox.topic))

    assert inbox.message() == ("orders is late", "orders: run scheduled__1 was to end by 03:00 and has not.")


def test_a_task_tells_at_once_and_its_text_is_no_template(inbox: Inbox) -> None:
    (listener,) = notifiers.hears_of_lateness(job(on_late=inbox.topic))

    notifiers.tell(listener, "orders", ("is late", "up to {{ run_id }}"))

    assert inbox.message() == ("orders is late", "up to {{ run_id }}")


def test_a_topic_that_is_gone_is_an_error_of_ours(inbox: Inbox) -> None:
    (listener,) = notifiers.hears_of_lateness(job(on_late=f"{inbox.topic}-gone"))

    with pytest.raises(CopyError, match="gone"):
        notifiers.tell(listener, "orders", ("is late", "by a day"))


def test_lateness_is_heard_by_on_late_or_else_by_who_hears_of_failures() -> None:
    def topics(**notify: str) -> list[str]:
        return [topic for _, topic in notifiers.hears_of_lateness(job(**notify))]

    assert topics(on_late=TOPIC, on_failure=f"{TOPIC}-2") == [TOPIC]
    assert topics(on_failure=f"{TOPIC}-2") == [f"{TOPIC}-2"]
    assert topics(on_success=TOPIC) == []
    assert notifiers.hears_of_lateness(job_of()) == []


def test_failures_of_several_jobs_are_heard_by_each_topic_once() -> None:
    jobs = [job(on_failure=TOPIC), job_of(), job(on_failure=f"{TOPIC}-2"), job(on_failure=TOPIC), job(on_success=TOPIC)]

    assert [topic for _, topic in notifiers.hears_of_failures(jobs)] == [TOPIC, f"{TOPIC}-2"]


def test_a_missing_connection_is_an_error_in_every_message() -> None:
    absent = job(connection="aws_absent", on_failure=TOPIC, on_success=TOPIC, on_late=TOPIC)

    for notifier in (notifiers.on_failure(absent), notifiers.on_success(absent)):
        assert notifier is not None
        with pytest.raises(ConnectionMissingError, match="aws_absent"):
            notifier({"run_id": "scheduled__1"})
    with pytest.raises(ConnectionMissingError, match="aws_absent"):
        call_late(absent)
    with pytest.raises(ConnectionMissingError, match="aws_absent"):
        notifiers.tell(notifiers.hears_of_lateness(absent)[0], "orders", ("is late", "by a day"))


def test_a_topic_that_nobody_named_is_not_told() -> None:
    assert notifiers.on_failure(job_of()) is None
    assert notifiers.on_success(job(on_failure=TOPIC)) is None
    assert notifiers.on_failure(job(on_success=TOPIC)) is None
    assert notifiers.on_late(job(on_success=TOPIC)).path.endswith("log_lateness")


def test_a_long_name_still_makes_a_subject_that_sns_takes() -> None:
    text = job(on_failure=TOPIC).text

    notifier = notifiers.on_failure(read_job("o" * 250, text))

    assert notifier is not None
    assert notifier.subject is not None
    assert len(notifier.subject) == 100
    assert notifier.subject.endswith(" failed")
