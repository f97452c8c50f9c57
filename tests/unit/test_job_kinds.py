from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest
import yaml

from dynamodb_copy.job import (
    BackupJob,
    CopyJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    Notify,
    RestoreJob,
    Units,
    read_job,
)
from job_texts import HERE, KINDS, STORE, THERE, TOPIC, errors_in, errors_of, job_of, kind_of, text_of

WITH_RATE_AND_SEGMENTS = (CopyJob, IncrementalJob, RestoreJob, DrillJob)
WITH_A_BUCKET = (BackupJob, IncrementalBackupJob, RestoreJob, DrillJob)
OF_CHANGES = (IncrementalJob, IncrementalBackupJob)
OF_THE_WHOLE = tuple([kind for kind in KINDS if kind not in OF_CHANGES])


@pytest.mark.parametrize("kind", KINDS)
def test_a_files_keys_say_which_kind_of_job_it_is(kind: type[Job]) -> None:
    assert type(read_job("orders", text_of(kind))) is kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_the_keys_that_all_share(kind: type[Job]) -> None:
    job = kind_of(
        kind,
        description="nightly",
        tags=["dr"],
        schedule="every 6h",
        parallel=8,
        pool="copies",
        queue="west",
        retries=0,
        retry_delay="90s",
        timeout="2h",
        late_after="1h",
        start="2026-12-01",
        end="2027-12-01",
        catch_up=kind in OF_THE_WHOLE,
        notify={"connection": "aws_oregon", "on_late": TOPIC},
        preconditions=[{"table_exists": HERE}],
    )

    assert (job.description, job.tags, job.schedule, job.every) == ("nightly", ("dr",), "every 6h", timedelta(hours=6))
    assert (job.parallel, job.pool, job.queue, job.retries) == (8, "copies", "west", 0)
    assert (job.retry_delay, job.timeout, job.late_after) == (
        timedelta(seconds=90),
        timedelta(hours=2),
        timedelta(hours=1),
    )
    assert job.start is not None
    assert job.end is not None
    assert (job.start.year, job.end.year, job.catch_up) == (2026, 2027, kind in OF_THE_WHOLE)
    assert job.notify == Notify(connection="aws_oregon", on_late=TOPIC)
    assert job.preconditions[0].table_exists is not None
    assert job.preconditions[0].table_exists.table == "orders"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"late_after": "1h"}, 'late_after: found "1h"; allowed: only together with a schedule'),
        (
            {"schedule": "@daily", "notify": {"connection": "aws", "on_late": TOPIC}},
            "allowed: on_late only together with late_after",
        ),
    ],
)
def test_every_kind_knows_what_contradicts(kind: type[Job], changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(kind, **changes)


@pytest.mark.parametrize("kind", OF_THE_WHOLE)
def test_only_runs_that_are_due_can_be_caught_up(kind: type[Job]) -> None:
    assert "catch_up: found true; allowed: only together with a schedule" in errors_of(kind, catch_up=True)


@pytest.mark.parametrize("kind", OF_CHANGES)
@pytest.mark.parametrize("changes", [{}, {"schedule": "@daily"}, {"schedule": "@daily", "start": "2026-12-01"}])
def test_one_run_catches_up_with_all_changes(kind: type[Job], changes: dict[str, Any]) -> None:
    message = errors_of(kind, catch_up=True, **changes)

    assert message.startswith("orders: 1 error\n")
    assert "catch_up: found true; allowed: false; the next run takes all changes that missed runs" in message


@pytest.mark.parametrize("kind", OF_THE_WHOLE)
def test_only_changes_are_taken_without_pause(kind: type[Job]) -> None:
    message = errors_of(kind, schedule="continuous")

    assert 'schedule: found "continuous"; allowed: a schedule with an end to each run' in message
    assert "only changes by stream run on into a table: write every 6h, or another schedule" in message
    assert not kind_of(kind, schedule="every 6h").is_continuous


@pytest.mark.parametrize("kind", OF_THE_WHOLE)
@pytest.mark.parametrize("key", ["changes", "base", "staging", "full_every", "run_for", "ttl"])
def test_a_key_of_changes_is_refused_where_the_whole_is_taken(kind: type[Job], key: str) -> None:
    assert f"{key}: unknown key; allowed here: {', '.join(kind.keys())}; " in errors_of(kind, **{key: "7d"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_any_kind_can_be_stored_hashed_and_sent_to_another_process(kind: type[Job]) -> None:
    job = kind_of(kind, tags=["dr"])

    assert read_job(job.name, job.text) == job
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301  # its own bytes
    assert len({job, kind_of(kind, tags=["dr"])}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_keys_of_a_kind_are_those_of_every_job_and_its_own(kind: type[Job]) -> None:
    own = kind.keys()[len(Job.keys()) :]

    assert kind.keys()[: len(Job.keys())] == Job.keys()
    assert {"from", "to"} < set(own)
    assert f"flavour: unknown key; allowed here: {', '.join(kind.keys())}; remove it" in errors_of(kind, flavour=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["name", "text", "source", "target"])
def test_words_of_the_code_are_no_keys_of_any_kind(kind: type[Job], key: str) -> None:
    assert f"line 1, {key}: unknown key" in errors_in(f"{key}: orders\n{text_of(kind)}")


@pytest.mark.parametrize("kind", WITH_RATE_AND_SEGMENTS)
def test_the_kinds_that_write_tables_take_a_rate_and_segments(
    kind: type[CopyJob | IncrementalJob | RestoreJob | DrillJob],
) -> None:
    job = kind_of(kind, write={"units": 500}, segments=16)

    assert (job.write, job.segments) == (Units(500.0), 16)
    assert "did you mean {share: 0.5}?" in errors_of(kind, write=0.5)
    assert "segments: found 257; allowed: a whole number, 1 to 256" in errors_of(kind, segments=257)


@pytest.mark.parametrize("place", [THERE, STORE])
@pytest.mark.parametrize(
    ("word", "kinds_word"),
    [("incremetal", "incremental"), ("Incremental", "incremental"), ("ful", "full"), ("always", "full")],
)
def test_an_unknown_word_after_copy_is_one_error_that_tells_both(place: object, word: str, kinds_word: str) -> None:
    changes = "changes: {by: stream}\n" if kinds_word == "incremental" else ""

    message = errors_in(f"copy: {word}\n{changes}{yaml.safe_dump({'from': HERE, 'to': place})}")

    assert message.startswith("orders: 1 error\n")
    assert f'line 1, copy: found "{word}"; allowed: full or incremental; write one of these' in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("from: {}\nto: {}\n", "found none of copy, restore, drill; allowed: exactly one of copy, restore, drill; say"),
        ("tags: []\n", "say what the job does, as in copy: full"),
        ("cpoy: full\n", "did you mean copy in place of cpoy?"),
        ("restores: latest\n", "did you mean restore in place of restores?"),
        ("copy: full\nrestore: latest\n", "line 2, restore: found copy and restore in one file; allowed: exactly one"),
        ("drill: {}\ncopy: full\n", "line 2, copy: found copy and drill in one file"),
        ("drill: {}\nrestore: latest\n", "line 2, restore: found restore and drill in one file"),
        ("copy: full\ndrill: {}\nrestore: x\n", "line 3, restore: found copy and restore and drill in one file"),
        ("copy:\nrestore:\n", "keep one, or write a file for each"),
    ],
)
def test_a_file_of_no_kind_or_of_two_gets_one_error(text: str, says: str) -> None:
    message = errors_in(text)

    assert message.startswith("orders: 1 error\n")
    assert says in message


def test_a_file_of_no_kind_is_told_what_is_wrong_with_its_yaml_and_its_name_too() -> None:
    message = errors_in("tags: *all\ntags: []\n")

    assert message.startswith("orders: 3 errors\n")


def test_an_unreadable_value_still_says_what_kind_of_job_it_is() -> None:
    message = errors_in(text_of(DrillJob).replace("rto: 30m", "rto: *half_an_hour"))

    assert message.startswith("orders: 1 error\n")
    assert "drill.rto: found the YAML alias *half_an_hour" in message


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        (
            CopyJob,
            {"to_": {"s3": "s3://dr/orders"}},
            "to.table: unknown key; allowed here: s3, region, connection, kms_",
        ),
        (CopyJob, {"engine": "export"}, "engine: unknown key"),
        (CopyJob, {"keep": {"full": 3}}, "keep: unknown key"),
        (BackupJob, {"write": "unlimited"}, "write: unknown key"),
        (BackupJob, {"verify": "count"}, "verify: unknown key"),
        (BackupJob, {"kms_key": "alias/backups"}, "move it below to"),
        (BackupJob, {"to_": {"existing": "allow"}}, "to.existing: unknown key; allowed here: s3, region, connection"),
        (IncrementalJob, {"consistent": True}, "consistent: unknown key"),
        (IncrementalJob, {"keep": {"full": 3}}, "keep: unknown key"),
        (IncrementalJob, {"full_every": "7d"}, "full_every: unknown key"),
        (IncrementalJob, {"engine": "export"}, "engine: unknown key"),
        (IncrementalJob, {"enable": True}, "move it below changes"),
        (IncrementalJob, {"to_": {"mirror": False}}, "to.mirror: unknown key; allowed here: table, region, connection"),
        (IncrementalBackupJob, {"consistent": True}, "consistent: unknown key"),
        (IncrementalBackupJob, {"engine": "scan"}, "engine: unknown key"),
        (IncrementalBackupJob, {"staging": "s3://dr/orders"}, "staging: unknown key"),
        (IncrementalBackupJob, {"run_for": "1h"}, "run_for: unknown key"),
        (IncrementalBackupJob, {"ttl": "skip"}, "ttl: unknown key"),
        (IncrementalBackupJob, {"write": "unlimited"}, "write: unknown key"),
        (RestoreJob, {"read": "unlimited"}, "read: unknown key"),
        (RestoreJob, {"to_": {"mirror": False}}, "to.mirror: unknown key; allowed here: table, region, connection"),
        (RestoreJob, {"from_": {"kms_key": "alias/a"}}, "from.kms_key: unknown key; allowed here: s3, region"),
        (DrillJob, {"verify": "count"}, "verify: unknown key"),
        (DrillJob, {"rto": "30m"}, "move it below drill"),
        (DrillJob, {"to_": {"table": "scratch"}}, "to.table: unknown key; allowed here: region, connection, kms_key"),
    ],
)
def test_a_key_of_another_kind_is_refused(kind: type[Job], changes: dict[str, Any], says: str) -> None:
    assert says in errors_of(kind, **changes)


