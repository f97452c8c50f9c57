"""How many requests may be on their way."""

from __future__ import annotations

from dynamodb_copy.sinks.flight_window import FlightWindow


def round_trip(window: FlightWindow) -> None:
    """As many requests as the window holds, and all succeed."""
    for _ in range(window.size):
        window.widen()


def test_it_doubles_with_each_round_trip_up_to_its_most() -> None:
    window = FlightWindow()
    sizes = [window.size]

    for _ in range(4):
        round_trip(window)
        sizes.append(window.size)

    assert sizes == [16, 32, 64, 64, 64]


def test_a_failure_halves_it_at_once_and_one_request_always_remains() -> None:
    window = FlightWindow()
    sizes = []

    for _ in range(6):
        window.narrow()
        sizes.append(window.size)

    assert sizes == [8, 4, 2, 1, 1, 1]


def test_after_the_first_failure_it_grows_by_one_with_each_round_trip() -> None:
    window = FlightWindow()
    window.narrow()
    sizes = []

    for _ in range(3):
        round_trip(window)
        sizes.append(window.size)

    assert sizes == [9, 10, 11]


def test_half_a_round_trip_before_a_failure_does_not_count_after_it() -> None:
    window = FlightWindow()
    for _ in range(15):
        window.widen()

    window.narrow()
    window.widen()

    assert window.size == 8


def test_each_narrowing_begins_a_generation() -> None:
    window = FlightWindow()
    round_trip(window)
    before = window.generation

    window.narrow()

    assert (before, window.generation) == (0, 1)
