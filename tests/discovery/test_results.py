from __future__ import annotations

from collections import Counter

from apps.discovery.results import Cluster, Known, PlacedCall, count_shared, fresh_key, recognise


def cluster(number: int, cell: str, size: int = 100) -> Cluster:
    return Cluster(number, size, cell, "title", "", [], [], 0.5)


def test_it_knows_a_whole_cell_again_by_its_key() -> None:
    now = cluster(0, "a|b|user|respond()")
    old = Known(7, now.base, 90)
    assert recognise([now], [old], Counter()) == {0: old}


def test_it_knows_the_parts_of_a_cell_by_their_calls_not_by_their_order() -> None:
    first, second = cluster(0, "cell"), cluster(1, "cell")
    refund, cancel = Known(1, first.base, 80), Known(2, f"{first.base}:2", 70)
    shared = Counter({(1, 1): 78, (2, 0): 69, (1, 0): 2})
    assert recognise([first, second], [refund, cancel], shared) == {1: refund, 0: cancel}


def test_a_cell_that_falls_apart_goes_on_in_its_largest_part() -> None:
    parts = [cluster(0, "cell", 60), cluster(1, "cell", 40)]
    old = Known(1, parts[0].base, 100)
    assert recognise(parts, [old], Counter({(1, 0): 60, (1, 1): 40})) == {0: old}


def test_it_knows_a_task_whose_cell_changed_by_most_of_its_calls() -> None:
    now, old = cluster(0, "new cell", 100), Known(1, "other", 100)
    assert recognise([now], [old], Counter({(1, 0): 90})) == {0: old}
    assert recognise([now], [old], Counter({(1, 0): 40})) == {}


def test_a_new_part_gets_the_lowest_free_number() -> None:
    found = cluster(0, "cell")
    assert fresh_key(found, set()) == found.base
    assert fresh_key(found, {found.base, f"{found.base}:2"}) == f"{found.base}:3"


def test_calls_without_a_task_before_or_now_are_not_shared() -> None:
    places = [PlacedCall(1, 0, 1, 0, 0), PlacedCall(2, -1, 1, 0, 0), PlacedCall(3, 0, 1, 0, 0)]
    assert count_shared(places, {1: 9, 2: 9}) == Counter({(9, 0): 1})
