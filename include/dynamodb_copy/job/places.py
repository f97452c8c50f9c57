"""The places that jobs read and write: tables, and prefixes of S3 buckets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, field_validator

from dynamodb_copy.job.sections import Section
from dynamodb_copy.job.values import (
    AttributeName,
    BackupUri,
    Connection,
    KmsKey,
    MaxDeletes,
    Region,
    TableName,
    given,
    one_of,
    read_max_deletes,
    refusal,
)
from dynamodb_copy.model import TableRef


def _in_the_targets_region(kms_key: str, info: ValidationInfo) -> str:
    region = info.data.get("region")
    if region and kms_key.startswith("arn:") and kms_key.split(":")[3] != region:
        raise refusal(f"a key of the target's region {region}", "KMS keys are regional: name a key or replica there")
    return kms_key


_TargetsKey = Annotated[KmsKey, AfterValidator(_in_the_targets_region)]
_Existing = Annotated[Literal["refuse", "allow"], one_of("refuse", "allow")]


class TableAt(Section):
    """A table, where it is, and the connection that reaches it."""

    table: TableName
    region: Region
    connection: Connection

    @property
    def ref(self) -> TableRef:
        """The same as the value that travels."""
        return TableRef(self.table, self.region, self.connection)

    @property
    def where(self) -> str:
        """What people see: `us-east-1/orders`."""
        return f"{self.region}/{self.table}"


class SourceTable(TableAt):
    """The table that is read."""


class Mirror(Section):
    """A full copy that also deletes what the source no longer has."""

    max_deletes: Annotated[MaxDeletes, PlainValidator(read_max_deletes)]


def _read_mirror(found: Any) -> Mirror | Literal[False]:
    if found is False:
        return False
    if isinstance(found, dict):
        return Mirror.model_validate(found)
    raise refusal("false or {max_deletes: 5%}", "say with max_deletes how much one run may delete")


class TargetTable(TableAt):
    """The table that is written, and what may happen to what it holds."""

    kms_key: _TargetsKey = None
    existing: _Existing = "refuse"
    mirror: Annotated[Mirror | Literal[False], PlainValidator(_read_mirror)] = False


class IncrementalTarget(TableAt):
    """The table that changes are written to."""

    mirror: ClassVar[Literal[False]] = False  # changes tell of deletes themselves

    kms_key: _TargetsKey = None
    existing: _Existing = "refuse"


class S3At(Section):
    """A prefix of an S3 bucket, the bucket's region, and the connection that reaches it."""

    s3: BackupUri
    region: Region
    connection: Connection

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.s3.split("/")[2]

    @property
    def prefix(self) -> str:
        """The prefix without slashes around it; empty for the whole bucket."""
        return "/".join(self.s3.split("/")[3:]).removesuffix("/")

    @property
    def where(self) -> str:
        """What people see: `us-west-2/s3://bucket/prefix`."""
        return f"{self.region}/{self.s3.removesuffix('/')}"


class BackupTarget(S3At):
    """Where backups are put, and the key that encrypts them."""

    kms_key: _TargetsKey = None


class KeyAttribute(Section):
    """One attribute of a table's key."""

    name: AttributeName
    type: Annotated[Literal["S", "N", "B"], one_of("S", "N", "B")]


class TableKeys(Section):
    """The key of a table that a restore creates."""

    hash_key: KeyAttribute = Field(alias="hash")
    range_key: Annotated[KeyAttribute | None, BeforeValidator(given)] = Field(default=None, alias="range")

    @field_validator("range_key")
    @classmethod
    def _names_another_attribute(cls, range_key: KeyAttribute, info: ValidationInfo) -> KeyAttribute:
        hash_key = info.data.get("hash_key")
        if hash_key and hash_key.name == range_key.name:
            raise refusal("another attribute than hash", "name the table's sort key, or remove range")
        return range_key


class RestoreTarget(TableAt):
    """The table that a restore fills, and how it is made when it is missing."""

    mirror: ClassVar[Literal[False]] = False  # a restore deletes nothing

    kms_key: _TargetsKey = None
    existing: _Existing = "refuse"
    table_keys: Annotated[TableKeys | None, BeforeValidator(given)] = Field(default=None, alias="keys")


class DrillTarget(Section):
    """Where a drill makes its scratch table; the table's name is the drill's own."""

    region: Region
    connection: Connection
    kms_key: _TargetsKey = None

    @property
    def where(self) -> str:
        """What people see: the region."""
        return self.region
