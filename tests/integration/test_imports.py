"""Restores by the service's own import: started once, into a new table, verified, and only then with TTL and tags."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from dynamodb_copy.errors import (
    BackupRefusedError,
    ContentDiffersError,
    RunIncompleteError,
    ServiceUnavailableError,
    TableError,
    TargetRefusedError,
)
from dynamodb_copy.formats.dynamodb_json import key_hash
from dynamodb_copy.model import KeySchema
from integration.backups import contents
from integration.pair import TARGET_REGION, impatient_client, item_of, key_of
from integration.service_jobs import (
    ITEMS,
    TAGS,
    Native,
    dies,
    exported,
    fails,
    imported,
    killed,
    switch_recovery,
    waited,
    whole_export,
    whole_import,
)
from stack import golden
from stack.golden import put_golden_export
from stack.proxy_faults import Forward, Rule, cut_after_forwarding, cut_before_forwarding, nth
from stack.proxy_wire import Reply, Request

pytestmark = pytest.mark.integration

IMPORT = "import_table"
GOLDEN_KEYS = {"keys": {"hash": {"name": "pk", "type": "S"}, "range": {"name": "sk", "type": "N"}}}
BY_NUMBER = {
    "IndexName": "by_number",
    "KeySchema": [{"AttributeName": "number", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
INDEXED = {
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "number", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [BY_NUMBER],
}


@pytest.fixture
def backed_up(native: Native) -> Native:
    """An export of the source, sealed."""
    whole_export(native.backup())
    return native


def a_part(native: Native) -> str:
    """The key of a part that holds items."""
    return str(next(part for part in native.store.parts(native.folder) if part["itemCount"])["dataFileS3Key"])


def rewrite(native: Native, key: str, old: bytes, new: bytes) -> None:
    """Change the lines of a part."""
    content = gzip.decompress(native.store.read(key))
    assert old in content
    native.store.write(key, gzip.compress(content.replace(old, new, 1)))


def ended(native: Native, arn: str) -> None:
    """Let an import come to its end, while no attempt looks."""
    client = impatient_client(native.service.proxy.endpoint, TARGET_REGION)
    statuses = [client.describe_import(ImportArn=arn)["ImportTableDescription"]["ImportStatus"] for _ in range(2)]
    assert statuses[-1] == "COMPLETED"


def settings(native: Native) -> tuple[str | None, dict[str, str]]:
    """TTL and tags of the target."""
    return native.pair.target.ttl(), native.pair.target.tags()


def test_an_import_makes_an_equal_table(backed_up: Native) -> None:
    report = whole_import(backed_up.restore())

    assert (report.verdict.outcome, report.verdict.mode) == ("equal", "content")
    assert contents(backed_up.pair.target) == contents(backed_up.pair.source)
    assert (report.items, [segment.label for segment in report.segments]) == (ITEMS, ["import"])
    assert f"imported by {backed_up.imports[0]}" in report.notes


def test_the_table_is_readable_when_the_import_is_done_and_not_before(backed_up: Native) -> None:
    run = backed_up.restore()
    run.choose()
    run.start_import()

    early = run.import_is_done()
    waited(run.import_is_done)

    assert not early
    assert run.target_is_active()


def test_ttl_and_tags_come_with_the_seal_and_not_before(backed_up: Native) -> None:
    run = imported(backed_up.restore())
    run.verify()
    before = settings(backed_up)

    run.seal()

    assert before == (None, {})
    assert settings(backed_up) == ("expires_at", TAGS)


def test_ttl_and_tags_belong_to_the_owner_once_they_were_given(backed_up: Native) -> None:
    run = backed_up.restore()
    whole_import(run)
    target = backed_up.pair.target
    off = {"Enabled": False, "AttributeName": "expires_at"}
    target.client.update_time_to_live(TableName=target.table, TimeToLiveSpecification=off)
    target.client.untag_resource(ResourceArn=target.description()["TableArn"], TagKeys=["tier"])

    again = run.seal()

    assert again.verdict.outcome == "equal"
    assert settings(backed_up) == (None, {"team": TAGS["team"]})


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["tag_resource", "update_time_to_live"])
def test_a_kill_while_they_are_given_is_made_good_by_the_next_seal(
    backed_up: Native, operation: str, moment: str
) -> None:
    imported(backed_up.restore()).verify()
    dies(backed_up.restore(connect=backed_up.meeting(killed, operation, after=moment == "after")).seal)

    report = backed_up.restore().seal()

    assert report.items == ITEMS
    assert settings(backed_up) == ("expires_at", TAGS)


def test_a_table_without_ttl_and_tags_gets_none(native: Native) -> None:
    source = native.pair.source
    off = {"Enabled": False, "AttributeName": "expires_at"}
    source.client.update_time_to_live(TableName=source.table, TimeToLiveSpecification=off)
    source.client.untag_resource(ResourceArn=source.description()["TableArn"], TagKeys=list(TAGS))
    whole_export(native.backup())

    whole_import(native.restore())

    assert settings(native) == (None, {})


def test_an_export_that_nobody_described_is_imported_by_the_keys_of_the_job(native: Native) -> None:
    put_golden_export(native.store.client, native.store.bucket, native.store.prefix)

    report = whole_import(native.restore(to_=GOLDEN_KEYS))

    assert (report.verdict.outcome, report.items) == ("equal", len(golden.ITEMS))
    assert settings(native) == (None, {})


def test_a_run_that_comes_again_starts_no_second_import(backed_up: Native) -> None:
    run = backed_up.restore()
    run.choose()
    first, second = [backed_up.restore().start_import() for _ in range(2)]
    imported(backed_up.restore())
    third = backed_up.restore().start_import()

    assert [first] == [second] == [third] == backed_up.imports


@pytest.mark.parametrize("hours", [0, 9])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_call_leaves_one_import(backed_up: Native, moment: str, hours: int) -> None:
    backed_up.restore().choose()
    dies(backed_up.restore(connect=backed_up.meeting(killed, IMPORT, after=moment == "after")).start_import)
    left = list(backed_up.imports)
    for arn in left:
        ended(backed_up, arn)
    backed_up.service.hours = hours

    report = whole_import(backed_up.restore())

    assert len(left) == (moment == "after")
    assert (len(backed_up.imports), report.items) == (1, ITEMS)


def test_a_kill_before_the_answer_is_remembered_leaves_one_import_while_it_runs(backed_up: Native) -> None:
    backed_up.restore().choose()
    dies(backed_up.restore(connect=backed_up.meeting(killed, IMPORT, after=True)).start_import)

    report = whole_import(backed_up.restore())

    assert (len(backed_up.imports), report.items) == (1, ITEMS)


def test_a_lost_reply_starts_no_second_import(backed_up: Native) -> None:
    lost = Rule(cut_after_forwarding(), "ImportTable", nth(1))
    backed_up.restore().choose()

    with backed_up.service.proxy.injecting(lost):
        arn = backed_up.restore().start_import()

    assert lost.seen == 2
    assert backed_up.imports == [arn]


@pytest.mark.parametrize(("fault", "begun"), [(cut_before_forwarding, 0), (cut_after_forwarding, 1)])
def test_an_attempt_whose_replies_are_all_lost_leaves_one_import(backed_up: Native, fault: Any, begun: int) -> None:
    backed_up.restore().choose()
    with backed_up.service.proxy.injecting(Rule(fault(), "ImportTable", nth(1, 2))):
        error = fails(backed_up.restore().start_import)
    left = list(backed_up.imports)

    arn = backed_up.restore().start_import()

    assert isinstance(error, ServiceUnavailableError)
    assert len(left) == begun
    assert backed_up.imports == [arn]


def test_the_import_of_another_run_is_not_taken_for_the_runs_own(backed_up: Native) -> None:
    whole_import(backed_up.restore("other"))
    target = backed_up.pair.target
    target.client.delete_table(TableName=target.table)
    backed_up.restore().choose()
    dies(backed_up.restore(connect=backed_up.meeting(killed, IMPORT)).start_import)

    arn = backed_up.restore().start_import()

    assert len(backed_up.imports) == 2
    assert arn == backed_up.imports[1]


def test_an_existing_table_is_refused_by_every_attempt(backed_up: Native) -> None:
    backed_up.pair.target.create()
    backed_up.restore().choose()

    for _ in range(2):
        with pytest.raises(
            TargetRefusedError, match=f"to.table: '{backed_up.pair.table}' exists, and ImportTable only"
        ):
            backed_up.restore().start_import()

    assert backed_up.imports == []
    assert backed_up.pair.target.items() == []


def test_the_table_of_another_runs_import_is_refused(backed_up: Native) -> None:
    whole_import(backed_up.restore("other"))
    backed_up.restore().choose()

    with pytest.raises(TargetRefusedError, match="exists"):
        backed_up.restore().start_import()

    assert len(backed_up.imports) == 1


def test_a_local_index_is_refused_before_anything_is_started(native: Native) -> None:
    source = native.pair.source
    source.client.delete_table(TableName=source.table)
    source.create(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "state")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_state",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "state", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    switch_recovery(source, on=True)
    whole_export(native.backup())
    native.restore().choose()

    with pytest.raises(TableError, match=r"ImportTable makes no local secondary indexes.*say engine: load"):
        native.restore().start_import()

    assert (native.imports, native.pair.target.exists()) == ([], False)


def test_a_global_index_is_made_and_its_warm_throughput_is_left_out(native: Native) -> None:
    source = native.pair.source
    source.client.delete_table(TableName=source.table)
    source.create(**INDEXED)
    source.fill(range(ITEMS))
    switch_recovery(source, on=True)
    run = exported(native.backup())

    async def warm(request: Request, forward: Forward) -> Reply:
        reply = await forward(request)
        content = reply.json
        for index in content["Table"]["GlobalSecondaryIndexes"]:
            index["WarmThroughput"] = {"ReadUnitsPerSecond": 50_000, "WriteUnitsPerSecond": 50_000}
        return reply.with_json(content)

    with native.service.proxy.injecting(Rule(warm, "DescribeTable")):
        run.seal()

    assert b"WarmThroughput" in native.store.read(f"{native.folder}/table.json")
    assert whole_import(native.restore()).verdict.outcome == "equal"
    (index,) = native.pair.target.description()["GlobalSecondaryIndexes"]
    assert {name: index[name] for name in BY_NUMBER} == BY_NUMBER


def test_an_object_that_the_manifest_does_not_name_is_refused_with_its_name(backed_up: Native) -> None:
    stray = f"{backed_up.folder}/data/stray.json.gz"
    backed_up.store.write(stray, gzip.compress(b'{"Item":{"id":{"S":"stray"}}}\n'))
    backed_up.restore().choose()

    with pytest.raises(BackupRefusedError, match=f"{stray}: is not named by the manifest, and ImportTable would read"):
        backed_up.restore().start_import()

    assert (backed_up.imports, backed_up.pair.target.exists()) == ([], False)


def test_a_missing_part_is_refused_with_its_name(backed_up: Native) -> None:
    part = a_part(backed_up)
    backed_up.store.delete(part)
    backed_up.restore().choose()

    with pytest.raises(BackupRefusedError, match=f"{part}: is missing"):
        backed_up.restore().start_import()

    assert backed_up.imports == []


def test_a_bad_line_fails_the_import_with_its_reason_and_nothing_passes(native: Native) -> None:
    put_golden_export(native.store.client, native.store.bucket, native.store.prefix)
    rewrite(native, a_part(native), b'{"Item":', b'{"Thing":')
    run = native.restore(to_=GOLDEN_KEYS)
    run.choose()
    arn = run.start_import()

    for verb in (lambda: waited(run.import_is_done), run.verify):
        error = fails(verb)
        assert isinstance(error, TableError)
        assert f"{arn} is FAILED: ItemValidationError: Some of the items failed validation" in str(error)
        assert "delete the table, which is not whole if it is there, then start a new run" in str(error)
    assert isinstance(fails(run.seal), RunIncompleteError)


def test_a_part_that_was_changed_is_found_by_verify_with_its_name(native: Native) -> None:
    put_golden_export(native.store.client, native.store.bucket, native.store.prefix)
    part = a_part(native)
    rewrite(native, part, b'"digits":{"N":"1', b'"digits":{"N":"2')
    run = imported(native.restore(to_=GOLDEN_KEYS))

    with pytest.raises(BackupRefusedError, match=f"{part}: its MD5 is .*, and the manifest says"):
        run.verify()


def test_an_item_that_the_service_altered_is_found_by_verify(backed_up: Native) -> None:
    run = imported(backed_up.restore())
    backed_up.pair.target.put(item_of(7, note={"S": "altered"}))

    with pytest.raises(ContentDiffersError, match=key_hash(key_of(7), KeySchema("id")).hex()):
        run.verify()

    assert isinstance(fails(run.seal), RunIncompleteError)
    assert settings(backed_up) == (None, {})


def test_a_start_task_that_was_marked_as_success_lets_nothing_pass(backed_up: Native) -> None:
    backed_up.pair.target.create()
    run = backed_up.restore()
    run.choose()

    for verb in (run.import_is_done, run.verify):
        with pytest.raises(RunIncompleteError, match="no import was started; let the run's start_import task succeed"):
            verb()


def test_a_wait_that_was_marked_as_success_lets_nothing_be_verified(backed_up: Native) -> None:
    run = backed_up.restore()
    run.choose()
    run.start_import()

    with pytest.raises(RunIncompleteError, match="the import has not completed; let the run's import_done task wait"):
        run.verify()


def test_a_verify_task_that_was_marked_as_success_gives_neither_ttl_nor_tags(backed_up: Native) -> None:
    run = imported(backed_up.restore())

    with pytest.raises(RunIncompleteError, match="nothing is planned"):
        run.seal()

    assert settings(backed_up) == (None, {})


@pytest.mark.parametrize("verified", [False, True])
def test_a_table_that_took_the_imported_ones_place_is_left_alone(backed_up: Native, verified: bool) -> None:  # noqa: FBT001 -- pytest names it
    run = imported(backed_up.restore())
    if verified:
        run.verify()
    target = backed_up.pair.target
    target.client.delete_table(TableName=target.table)
    target.create()

    with pytest.raises(TableError, match="is not the table that this run's import made: it was dropped and created"):
        run.seal() if verified else run.verify()

    assert settings(backed_up) == (None, {})


def test_a_job_that_proves_nothing_is_told_so_and_gets_its_ttl_and_tags(backed_up: Native) -> None:
    report = whole_import(backed_up.restore(verify="none"))

    assert report.verdict.outcome == "not verified"
    assert settings(backed_up) == ("expires_at", TAGS)
