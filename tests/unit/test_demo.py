from __future__ import annotations

from stack.demo import summaries


def task(task_id: str, state: str | None, map_index: int = -1) -> dict[str, object]:
    return {"task_id": task_id, "state": state, "map_index": map_index}


def test_a_task_is_told_once_it_runs_and_not_while_it_waits() -> None:
    told = dict(
        summaries([task("prepare", "success"), task("plan", "running"), task("verify", None), task("seal", "queued")])
    )

    assert told == {"prepare": "[green]success[/green]", "plan": "[default]running[/default]"}


def test_the_segments_of_a_mapped_task_count_together() -> None:
    segments = [
        task("copy", state, index) for index, state in enumerate(["success", "running", "scheduled", "success"])
    ]

    assert dict(summaries(segments)) == {"copy": "[default]2 of 4 segments done, 1 running[/default]"}


def test_segments_that_all_succeeded_and_one_that_failed_are_told_apart_by_colour() -> None:
    done = [task("copy", "success", index) for index in range(2)]

    assert dict(summaries(done)) == {"copy": "[green]2 of 2 segments done[/green]"}
    assert dict(summaries([*done, task("copy", "failed", 2)])) == {"copy": "[red]2 of 3 segments done, 1 failed[/red]"}
