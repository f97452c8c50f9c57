"""The Airflow side of dynamodb-copy: operators, sensors, triggers, connections; no copying of its own."""
