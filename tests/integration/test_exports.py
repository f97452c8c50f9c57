"""Backups by the service's own export: started once, checked, completed by our files, and good for every restore."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC
from functools import partial
from typing import Any

import orjson
import pytest

from dynamodb_copy.errors import (
    BackupRefusedError,
    BucketRefusedError,
    RunIncompleteError,
    ServiceUnavailableError,
    TableError,
)
from dynamodb_copy.formats import manifest
from integration.backups import at, contents, whole_drill, whole_restore
from integration.pair import SOURCE_REGION, impatient_client
from integration.service_jobs import (
    ITEMS,
    TAGS,
    Native,
    dies,
    exported,
    fails,
    killed,
    of_file,
    switch_recovery,
    waited,
    whole_export,
)
from stack import native_jobs
from stack.emulators import ACCOUNT
from stack.proxy_faults import Rule, cut_after_forwarding, cut_before_forwarding, nth

pytestmark = pytest.mark.integration

EXPORT = "export_table_to_point_in_time"
DAMAGED = "does not agree with manifest-files.md5"


def root_row(native: Native) -> dict[str, Any]:
    """What is remembered of the only backup; empty when nothing is."""
    return native.row(f"backup#{native.folder.rpartition('/')[2]}", "seal")


def report_row(native: Native) -> dict[str, Any]:
    """The run's report; empty when there is none."""
    return native.row("job#orders", f"report#{native.pair.table}/export")


def see_overtaken(native: Native) -> None:
    """Another attempt seals, and finds a table that others changed meanwhile."""
    native.pair.source.fill([ITEMS])
    tags = [{"Key": "note", "Value": "longer than before"}]
    native.pair.source.client.tag_resource(ResourceArn=native.pair.source.description()["TableArn"], Tags=tags)
    native.backup().seal()


def test_an_export_gets_beside_it_what_a_backup_needs(native: Native) -> None:
    run = exported(native.backup())
    native_files = native.store.contents(native.folder)

    report = run.seal()

    files = native.store.contents(native.folder)
    assert {name: files[name] for name in native_files} == native_files
    assert files.keys() - native_files.keys() == {"table.json", "backup.json", "backup.sha256"}
    assert (report.items, report.verdict.headline, report.segments[0].label) == (ITEMS, "sealed", "export")
    assert root_row(native)["root"] == {"S": manifest.root_hash({**files})}


def test_backup_json_tells_of_the_services_parts_and_moment(native: Native) -> None:
    whole_export(native.backup())

    files = native.store.contents(native.folder)
    details, summary = [orjson.loads(files[name]) for name in ("backup.json", "manifest-summary.json")]
    assert (details["engine"], details["digest"], details["items"], details["bytes"]) == ("export", None, ITEMS, 0)
    assert details["began"] == details["ended"] == summary["exportTime"]
    stored = {name.removeprefix("data/"): len(content) for name, content in files.items() if name.startswith("data/")}
    assert {part["name"]: part["bytes"] for part in details["parts"]} == stored
    assert {part["sha256"] for part in details["parts"]} == {None}


def test_table_json_tells_what_the_table_was(native: Native) -> None:
    whole_export(native.backup())

    told = orjson.loads(native.store.read(f"{native.folder}/table.json"))
    assert told["table"]["TableId"] == native.pair.source.description()["TableId"]
    assert told["timeToLive"] == "expires_at"
    assert {tag["Key"]: tag["Value"] for tag in told["tags"]} == TAGS


def test_an_export_is_restored_item_by_item_with_ttl_and_tags(native: Native) -> None:
    whole_export(native.backup())

    report = whole_restore(native.store.restore())

    assert (report.verdict.outcome, report.items) == ("equal", ITEMS)
    assert contents(native.pair.target) == contents(native.pair.source)
    assert (native.pair.target.ttl(), native.pair.target.tags()) == ("expires_at", TAGS)


def test_an_export_is_drilled_green(native: Native) -> None:
    whole_export(native.backup())

    report = whole_drill(native.store.drill())

    assert report.recovered
    assert (report.manifest_items, report.read_items, report.scratch_items) == (ITEMS, ITEMS, ITEMS)


def test_an_empty_table_is_exported(native: Native) -> None:
    native.pair.source.delete(*range(ITEMS))

    assert whole_export(native.backup()).items == 0
    assert whole_restore(native.store.restore()).verdict.headline == "equal"


def test_encryption_and_owner_are_those_of_the_job(native: Native) -> None:
    whole_export(native.backup(to_={"kms_key": "alias/backups"}, bucket_owner=ACCOUNT))

    heads = [native.store.client.head_object(Bucket=native.store.bucket, Key=key) for key in native.store.all_keys()]
    assert {head["SSEKMSKeyId"] for head in heads} == {"alias/backups"}
    client = impatient_client(native.service.proxy.endpoint, SOURCE_REGION)
    shown = client.describe_export(ExportArn=native.exports[0])["ExportDescription"]
    assert shown["S3BucketOwner"] == ACCOUNT


