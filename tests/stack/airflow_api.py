"""The few calls of Airflow's REST API that a person's clicks would make."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import urllib3

PAGE_LIMIT = 1_000
"""What `api.maximum_page_limit` has to be: more than a job has segments."""


class AirflowApiError(Exception):
    """Airflow refused a call; the message carries its answer."""


class AirflowApi:
    """One Airflow without a login, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager(retries=False, timeout=30)
        self._headers: dict[str, str] = {}

    def health(self) -> dict[str, str]:
        """Return each component's status; empty while the API does not answer."""
        with suppress(urllib3.exceptions.HTTPError):
            reply = self._http.request("GET", f"{self.url}/api/v2/monitor/health")
            return {part: (said or {}).get("status") or "absent" for part, said in reply.json().items()}
        return {}

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON reply of `/api/v2/<path>`, or None for 404; raise AirflowApiError for any other refusal."""
        if not self._headers:
            token = self._http.request("GET", f"{self.url}/auth/token").json()["access_token"]
            self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        reply = self._http.request(method, f"{self.url}/api/v2/{path}", headers=self._headers, json=body)
        if reply.status == 404:
            return None
        if reply.status >= 400:
            raise AirflowApiError(
                f"{method} {path} answered {reply.status}: {reply.data.decode(errors='replace')[:500]}"
            )
        return reply.json()

    def dag_is_known(self, dag_id: str) -> bool:
        """Say whether the DAG has been parsed, so that it can be triggered."""
        return self.call("GET", f"dags/{dag_id}") is not None

    def import_errors(self) -> list[str]:
        """Return what Airflow shows as broken DAG files."""
        found = self.call("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in found]

    def trigger(self, dag_id: str, parameters: Mapping[str, Any] | None = None) -> str:
        """Start a run now, with these values on its form, and return its id."""
        run = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(parameters or {})})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return `queued`, `running`, `success` or `failed`."""
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the run's task instances, one for each mapped segment: up to Airflow's page limit."""
        found = self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit={PAGE_LIMIT}")
        return list(found["task_instances"])

    def task_log(self, task: Mapping[str, Any]) -> list[str]:
        """Return what a task instance's latest attempt logged, one text for each message."""
        place = f"dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
        query = f"logs/{max(task['try_number'], 1)}?map_index={task['map_index']}&full_content=true"
        found = self.call("GET", f"{place}/{query}") or {"content": []}
        return [_message(entry) for entry in found["content"]]

    def asset_figures(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return the figures on the asset event that a run emitted; empty if it emitted none."""
        found = self.call("GET", f"assets/events?source_dag_id={dag_id}&source_run_id={quote(run_id)}")
        return dict(found["asset_events"][0]["extra"]) if found["asset_events"] else {}


def _message(entry: str | Mapping[str, Any]) -> str:
    if isinstance(entry, str):
        return entry
    causes = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or ()]
    return "\n".join([str(entry.get("event", "")), *causes])
