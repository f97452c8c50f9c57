"""Shows in `airflow plugins` that this deployment has the package beside it, which DAGs and the triggerer import."""

from airflow.plugins_manager import AirflowPlugin


class DynamodbCopyPlugin(AirflowPlugin):
    """Registers nothing else: triggers and notifiers are found by import."""

    name = "dynamodb_copy"
