"""A thousand ways to corrupt a backup: each is refused with a file's name, or changes no item and no count."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import pytest

from arbitrary_items import meaning
from dynamodb_copy.errors import BackupRefusedError
from dynamodb_copy.formats import manifest
from dynamodb_copy.model import Item
from stored_backups import EXPORT, Written, item_of, items_in, read_back, write_backup
from unit.memory_bucket import MemoryBucket

ROUNDS, EACH = 20, 50
FOLDER = EXPORT.folder
DESCRIBING = (manifest.SUMMARY, manifest.FILES, manifest.TABLE, manifest.DETAILS)


@dataclass
class Corrupted:
    """A backup's files by their names below its folder, while they are corrupted."""

    files: dict[str, bytes]
    random: Random
    touched: set[str] = field(default_factory=set)

    @property
    def parts(self) -> list[str]:
        """The names of the data files."""
        return sorted(name for name in self.files if name.startswith("data/"))

    def any_file(self) -> str:
        """One that has content."""
        name = self.random.choice(sorted(name for name, content in self.files.items() if content))
        self.touched.add(name)
        return name

    def write(self, name: str, content: bytes) -> None:
        """Change a file."""
        self.touched.add(name)
        self.files[name] = content

    def json(self, name: str) -> Any:
        """What a file says."""
        return orjson.loads(self.files[name])

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the manifest."""
        return [orjson.loads(line) for line in self.files[manifest.FILES].splitlines()]

    def write_lines(self, lines: list[Any]) -> None:
        """Change the manifest."""
        self.write(manifest.FILES, b"".join([orjson.dumps(line) + b"\n" for line in lines]))


@pytest.fixture(scope="module")
def whole() -> tuple[dict[str, bytes], Written]:
    """A backup of five parts, by names below its folder, and what is known of it."""
    bucket = MemoryBucket()
    items = [item_of(number, "x" * (number % 7)) for number in range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamodb_copy.sinks.s3_backup.PART_BYTES", 0)
        written = write_backup(bucket, [items[:8], items[8:16], [], items[16:20]])
    bucket.put(f"{FOLDER}/_started", b"")
    return {key.removeprefix(f"{FOLDER}/"): content for key, content in bucket.contents.items()}, written


def flip_a_bit(backup: Corrupted) -> None:
    name = backup.any_file()
    content = bytearray(backup.files[name])
    content[backup.random.randrange(len(content))] ^= 1 << backup.random.randrange(8)
    backup.files[name] = bytes(content)


def cut_off_its_end(backup: Corrupted) -> None:
    name = backup.any_file()
    backup.files[name] = backup.files[name][: backup.random.randrange(len(backup.files[name]))]


def add_to_its_end(backup: Corrupted) -> None:
    name = backup.any_file()
    backup.files[name] += backup.random.choice([b"\0", b"x", b"{}\n", backup.files[name], bytes(2000)])


def take_a_file_away(backup: Corrupted) -> None:
    del backup.files[backup.any_file()]


def swap_two_files(backup: Corrupted) -> None:
    one, other = backup.any_file(), backup.any_file()
    backup.files[one], backup.files[other] = backup.files[other], backup.files[one]


def swap_two_parts(backup: Corrupted) -> None:
    one, other = backup.random.sample(backup.parts, 2)
    backup.touched |= {one, other}
    backup.files[one], backup.files[other] = backup.files[other], backup.files[one]


def put_one_file_in_place_of_another(backup: Corrupted) -> None:
    backup.files[backup.any_file()] = backup.files[backup.any_file()]


def rename_a_file(backup: Corrupted) -> None:
    backup.files[backup.random.choice(["data/renamed.json.gz", "old.json"])] = backup.files.pop(backup.any_file())


def add_a_file(backup: Corrupted) -> None:
    names = [
        "data/0000-00000000-000000.json.gz",
        "manifest-files.checksum",
        "backup.json.bak",
        "drills/1.json",
        "data/",
    ]
    backup.write(backup.random.choice(names), backup.random.choice(list(backup.files.values())))


def other_value(random: Random, value: Any) -> Any:
    """Something else in its place, at any depth."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(sorted(value))
        return {**value, key: other_value(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], other_value(random, value[at]), *value[at + 1 :]]
    if isinstance(value, int) and random.random() < 0.5:
        return value + random.choice([-1, 1])
    others = [None, 0, 1, -1, 2.5, "", "x", [], {}, True, "2026-01-01T00:00:00Z", {"name": "x"}, ["x"], 1 << 60]
    return random.choice([other for other in others if other != value])


def edit_a_value(backup: Corrupted) -> None:
    name = backup.random.choice(DESCRIBING)
    if name != manifest.FILES:
        backup.write(name, orjson.dumps(other_value(backup.random, backup.json(name))))
        return
    lines = backup.lines()
    at = backup.random.randrange(len(lines))
    backup.write_lines([*lines[:at], other_value(backup.random, lines[at]), *lines[at + 1 :]])


def edit_the_lines(backup: Corrupted) -> None:
    lines = backup.lines()
    at = backup.random.randrange(len(lines))
    edits: list[Callable[[], list[Any]]] = [
        lambda: lines[:at] + lines[at + 1 :],
        lambda: [*lines, lines[at]],
        lambda: [*lines[at:], *lines[:at], {**lines[0], "dataFileS3Key": "https://elsewhere/data/x.json.gz"}],
        lambda: lines[::-1],
        list,
    ]
    backup.write_lines(backup.random.choice(edits)())


