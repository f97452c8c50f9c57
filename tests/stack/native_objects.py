"""The files of an export on their way into S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stack.native_layout import Export, is_data_file


def put_files(s3_client: Any, export: Export, files: Mapping[str, bytes]) -> None:
    """Put files by key into the export's bucket, encrypted as it says; raises botocore's ClientError."""
    where = {"Bucket": export.bucket, **_encryption(export)}
    for key, content in files.items():
        if is_data_file(key):
            _put_in_one_part(s3_client, {**where, "Key": key}, content)
        else:
            s3_client.put_object(**where, Key=key, Body=content)


def _put_in_one_part(s3_client: Any, target: Mapping[str, str], content: bytes) -> None:
    """As the service does: only so has the object the ETag that its manifest names."""
    upload = s3_client.create_multipart_upload(**target)
    this = {"Bucket": target["Bucket"], "Key": target["Key"], "UploadId": upload["UploadId"]}
    part = s3_client.upload_part(**this, PartNumber=1, Body=content)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3_client.complete_multipart_upload(**this, MultipartUpload={"Parts": parts})


def _encryption(export: Export) -> dict[str, str]:
    if export.sse_algorithm != "KMS":
        return {"ServerSideEncryption": "AES256"}
    key = {"SSEKMSKeyId": export.sse_key_id} if export.sse_key_id else {}
    return {"ServerSideEncryption": "aws:kms", **key}
