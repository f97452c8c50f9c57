from __future__ import annotations

from typing import Any

import pytest

from dynamodb_copy.aws.tables import Table
from dynamodb_copy.job import Share, Units, Unlimited
from dynamodb_copy.phases.planning import differing_settings, resolved, segment_count, write_limits
from job_texts import job_of

MIB = 1 << 20
GIB = 1 << 30


def table_of(**description: Any) -> Table:
    keys = {"TableName": "orders", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    return Table({**keys, "TableStatus": "ACTIVE", **description})


def provisioned(reads: int, writes: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}


ON_DEMAND: dict[str, Any] = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}, **provisioned(0, 0)}
MAXIMUM = {"OnDemandThroughput": {"MaxReadRequestUnits": 700, "MaxWriteRequestUnits": 300}}
WARM = {"WarmThroughput": {"ReadUnitsPerSecond": 30_000, "WriteUnitsPerSecond": 15_000}}


@pytest.mark.parametrize(
    ("description", "reads", "writes"),
    [
        pytest.param(provisioned(100, 40), 100, 40, id="provisioned"),
        pytest.param({**provisioned(100, 40), **WARM}, 100, 40, id="provisioned and warm"),
        pytest.param(ON_DEMAND, 12_000, 4_000, id="on demand"),
        pytest.param({**ON_DEMAND, **WARM}, 30_000, 15_000, id="on demand and warm"),
        pytest.param({**ON_DEMAND, **WARM, **MAXIMUM}, 700, 300, id="on demand with a maximum"),
        pytest.param(
            {**ON_DEMAND, "OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}},
            12_000,
            4_000,
            id="on demand with a maximum that was taken away",
        ),
    ],
)
def test_a_share_is_one_of_what_the_table_serves(description: dict[str, Any], reads: int, writes: int) -> None:
    table = table_of(**description)

    assert resolved(Share(0.5), table.read_capacity()) == reads / 2
    assert resolved(Share(0.5), table.write_capacity()) == writes / 2


def test_units_count_whatever_the_table_serves() -> None:
    assert resolved(Units(7.5), 100.0) == 7.5


def test_unlimited_is_no_limit() -> None:
    assert resolved(Unlimited(), 100.0) is None


def test_a_share_of_a_tiny_table_still_moves() -> None:
    assert resolved(Share(0.01), 1.0) == 1.0


def test_writes_are_limited_on_the_table_and_on_each_of_its_indexes_separately() -> None:
    indexes = [
        {"IndexName": "by_status", **provisioned(1, 8)},
        {"IndexName": "by_day", **provisioned(1, 200)},
    ]
    table = table_of(**provisioned(1, 100), GlobalSecondaryIndexes=indexes)

    assert write_limits(job_of(write={"share": 0.5}).write, table) == {"": 50.0, "by_status": 4.0, "by_day": 100.0}
    assert write_limits(job_of(write={"units": 9}).write, table) == {"": 9.0, "by_status": 9.0, "by_day": 9.0}
    assert write_limits(job_of(write="unlimited").write, table) == {}


def test_an_on_demand_index_has_limits_of_its_own() -> None:
    index = {"IndexName": "by_status", "OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}}
    table = table_of(**ON_DEMAND, GlobalSecondaryIndexes=[index])

    assert write_limits(job_of(write={"share": 0.5}).write, table) == {"": 2_000.0, "by_status": 10.0}


@pytest.mark.parametrize("segments", [1, 16, 256])
def test_a_number_of_segments_counts_as_it_is_written(segments: int) -> None:
    assert segment_count(job_of(segments=segments), 0, None) == (segments, f"segments: {segments}, as the job says")


@pytest.mark.parametrize(
    ("size_bytes", "read_units", "segments"),
    [
        pytest.param(0, None, 1, id="an empty table"),
        pytest.param(1, 12_000.0, 1, id="a tiny table"),
        pytest.param(64 * MIB, None, 1, id="64 MiB are not worth splitting"),
        pytest.param(640 * MIB, None, 10, id="unlimited: 64 MiB each"),
        pytest.param(640 * MIB, 1_024.0, 2, id="as many as use the limit at 4 MiB a second each"),
        pytest.param(10 * GIB, 1.0, 10, id="slow, but no more than 1 GiB each"),
        pytest.param(10_000 * GIB, 12_000.0, 256, id="never more than 256"),
        pytest.param(100 * GIB, 1e9, 256, id="never more than 256 because of the limit"),
    ],
)
def test_auto_decides_by_size_and_read_limit_and_says_why(
    size_bytes: int, read_units: float | None, segments: int
) -> None:
    count, reason = segment_count(job_of(), size_bytes, read_units)

    assert count == segments
    assert reason.startswith(f"segments: {segments} for {size_bytes / MIB:,.0f} MiB and ")
    assert ("no read limit" in reason) == (read_units is None)
    assert read_units is None or f"a read limit of {read_units:,.0f} units/s" in reason


def test_settings_that_no_copy_takes_along_are_noted() -> None:
    source = table_of(**provisioned(1, 1), StreamSpecification={"StreamEnabled": True}, DeletionProtectionEnabled=True)
    target = table_of(**ON_DEMAND, GlobalSecondaryIndexes=[{"IndexName": "by_day"}])

    notes = differing_settings(source, target)

    assert [note.partition(":")[0] for note in notes] == [
        "stream",
        "deletion protection",
        "billing on demand",
        "global indexes",
    ]
    assert notes[0] == "stream: source True, target False (left as it is)"


def test_tables_that_are_alike_have_no_notes() -> None:
    assert differing_settings(table_of(**ON_DEMAND), table_of(**ON_DEMAND)) == []
