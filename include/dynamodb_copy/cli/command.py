"""The commands and their arguments, and the exit status of each end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic_core import PydanticCustomError

from dynamodb_copy import errors
from dynamodb_copy.cli.chaining import chain
from dynamodb_copy.cli.comparing import repair, verify
from dynamodb_copy.cli.listing import backups
from dynamodb_copy.cli.outside import PROGRAM, ArgumentsError, Outcome, RefusedError, Surroundings
from dynamodb_copy.cli.planning import plan
from dynamodb_copy.cli.running import run
from dynamodb_copy.job import load_job
from dynamodb_copy.job.values import read_instant

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # BAD_INPUT: nothing was touched

_OF_JOBS: dict[str, tuple[Callable[..., Outcome], str]] = {
    "plan": (plan, "say what a run would do and how long it would take; touch nothing"),
    "run": (run, "do what the job says, once"),
    "verify": (verify, "compare source and target, or backup and table, now; write nothing"),
    "repair": (repair, "write only what differs, then compare again"),
}

_OF_PLACES: dict[str, tuple[Callable[..., Outcome], str]] = {
    "backups": (backups, "list what lies below a prefix, and whether it is whole; write nothing"),
    "chain": (chain, "check that increments follow one another without a gap, and that all parts are there"),
}


def main(argv: Sequence[str], outside: Surroundings) -> int:
    """Run one command and return its exit status; wrong arguments raise SystemExit(2)."""
    arguments = _parser().parse_args(argv)
    try:
        outcome = _outcome(arguments, outside)
    except RefusedError as refused:
        return _failed(refused.args[0], BAD_INPUT, arguments, outside)
    except (errors.JobFileError, errors.ConnectionMissingError, ArgumentsError) as error:
        return _failed(error, BAD_INPUT, arguments, outside)
    except errors.CopyError as error:
        return _failed(error, FAILED, arguments, outside)
    except KeyboardInterrupt:
        outside.messages.print("interrupted")
        return INTERRUPTED
    sys.stdout.write(f"{json.dumps(outcome.values) if arguments.json else outcome.text}\n")
    return DONE if outcome.good else FAILED


def _outcome(arguments: argparse.Namespace, outside: Surroundings) -> Outcome:
    if arguments.name in _OF_PLACES:
        return _OF_PLACES[arguments.name][0](arguments, outside)
    command, _ = _OF_JOBS[arguments.name]
    return command(load_job(arguments.jobfile), arguments, outside)


def _failed(error: errors.CopyError, status: int, arguments: argparse.Namespace, outside: Surroundings) -> int:
    outside.messages.print(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")
    return status


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print the result as one JSON object on standard output")
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Copy, back up and restore tables as job files say.")
    added = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")
    commands = {name: added.add_parser(name, parents=[shared], help=what) for name, (_, what) in _OF_JOBS.items()}
    for command in commands.values():
        command.add_argument("jobfile", metavar="JOBFILE", type=Path, help="the job's YAML file")
    _add_options(commands["run"], commands["verify"])
    places = {name: added.add_parser(name, parents=[shared], help=what) for name, (_, what) in _OF_PLACES.items()}
    for place in places.values():
        _add_place(place)
    places["chain"].add_argument("--deep", action="store_true", help="read every part and compare its checksums")
    return parser


def _add_options(run_command: argparse.ArgumentParser, verify_command: argparse.ArgumentParser) -> None:
    run_command.add_argument("--run-id", type=_run_id, help="continue the run of this id where it was stopped")
    keep = "of a drill: let the scratch table stay"
    run_command.add_argument("--keep-scratch", action="store_true", help=keep)
    verify_command.add_argument("--show-keys", action="store_true", help="name differing items by their keys")
    for command in (run_command, verify_command):
        as_of = "of a restore or a drill: the newest backup up to this moment"
        command.add_argument("--as-of", type=_instant, metavar="INSTANT", help=as_of)


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument("s3uri", metavar="S3URI", help="the prefix above AWSDynamoDB/, such as s3://bucket/prefix")
    command.add_argument("--profile", required=True, metavar="NAME", help="the AWS profile that reaches it")
    command.add_argument("--region", help="the bucket's region; by default the profile's")


def _run_id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give the id that the stopped run printed when it began")
    return text


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except PydanticCustomError as error:
        raise argparse.ArgumentTypeError(f"found {text!r}; {error.message()}") from error