def edit_a_part(backup: Corrupted) -> None:
    name = backup.random.choice(backup.parts)
    items: list[Item] = items_in(backup.files[name])
    edits: list[list[Item]] = [items[1:], [*items, item_of(99)], [{**items[0], "value": {"S": "changed"}}, *items[1:]]]
    edited = backup.random.choice([*edits, [*items, items[0]], []])
    backup.write(name, gzip.compress(b"".join([orjson.dumps({"Item": item}) + b"\n" for item in edited]), mtime=0))


EDITS = [edit_a_value, edit_the_lines, edit_a_part]


def edited(backup: Corrupted) -> None:
    backup.random.choice(EDITS)(backup)


def edited_with_the_checksum_beside_it(backup: Corrupted) -> None:
    edited(backup)
    _write_checksums(backup, [name for name in DESCRIBING if name in backup.touched])


def edited_with_all_checksums(backup: Corrupted) -> None:
    edited(backup)
    for part in backup.touched & {*backup.parts}:
        _describe_part_anew(backup, part)
    details = backup.json(manifest.DETAILS)
    if manifest.DETAILS not in backup.touched or backup.touched & {manifest.FILES, manifest.TABLE}:
        details["files"] = {name: manifest.sha256_of(backup.files[name]) for name in (manifest.FILES, manifest.TABLE)}
        backup.files[manifest.DETAILS] = orjson.dumps(details)
    _write_checksums(backup, DESCRIBING)


def _describe_part_anew(backup: Corrupted, part: str) -> None:
    """Let both manifests and the summary tell of a part as it is now."""
    content, name = backup.files[part], part.removeprefix("data/")
    known = {"items": len(items_in(content)), "bytes": len(content), "sha256": manifest.sha256_of(content)}
    details = backup.json(manifest.DETAILS)
    details["parts"] = [each | known if each["name"] == name else each for each in details["parts"]]
    details["items"] = sum(each["items"] for each in details["parts"])
    told = {"itemCount": known["items"], "md5Checksum": manifest.md5_of(content)}
    backup.write_lines([{**line, **told} if line["dataFileS3Key"].endswith(part) else line for line in backup.lines()])
    backup.write(manifest.DETAILS, orjson.dumps(details))
    backup.write(manifest.SUMMARY, orjson.dumps({**backup.json(manifest.SUMMARY), "itemCount": details["items"]}))


def _write_checksums(backup: Corrupted, names: Any) -> None:
    for name in names:
        content, stem = backup.files[name], name.removesuffix(".json")
        if name == manifest.DETAILS:
            backup.write("backup.sha256", manifest.sha256_of(content).encode())
        elif name != manifest.TABLE:
            backup.write(f"{stem}.md5", manifest.md5_of(content).encode())


KINDS = [
    *[flip_a_bit, cut_off_its_end, add_to_its_end, take_a_file_away, swap_two_files, swap_two_parts],
    *[put_one_file_in_place_of_another, rename_a_file, add_a_file],
    *[edited, edited, edited_with_the_checksum_beside_it, edited_with_all_checksums, edited_with_all_checksums],
]


def outcome_of(files: dict[str, bytes], root: str | None) -> str | list[Item]:
    """The refusal, or the items that were read."""
    bucket = MemoryBucket({f"{FOLDER}/{name}": content for name, content in files.items()})
    try:
        return read_back(bucket, FOLDER, root)
    except BackupRefusedError as refused:
        return str(refused)


def holds(found: list[Item], written: Written) -> bool:
    """Whether these are the backup's items, each of them once."""
    return Counter(map(meaning, found)) == Counter(map(meaning, written.items))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_corruption_is_refused_by_name_or_changes_nothing(whole: tuple[dict[str, bytes], Written], seed: int) -> None:
    files, written = whole
    random = Random(seed)  # noqa: S311 - the same corruptions every time, no secrets
    refused = 0

    for number in range(EACH):
        kind = random.choice(KINDS)
        backup = Corrupted(dict(files), random)
        kind(backup)
        found = outcome_of(backup.files, written.root)

        where = f"seed {seed}, corruption {number}: {kind.__name__} of {sorted(backup.touched)}: {found}"
        if isinstance(found, str):
            refused += 1
            assert f"s3://backups/{FOLDER}" in found, where
            assert any(name in found for name in backup.touched), where
        else:
            assert kind is not edited_with_all_checksums, where
            assert holds(found, written), where

    assert refused > 0.7 * EACH


def test_without_a_root_hash_only_an_edit_of_all_checksums_passes(whole: tuple[dict[str, bytes], Written]) -> None:
    files, written = whole
    random = Random(1_000)  # noqa: S311 - the same corruptions every time, no secrets
    unseen = 0

    for _ in range(4 * EACH):
        kind = random.choice(KINDS)
        backup = Corrupted(dict(files), random)
        kind(backup)
        found = outcome_of(backup.files, None)

        is_seen = isinstance(found, str) or holds(found, written)
        unseen += not is_seen
        assert is_seen or kind is edited_with_all_checksums, (kind, backup.touched)

    assert unseen > 0
