"""`chain`: whether the increments below a prefix lead from a full backup on without a gap."""

from __future__ import annotations

from argparse import Namespace

from dynamodb_copy.cli.outside import Outcome, Surroundings, before_anything_is_touched, place_of


def chain(arguments: Namespace, outside: Surroundings) -> Outcome:
    """Check the chains below a prefix; any problem is a failure."""
    place = place_of(arguments, outside)
    with before_anything_is_touched():
        report = outside.check_chains(place, arguments.deep)
    return Outcome(report.as_dict(), report.render(), good=report.whole)
