"""Airflow in a home of its own."""

import dags.airflow_home  # noqa: F401 -- it sets the environment before Airflow is imported
from integration.backups import backed_up, store  # noqa: F401 -- fixtures
from integration.chains import shelf  # noqa: F401 -- a fixture
from integration.changes import quick_drains  # noqa: F401 -- a fixture
from integration.dag_runs import collected, connect_to  # noqa: F401 -- fixtures
from integration.exports import exporting, short_windows  # noqa: F401 -- fixtures
from integration.pair import filled, pair, small_pages  # noqa: F401 -- fixtures
from integration.service_jobs import native, service  # noqa: F401 -- fixtures
