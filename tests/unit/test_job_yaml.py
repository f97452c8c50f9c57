from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job import CopyJob, Job, read_job
from job_texts import KINDS, errors_in, job_of, text_of

SHORTEST = text_of()


def read(more: str) -> Job:
    return read_job("orders", SHORTEST + more)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("schedule: @daily", 'needs quotes, as in schedule: "@daily"'),
        ("schedule: */15 * * * *", 'needs quotes, as in schedule: "@daily" or "*/15 * * * *"'),
        ("description: *everything", "found the YAML alias *everything; allowed: plain values; put it in quotes"),
        ("description: &nbsp text", "found the YAML anchor &nbsp;"),
        ("description: !important text", "found the YAML tag !important"),
        ("description: !!python/object:os.system x", "found the YAML tag tag:yaml.org,2002:python/object:os.system"),
        ("description: Orders: nightly", 'put a text that contains ": " in quotes'),
        ("retries:2", "write key: value, with a space after the colon"),
        ("read:\n\tshare: 0.5", "indent with spaces, not with tabs"),
        ("tags: [a", "check quotes, brackets and indentation"),
        ("retries: 1\nretries: 2", "retries: given twice, in lines 10 and 11; keep one of them"),
        ("---\ncopy: full", "found a second document; allowed: one job per file"),
        ("1: x", "line 10, 1: unknown key"),
        ("? [a, b]\n: c", "a key in the file is not a word"),
        ("description: \x00", "save the file as plain UTF-8 text"),
        ("description: \ud800", "save the file as plain UTF-8 text"),
        ("description: " + "x" * 65_536, "allowed: at most 65536; write one small file per job"),
        ("description: " + "[" * 60_000, "nested deeper than 20 levels"),
    ],
)
def test_traps_of_yaml_are_errors_that_say_what_to_do(line: str, says: str) -> None:
    assert says in errors_in(SHORTEST + line + "\n")


def test_a_syntax_error_names_its_line() -> None:
    assert "- line 10: not valid YAML" in errors_in(SHORTEST + "schedule: @daily\n")


def test_what_follows_from_an_unreadable_value_is_not_reported_too() -> None:
    message = errors_in(SHORTEST.replace("table: orders", "table: *orders", 1))

    assert message.startswith("orders: 1 error\n- line 3, from.table: found the YAML alias *orders")


def test_a_key_given_twice_below_another_is_named_with_its_path() -> None:
    message = errors_in(SHORTEST + "read: {share: 0.5, share: 0.5}\n")

    assert "- line 10, read.share: given twice, in lines 10 and 10; keep one of them" in message


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~", "null"])
def test_an_empty_file_is_told_how_to_start(text: str) -> None:
    assert "found an empty file; allowed: lines of key: value; start with copy: full, from: and to:" in errors_in(text)


@pytest.mark.parametrize(("text", "found"), [("- a\n- b\n", "a list"), ("hello", "a single value"), ("5", "a single")])
def test_a_file_that_holds_no_keys_is_refused(text: str, found: str) -> None:
    assert f"found {found}" in errors_in(text)


def test_plain_words_of_old_yaml_stay_text() -> None:
    job = read("tags: [on, off, yes, no, y, 12:30, 2026-12-01, 0123, 0x10, 1_000, .inf]\n")

    assert job.tags == ("on", "off", "yes", "no", "y", "12:30", "2026-12-01", "0123", "0x10", "1_000", ".inf")


@pytest.mark.parametrize("word", ["true", "123", "-1", "1e3", "0.5", "null", "~"])
def test_words_that_yaml_does_not_read_as_text_need_quotes(word: str) -> None:
    assert "tags[0]: found" in errors_in(SHORTEST + f"tags: [{word}]\n")
    assert read(f'tags: ["{word}"]\n').tags == (word,)


def test_numbers_may_be_written_with_an_exponent() -> None:
    job = read_job("orders", SHORTEST + "read: {units: 1e3}\n")

    assert isinstance(job, CopyJob)
    assert job.read == job_of(read={"units": 1000}).read


def test_an_integer_of_any_length_is_refused_not_computed() -> None:
    assert "retries: found" in errors_in(SHORTEST + f"retries: {'9' * 60_000}\n")


@pytest.mark.parametrize("name", ["orders", "orders.v2", "Orders_2-b", "x" * 250])
def test_a_file_name_that_airflow_takes_is_a_jobs_name(name: str) -> None:
    assert read_job(name, SHORTEST).name == name


@pytest.mark.parametrize("name", ["", "my orders", "orders\n", "orders/x", "x" * 251, "bücher"])
def test_other_file_names_are_refused(name: str) -> None:
    with pytest.raises(JobFileError, match="rename the file"):
        read_job(name, SHORTEST)


def test_an_error_names_the_file() -> None:
    with pytest.raises(JobFileError, match=r"^include/jobs/orders\.yaml: 1 error\n"):
        read_job("orders", "", file="include/jobs/orders.yaml")


@given(st.one_of(st.text(), st.text("abc:{}[]&*!|>-?%@`'\"#,~ \n\t0123456789.")))
@example("a: \ud800")
@example('"\\UFFFFFFFF": x')
@example("{{}: {}}")
@example("<<: [{}]")
@example("*a : *b")
def test_any_other_text_is_a_job_file_error(text: str) -> None:
    with pytest.raises(JobFileError):
        read_job("orders", text)


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"', 'a: "\\U00110000"', 'a: "\\ud800"', "a: \0", "a: @daily", "[" * 50, "a: *b"]
)
def test_pyyaml_without_libyaml_reads_job_files_too(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("dynamodb_copy.job.yaml_reader._LOADER", yaml.SafeLoader)

    assert read("tags: [on]\n").tags == ("on",)
    assert errors_in(text).startswith("orders: ")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.dates().map(str)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


KEYS = st.sampled_from(KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), st.sampled_from([*kind.keys(), "from_", "to_"]))
)


@given(KEYS, VALUES)
def test_any_value_of_any_key_is_accepted_or_a_job_file_error(key: tuple[type[Job], str], value: object) -> None:
    kind, name = key
    changes = {name: value} if not name.endswith("_") else {name: {"region": value, "kms_key": value}}
    text = text_of(kind, **changes)

    try:
        job = read_job("orders", text)
    except JobFileError as error:
        assert str(error).startswith("orders: ")  # noqa: PT017  # both outcomes are right
    else:
        assert read_job("orders", job.text) == job


@pytest.mark.parametrize(
    "piece", ["[", "{", "? ", "- ", "a: ", "{a: ", "&a ", "*a ", "!x ", "'", "\n ", "- - ", "# \n"]
)
def test_a_hostile_file_costs_little_time(piece: str) -> None:
    text = (piece * 65_536)[:65_536]

    started = time.process_time()
    errors_in(text)

    assert time.process_time() - started < 2