@pytest.mark.parametrize(
    "written", ["s3://dr-backups/orders", "s3://dr-backups/orders/", "s3://dr-backups", "s3://dr-backups/"]
)
def test_a_slash_at_the_end_of_a_place_in_s3_changes_nothing(written: str) -> None:
    place = kind_of(RestoreJob, from_={"s3": written}).source

    assert place.bucket == "dr-backups"
    assert place.prefix == ("orders" if "orders" in written else "")
    assert place.where == f"us-west-2/{written.removesuffix('/')}"


def test_a_prefix_keeps_what_is_between_its_slashes() -> None:
    place = kind_of(BackupJob, to_={"s3": "s3://dr.backups/a b/2026=x/ü/"}).target

    assert (place.bucket, place.prefix) == ("dr.backups", "a b/2026=x/ü")


@pytest.mark.parametrize(
    "written",
    [
        *("dr-backups/orders", "s3://", "s3:///orders", "s3://dr-backups//", "s3://dr-backups//orders"),
        *(
            "s3://dr-backups/a//b",
            "s3://DR-backups/orders",
            "https://dr-backups/orders",
            "s3://dr-backups/a\nb",
            5,
            None,
        ),
        "s3://dr-backups/" + "x" * 1025,
    ],
)
def test_other_places_in_s3_are_refused(written: object) -> None:
    assert "from.s3: found " in errors_of(RestoreJob, from_={"s3": written})
    assert "such as s3://bucket/prefix" in errors_of(RestoreJob, from_={"s3": written})


