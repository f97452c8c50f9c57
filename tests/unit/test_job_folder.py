from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job import (
    BackupJob,
    DrillJob,
    IncrementalBackupJob,
    IncrementalJob,
    Job,
    RestoreJob,
    jobs_folder,
    load_folder,
    load_job,
)
from job_texts import KINDS, text_of, texts_apart

ELSEWHERE = {"table": "elsewhere"}
IN_S3 = (BackupJob, IncrementalBackupJob)
FROM_S3 = (RestoreJob, DrillJob)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_files_stem_is_the_jobs_name_and_its_text_is_kept(tmp_path: Path) -> None:
    text = "# Über Nacht\r\n" + text_of()
    path = tmp_path / "orders.v2.yaml"
    path.write_bytes(text.encode())

    job = load_job(path)

    assert (job.name, job.text) == ("orders.v2", text)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + text_of().encode())

    assert load_job(path).text == text_of()


def test_an_error_names_the_path(tmp_path: Path) -> None:
    path = write(tmp_path, "orders.yaml", text_of(retries=-1))

    with pytest.raises(JobFileError) as caught:
        load_job(path)

    assert str(caught.value).startswith(f"{path}: 1 error\n- line 10, retries: found -1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"copy: full\ndescription: \xff\n", "found byte 0xff at position 24; allowed: UTF-8 text"),
        (b"\xff\xfec\x00o\x00", "found byte 0xff at position 0; allowed: UTF-8 text"),
        (b"#" * 65_537, "found more than 65536 bytes; allowed: at most that"),
    ],
)
def test_a_file_that_is_no_small_text_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "orders.yaml"
    path.write_bytes(content)

    with pytest.raises(JobFileError, match=says):
        load_job(path)


def test_a_missing_file_is_a_job_file_error(tmp_path: Path) -> None:
    with pytest.raises(JobFileError, match="cannot be read: No such file or directory"):
        load_job(tmp_path / "orders.yaml")


@given(st.binary())
def test_random_bytes_are_a_job_file_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "orders.yaml"
    path.write_bytes(content)

    with pytest.raises(JobFileError):
        load_job(path)


def test_a_folder_gives_its_jobs_sorted_by_name(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", text_of(to_=ELSEWHERE))
    write(tmp_path, "a.yaml", text_of())

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["a", "b"]
    assert folder.errors == {}


def test_other_files_hidden_files_and_subfolders_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "not a job")
    write(tmp_path, ".orders.yaml.swp", "not a job")
    write(tmp_path, ".hidden.yaml", "not a job")
    write(tmp_path, "orders.yaml~", "not a job")
    (tmp_path / "more").mkdir()
    write(tmp_path / "more", "deep.yaml", "not a job")

    folder = load_folder(tmp_path)

    assert (folder.jobs, folder.errors) == ([], {})


def test_a_bad_file_never_hides_the_others(tmp_path: Path) -> None:
    write(tmp_path, "bad.yaml", "copy: ful\n")
    write(tmp_path, "broken.yaml", "schedule: @daily\n")
    write(tmp_path, "good.yaml", text_of())
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["good"]
    assert list(folder.errors) == ["bad.yaml", "broken.yaml", "bytes.yaml", "folder.yaml", "loop.yaml", "pipe.yaml"]
    assert 'copy: found "ful"; allowed: full' in folder.errors["bad.yaml"]
    assert "found something else than a file" in folder.errors["pipe.yaml"]


def test_a_missing_folder_is_an_error_entry_that_says_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "jobs"

    folder = load_folder(missing)

    assert folder.jobs == []
    assert "cannot be read: No such file or directory; create it" in folder.errors[str(missing)]
    assert "DYNAMODB_COPY_JOBS_DIR" in folder.errors[str(missing)]


def test_jobs_that_write_one_target_are_errors_that_name_each_other(tmp_path: Path) -> None:
    write(tmp_path, "first.yaml", text_of())
    write(tmp_path, "second.yaml", text_of(from_=ELSEWHERE))
    write(tmp_path, "third.yaml", text_of(to_=ELSEWHERE))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["third"]
    assert list(folder.errors) == ["first.yaml", "second.yaml"]
    assert "second.yaml writes the same target, orders in us-west-2 over aws_oregon" in folder.errors["first.yaml"]
    assert "first.yaml writes the same target" in folder.errors["second.yaml"]
    assert "remove one, or give it another target" in folder.errors["second.yaml"]