def test_without_point_in_time_recovery_the_command_that_switches_it_on_is_told(native: Native) -> None:
    switch_recovery(native.pair.source, on=False)

    error = fails(native.backup().start_export)

    assert isinstance(error, TableError)
    assert f"aws dynamodb update-continuous-backups --table-name {native.pair.table} " in str(error)
    assert "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true" in str(error)
    assert (native.exports, native.store.all_keys()) == ([], [])


def test_a_missing_bucket_is_told_before_anything_is_started(native: Native) -> None:
    with pytest.raises(BucketRefusedError, match=r"bucket-that-nobody-made.*create the bucket"):
        native.backup(to_={"s3": "s3://bucket-that-nobody-made/nightly"}).start_export()

    assert native.exports == []


def test_a_missing_table_is_told_before_anything_is_started(native: Native) -> None:
    native.pair.source.client.delete_table(TableName=native.pair.table)

    with pytest.raises(TableError, match="does not exist"):
        native.backup().start_export()

    assert native.store.all_keys() == []


def test_a_run_that_comes_again_starts_no_second_export(native: Native) -> None:
    first, second = [native.backup().start_export() for _ in range(2)]
    exported(native.backup())
    third = native.backup().start_export()

    assert [first] == [second] == [third] == native.exports


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_call_leaves_one_export(native: Native, moment: str, hours: int) -> None:
    connect = native.meeting(killed, EXPORT, after=moment == "after")
    dies(native.backup(connect=connect).start_export)
    left = list(native.exports)
    native.service.hours = hours

    arn = native.backup().start_export()

    assert len(left) == (moment == "after")
    assert native.exports == [arn]


def test_a_kill_before_the_answer_is_remembered_leaves_one_export_that_ends(native: Native) -> None:
    dies(native.backup(connect=native.meeting(killed, EXPORT, after=True)).start_export)

    report = whole_export(native.backup())

    assert report.items == ITEMS
    assert len(native.exports) == 1


def test_a_lost_reply_starts_no_second_export(native: Native) -> None:
    lost = Rule(cut_after_forwarding(), "ExportTableToPointInTime", nth(1))

    with native.service.proxy.injecting(lost):
        arn = native.backup().start_export()

    assert lost.seen == 2
    assert native.exports == [arn]


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize(("fault", "begun"), [(cut_before_forwarding, 0), (cut_after_forwarding, 1)])
def test_an_attempt_whose_replies_are_all_lost_leaves_one_export(
    native: Native, fault: Any, begun: int, hours: int
) -> None:
    with native.service.proxy.injecting(Rule(fault(), "ExportTableToPointInTime", nth(1, 2))):
        error = fails(native.backup().start_export)
    left = list(native.exports)
    native.service.hours = hours

    arn = native.backup().start_export()

    assert isinstance(error, ServiceUnavailableError)
    assert len(left) == begun
    assert native.exports == [arn]


def test_it_is_found_again_among_more_exports_than_a_page_lists(
    native: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_jobs, "_MOST_LISTED", 2)
    client = impatient_client(native.service.proxy.endpoint, SOURCE_REGION)
    table_arn = native.pair.source.description()["TableArn"]
    for _ in range(4):
        client.export_table_to_point_in_time(TableArn=table_arn, S3Bucket=native.store.bucket, S3Prefix="elsewhere")
    dies(native.backup(connect=native.meeting(killed, EXPORT, after=True)).start_export)
    native.service.hours = 9

    arn = native.backup().start_export()

    assert arn == native.exports[-1]
    assert len(native.exports) == 5


def test_the_export_of_another_run_is_not_taken_for_the_runs_own(native: Native) -> None:
    moment = native.pair.source.description()["CreationDateTime"].timestamp() + 1
    other = at(moment, native.backup("other"))
    whole_export(other)
    dies(at(moment, native.backup(connect=native.meeting(killed, EXPORT))).start_export)

    arn = at(moment, native.backup()).start_export()

    assert len(native.exports) == 2
    assert arn == native.exports[1]


def test_two_runs_are_two_backups(native: Native) -> None:
    whole_export(native.backup("1"))
    native.pair.source.fill([ITEMS])
    whole_export(native.backup("2"))

    assert len(native.exports) == len(native.store.folders()) == 2
    assert whole_restore(native.store.restore()).items == ITEMS + 1


