"""Copies of DynamoDB tables that can prove themselves: the engine, which knows nothing of Airflow."""