def test_the_same_table_over_another_connection_may_be_another_account(tmp_path: Path) -> None:
    write(tmp_path, "first.yaml", text_of())
    write(tmp_path, "second.yaml", text_of(to_={"connection": "aws_other_account"}))

    assert load_folder(tmp_path).errors == {}


def test_a_folder_gives_jobs_of_all_kinds(tmp_path: Path) -> None:
    for kind, text in texts_apart().items():
        write(tmp_path, f"{kind.__name__}.yaml", text)

    folder = load_folder(tmp_path)

    assert {job.name: type(job) for job in folder.jobs} == {kind.__name__: kind for kind in KINDS}
    assert folder.errors == {}


def test_a_restore_writes_its_table_as_a_copy_does(tmp_path: Path) -> None:
    write(tmp_path, "copy.yaml", text_of())
    write(tmp_path, "restore.yaml", text_of(RestoreJob))
    write(tmp_path, "weekly.yaml", text_of(RestoreJob, from_={"s3": "s3://elsewhere/orders"}))
    write(tmp_path, "third.yaml", text_of(RestoreJob, to_=ELSEWHERE))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["third"]
    assert "restore.yaml, weekly.yaml writes the same target, orders in us-west-2" in folder.errors["copy.yaml"]
    assert "copy.yaml, weekly.yaml writes the same target, orders in us-west-2" in folder.errors["restore.yaml"]
    assert "copy.yaml, restore.yaml writes the same target" in folder.errors["weekly.yaml"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("s3://west/orders", "s3://west/orders"),
        ("s3://west/orders", "s3://west/orders/"),
        ("s3://west/orders", "s3://west/orders/eu"),
        ("s3://west/orders/eu/2026", "s3://west/orders/"),
        ("s3://west", "s3://west/orders"),
        ("s3://west/", "s3://west"),
    ],
)
def test_backups_into_one_prefix_or_one_inside_the_other_are_errors(tmp_path: Path, first: str, second: str) -> None:
    write(tmp_path, "first.yaml", text_of(BackupJob, to_={"s3": first}))
    write(tmp_path, "second.yaml", text_of(BackupJob, to_={"s3": second, "region": "eu-west-1", "connection": "other"}))
    write(tmp_path, "third.yaml", text_of(BackupJob, to_={"s3": "s3://else/orders"}))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["third"]
    assert list(folder.errors) == ["first.yaml", "second.yaml"]
    assert f"found backups of second.yaml ({second}) in the same prefix, or one" in folder.errors["first.yaml"]
    assert f"found backups of first.yaml ({first}) in the same prefix" in folder.errors["second.yaml"]
    assert "remove one, or give it another prefix" in folder.errors["second.yaml"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("s3://west/orders", "s3://west/orders2"),
        ("s3://west/a/orders", "s3://west/b/orders"),
        ("s3://west", "s3://west2/orders"),
    ],
)
def test_prefixes_that_only_look_alike_are_apart(tmp_path: Path, first: str, second: str) -> None:
    write(tmp_path, "first.yaml", text_of(BackupJob, to_={"s3": first}))
    write(tmp_path, "second.yaml", text_of(BackupJob, to_={"s3": second}))

    assert load_folder(tmp_path).errors == {}


def test_an_incremental_job_writes_its_table_as_a_copy_does(tmp_path: Path) -> None:
    write(tmp_path, "copy.yaml", text_of())
    write(tmp_path, "replica.yaml", text_of(IncrementalJob))
    write(tmp_path, "third.yaml", text_of(IncrementalJob, to_=ELSEWHERE))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["third"]
    assert "found that replica.yaml writes the same target, orders in us-west-2" in folder.errors["copy.yaml"]
    assert "found that copy.yaml writes the same target, orders in us-west-2" in folder.errors["replica.yaml"]


def test_a_chain_has_its_prefix_for_itself_as_a_backup_does(tmp_path: Path) -> None:
    write(tmp_path, "backup.yaml", text_of(BackupJob))
    write(tmp_path, "chain.yaml", text_of(IncrementalBackupJob, to_={"s3": "s3://dr-backups/orders/chain"}))
    write(tmp_path, "third.yaml", text_of(IncrementalBackupJob, to_={"s3": "s3://dr-backups/chain"}))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["third"]
    assert "found backups of chain.yaml (s3://dr-backups/orders/chain)" in folder.errors["backup.yaml"]
    assert "found backups of backup.yaml (s3://dr-backups/orders)" in folder.errors["chain.yaml"]


