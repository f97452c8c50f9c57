"""Check chains: what can be restored from a prefix, and whether anything is missing."""

from __future__ import annotations

from dataclasses import replace

from dynamodb_copy.aws.clients import Connect
from dynamodb_copy.aws.objects import Bucket
from dynamodb_copy.chain_check import check_chain
from dynamodb_copy.chain_report import ChainReport
from dynamodb_copy.job import S3At
from dynamodb_copy.phases.listing import known_roots, seals_beside


def check_chains(place: S3At, connect: Connect, *, deep: bool) -> ChainReport:
    """Check what lies below a place; `deep` reads every part. Writes nothing.

    Raises ConnectionMissingError, BucketRefusedError, AccessError and ServiceUnavailableError.
    """
    bucket = Bucket(connect("s3", place.region, place.connection), place.bucket)
    with seals_beside(place, connect) as (rows, missing):
        report = check_chain(bucket, place.prefix, known_roots(rows), deep=deep)
    notes = (f"root hashes are unknown, so an edited backup cannot be told: {missing}",) if missing else ()
    return replace(report, notes=notes)
