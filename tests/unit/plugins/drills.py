"""What the engine says of a drill that went well."""

from __future__ import annotations

from dynamodb_copy.assembly import Choice
from dynamodb_copy.drill_report import DrillReport

CHOICE = Choice(
    uri="s3://dr-backups/orders/AWSDynamoDB/1",
    folder="orders/AWSDynamoDB/1",
    root="",
    consistent="2026-12-01T02:00:00+00:00",
    items=12_000,
    table_arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
    as_of=None,
    notes=("passed over: s3://dr-backups/orders/AWSDynamoDB/2 is damaged",),
)
REPORT = DrillReport(
    job="orders",
    run_id="orders/manual",
    backup=CHOICE.uri,
    table=CHOICE.table_arn,
    scratch="arn:aws:dynamodb:us-west-2:123456789012:table/orders-drill-0123456789ab",
    triggered="2026-12-01T06:00:00+00:00",
    consistent=CHOICE.consistent,
    rpo_seconds=14_400.0,
    rpo_objective_seconds=86_400.0,
    rto_seconds=61.5,
    rto_objective_seconds=1_800.0,
    phases={"choose": 1.5, "restore": 60.0},
    manifest_items=12_000,
    read_items=12_000,
    scratch_items=12_000,
    backup_digest="0a" * 16,
    scratch_digest="0a" * 16,
    source_now="about 12,004 items now",
    notes=tuple([f"passed over: s3://dr-backups/orders/AWSDynamoDB/{number} is damaged" for number in range(100)]),
    problems=(),
)
