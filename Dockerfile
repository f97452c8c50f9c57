# Two images from one file: `emulator` for trials, `airflow` (the default) for anything that runs the DAGs.

FROM python:3.11-slim AS emulator
COPY requirements-emulators.txt /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements-emulators.txt
# All interfaces of its own container: the compose file publishes the port on the host's loopback alone.
ENV BIND_HOST=0.0.0.0 GATEWAY_PORT=4566 HOME=/tmp
USER nobody
CMD ["ministack"]

FROM apache/airflow:3.3.2-python3.11 AS airflow
# The image brings providers at versions of its own constraints: what the lock names has to win.
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir -r /tmp/requirements.txt
ENV PYTHONPATH=/opt/airflow/include
COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include