def test_a_failed_export_is_told_with_its_reason_and_nothing_is_sealed(native: Native) -> None:
    native.service.exports.fail_next("S3AccessDenied", "Access Denied (Service: Amazon S3)")
    run = native.backup()
    arn = run.start_export()

    waiting, sealing = [fails(lambda: waited(run.export_is_done)), fails(run.seal)]

    for error in (waiting, sealing):
        assert isinstance(error, TableError)
        assert (
            f"{arn} is FAILED: S3AccessDenied: Access Denied (Service: Amazon S3); correct that, then start a new"
            in str(error)
        )
    assert native.store.contents(native.folder).keys() == {"_started"}
    assert report_row(native) == {}


def test_a_start_task_that_was_marked_as_success_lets_nothing_pass(native: Native) -> None:
    whole_export(native.backup("earlier"))

    for verb in (native.backup().export_is_done, native.backup().seal):
        with pytest.raises(RunIncompleteError, match="no export was started; let the run's start_export task succeed"):
            verb()


def test_a_wait_that_was_marked_as_success_lets_nothing_be_sealed(native: Native) -> None:
    run = native.backup()
    run.start_export()

    with pytest.raises(RunIncompleteError, match="is IN_PROGRESS; let the run's export_done task wait for it"):
        run.seal()

    assert native.store.contents(native.folder).keys() == {"_started"}


def test_a_damaged_manifest_is_refused_with_its_name_and_nothing_is_sealed(native: Native) -> None:
    run = exported(native.backup())
    name = f"{native.folder}/manifest-files.json"
    native.store.write(name, native.store.read(name).replace(b'"itemCount":1', b'"itemCount":2', 1))
    before = native.store.contents(native.folder)

    with pytest.raises(BackupRefusedError, match=f"{name}: {DAMAGED}"):
        run.seal()

    assert native.store.contents(native.folder) == before
    assert (root_row(native), report_row(native)) == ({}, {})


def test_a_missing_part_is_refused_with_its_name_and_nothing_is_sealed(native: Native) -> None:
    run = exported(native.backup())
    part = native.store.parts(native.folder)[2]["dataFileS3Key"]
    native.store.delete(part)
    before = native.store.contents(native.folder)

    with pytest.raises(BackupRefusedError, match=f"{part}: is missing"):
        run.seal()

    assert native.store.contents(native.folder) == before
    assert (root_row(native), report_row(native)) == ({}, {})


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["table.json", "backup.sha256", "backup.json"])
def test_a_kill_between_the_files_of_the_seal_is_made_good_by_the_next(native: Native, name: str, moment: str) -> None:
    exported(native.backup())
    dies(native.backup(connect=native.meeting(killed, "put_object", of_file(name), after=moment == "after")).seal)
    native.pair.source.fill([ITEMS])  # the table is described in other words by now

    report = native.backup().seal()

    assert report.items == ITEMS
    assert native.store.restore().choose().items == ITEMS
    assert report_row(native)


@pytest.mark.parametrize("name", ["table.json", "backup.sha256", "backup.json"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_attempt_that_wakes_up_after_the_seal_changes_nothing(native: Native, name: str, moment: str) -> None:
    exported(native.backup())
    overtaken = partial(see_overtaken, native)
    connect = native.meeting(overtaken, "put_object", of_file(name), after=moment == "after")
    zombie = native.backup(connect=connect)

    with suppress(BackupRefusedError):
        zombie.seal()

    assert native.store.restore().choose().items == ITEMS


def test_a_seal_that_comes_again_changes_nothing(native: Native) -> None:
    first = whole_export(native.backup())
    before = native.store.contents(native.folder)

    again = native.backup().seal()

    assert native.store.contents(native.folder) == before
    assert (again.started, again.segments, again.verdict) == (first.started, first.segments, first.verdict)


def test_the_report_begins_when_the_service_began(native: Native) -> None:
    run = native.backup()
    run.start_export()
    native.service.hours = 1
    waited(run.export_is_done)

    report = at(time.time() + 7200, native.backup()).seal()

    client = impatient_client(native.service.proxy.endpoint, SOURCE_REGION)
    began = client.describe_export(ExportArn=native.exports[0])["ExportDescription"]["StartTime"]
    assert report.started == began.astimezone(UTC).isoformat(timespec="seconds")
    assert 3600 <= report.segments[0].seconds < 3700


def test_a_table_that_was_replaced_meanwhile_does_not_describe_the_export(native: Native) -> None:
    run = exported(native.backup())
    native.pair.source.client.delete_table(TableName=native.pair.table)
    native.pair.source.create()

    with pytest.raises(TableError, match=r"was dropped and created again since .*/export/.* began; start a new run"):
        run.seal()

    assert "table.json" not in native.store.contents(native.folder)