def test_a_place_says_where_it_is() -> None:
    copy, backup, drill = job_of(), kind_of(BackupJob), kind_of(DrillJob)

    assert (copy.source.where, copy.target.where) == ("us-east-1/orders", "us-west-2/orders")
    assert (backup.source.where, backup.target.where) == ("us-east-1/orders", "us-west-2/s3://dr-backups/orders")
    assert kind_of(RestoreJob).target.where == "us-west-2/orders"
    assert (drill.source.where, drill.target.where) == ("us-west-2/s3://dr-backups/orders", "us-west-2")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["key/1234abcd-12ab-34cd-56ef-1234567890ab", "alias/orders"])
def test_every_kind_refuses_a_customer_key_of_another_region(kind: type[Job], key: str) -> None:
    there, here = (f"arn:aws:kms:{region}:123456789012:{key}" for region in ("us-west-2", "us-east-1"))

    assert read_job("orders", text_of(kind, to_={"kms_key": there}))
    assert "allowed: a key of the target's region us-west-2" in errors_of(kind, to_={"kms_key": here})


@pytest.mark.parametrize("kind", WITH_A_BUCKET)
def test_a_buckets_owner_is_twelve_digits(kind: type[BackupJob | IncrementalBackupJob | RestoreJob | DrillJob]) -> None:
    assert kind_of(kind).bucket_owner is None
    assert kind_of(kind, bucket_owner="123456789012").bucket_owner == "123456789012"
    assert kind_of(kind, bucket_owner="012345678901").bucket_owner == "012345678901"


@pytest.mark.parametrize("kind", WITH_A_BUCKET)
@pytest.mark.parametrize(
    ("written", "says"),
    [
        (123456789012, "found 123456789012; allowed: the 12 digits"),
        (123456789012, "YAML does not read it as text: put it in quotes"),
        ("12345678901", "correct it"),
        ("1234567890123", "correct it"),
        ("1234-5678-9012", "correct it"),
        ("\u0661" * 12, "correct it"),
        (None, "give it a value"),
    ],
)
def test_other_owners_are_refused(kind: type[Job], written: object, says: str) -> None:
    message = errors_of(kind, bucket_owner=written)

    assert "bucket_owner: found " in message
    assert says in message