def test_two_jobs_may_read_the_stream_of_one_table(tmp_path: Path) -> None:
    write(tmp_path, "chain.yaml", text_of(IncrementalBackupJob))
    write(tmp_path, "replica.yaml", text_of(IncrementalJob))

    assert load_folder(tmp_path).errors == {}


def test_a_third_reader_of_one_stream_is_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, "chain.yaml", text_of(IncrementalBackupJob))
    write(tmp_path, "first.yaml", text_of(IncrementalJob))
    write(tmp_path, "second.yaml", text_of(IncrementalJob, to_=ELSEWHERE))

    folder = load_folder(tmp_path)

    assert folder.jobs == []
    assert {name: error.partition("found that ")[2].split(";")[0] for name, error in folder.errors.items()} == {
        "chain.yaml": "first.yaml, second.yaml read the stream of orders in us-east-1 over aws_virginia too",
        "first.yaml": "chain.yaml, second.yaml read the stream of orders in us-east-1 over aws_virginia too",
        "second.yaml": "chain.yaml, first.yaml read the stream of orders in us-east-1 over aws_virginia too",
    }
    assert "allowed: two jobs by stream of a table" in folder.errors["chain.yaml"]
    assert "remove one, or let it take changes by: export" in folder.errors["chain.yaml"]


@pytest.mark.parametrize(
    "third",
    [
        text_of(IncrementalJob, to_=ELSEWHERE, from_={"table": "customers"}),
        text_of(IncrementalJob, to_=ELSEWHERE, from_={"region": "eu-west-1"}),
        text_of(IncrementalJob, to_=ELSEWHERE, changes={"by": "export"}, staging="s3://staging/orders"),
        text_of(BackupJob, to_={"s3": "s3://dr-backups/nightly"}),
    ],
)
def test_readers_of_something_else_leave_a_stream_to_its_two(tmp_path: Path, third: str) -> None:
    write(tmp_path, "chain.yaml", text_of(IncrementalBackupJob))
    write(tmp_path, "replica.yaml", text_of(IncrementalJob))
    write(tmp_path, "third.yaml", third)

    assert load_folder(tmp_path).errors == {}


def test_drills_clash_with_nothing(tmp_path: Path) -> None:
    write(tmp_path, "backup.yaml", text_of(BackupJob))
    write(tmp_path, "restore.yaml", text_of(RestoreJob))
    write(tmp_path, "first.yaml", text_of(DrillJob))
    write(tmp_path, "second.yaml", text_of(DrillJob))

    folder = load_folder(tmp_path)

    assert len(folder.jobs) == 4
    assert folder.errors == {}


def test_two_files_for_one_name_are_errors_that_name_each_other(tmp_path: Path) -> None:
    write(tmp_path, "orders.yaml", text_of())
    write(tmp_path, "orders.yml", text_of(to_=ELSEWHERE))
    write(tmp_path, "other.yml", text_of(to_={"table": "third"}))

    folder = load_folder(tmp_path)

    assert [job.name for job in folder.jobs] == ["other"]
    assert "found another file for the same job: orders.yml" in folder.errors["orders.yaml"]
    assert "found another file for the same job: orders.yaml" in folder.errors["orders.yml"]


def test_the_jobs_folder_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", str(tmp_path))
    assert jobs_folder() == tmp_path

    monkeypatch.setenv("DYNAMODB_COPY_JOBS_DIR", "")
    assert jobs_folder().parts[-2:] == ("include", "jobs")


@pytest.mark.parametrize("kind", KINDS)
def test_three_hundred_files_load_within_a_dag_parse(tmp_path: Path, kind: type[Job]) -> None:
    for number in range(300):
        apart = {"table": f"orders{number}"}
        target = {"s3": f"s3://dr-backups/orders{number}"} if kind in IN_S3 else {} if kind is DrillJob else apart
        source = {} if kind in FROM_S3 else apart
        write(tmp_path, f"job{number}.yaml", text_of(kind, to_=target, from_=source, tags=["dr"]))

    started = time.process_time()
    folder = load_folder(tmp_path)

    assert time.process_time() - started < 1.5
    assert len(folder.jobs) == 300
