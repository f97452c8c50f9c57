"""Airflow shows this file's failure as an import error: it tells what is wrong with job files, and declares no DAG."""

from dynamodb_copy.errors import JobFileError
from dynamodb_copy.job import jobs_folder, load_folder

errors = load_folder(jobs_folder()).errors
if errors:
    raise JobFileError("\n\n".join(errors.values()))
