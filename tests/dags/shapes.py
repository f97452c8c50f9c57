"""DAGs as Airflow parses them."""

from __future__ import annotations

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization

from dags.airflow_home import ROOT


def parsed(file: str) -> DagBag:
    """The DAGs of a file for the jobs that are there."""
    return DagBag(dag_folder=ROOT / "dags" / file)


def only_dag(file: str) -> DAG:
    """The file's DAG, of which there has to be one."""
    bag = parsed(file)
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    return dag


def edges(dag: DAG | SerializedDAG) -> dict[str, set[str]]:
    """Each task, and those that come directly after it."""
    return {task.task_id: task.downstream_task_ids for task in dag.tasks}


def line(*task_ids: str) -> dict[str, set[str]]:
    """The edges of tasks that follow one another."""
    following = [*[{after} for after in task_ids[1:]], set[str]()]
    return dict(zip(task_ids, following, strict=True))


def serialised(dag: DAG) -> SerializedDAG:
    """The DAG as the scheduler has it."""
    back = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert isinstance(back, SerializedDAG)
    return back
