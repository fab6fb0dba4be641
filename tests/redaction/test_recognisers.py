from __future__ import annotations

import pytest

from slmhub.redaction import RECOGNISERS, Finding, RecogniserSet, scan, scan_all
from slmhub.redaction.recognisers.patterns import recogniser as patterns
from slmhub.redaction.recognisers.patterns.detectors import DETECTORS
from slmhub.redaction.recognisers.recogniser import PlainText
from tests.redaction.other_recognisers import Words


def test_all_payloads_of_a_batch_are_one_question_that_holds_each_text_once() -> None:
    words = Words("pelican")
    payloads = [{"a": "pelican", "b": ["x", "x"]}, {"a": "pelican", "b": '{"a": "a pelican"}'}]
    found = scan_all(payloads, RecogniserSet([words]))
    assert [[(one.path, one.start) for one in each] for each in found] == [
        [("/a", 0)],
        [("/a", 0), ("/b#/a", 2)],
    ]
    assert words.asked == [["a", "pelican", "b", "x", "a pelican"]]


def test_a_text_under_two_keys_is_two_texts() -> None:
    texts = {"phone": "5551234567", "order": "5551234567"}
    assert [one.path for one in scan(texts)] == ["/phone"]


def test_a_set_merges_what_its_recognisers_find() -> None:
    both = RecogniserSet([Words("white pelican"), Words("pelican at"), Words("sea")])
    first, second = both.find([PlainText("a white pelican at sea"), PlainText("nothing")])
    assert [(one.start, one.end, one.detector) for one in first] == [
        (2, 18, "word white pelican"),
        (19, 22, "word sea"),
    ]
    assert list(second) == []


def test_the_version_of_a_set_tells_of_every_change_of_its_recognisers() -> None:
    one, other = Words("pelican"), Words("heron", name="others")
    sets = [[one], [other], [one, other], [Words("pelican", version="2"), other]]
    versions = [RecogniserSet(recognisers).version for recognisers in sets]
    assert len(set(versions)) == len(versions)
    assert RecogniserSet([other, one]).version == RecogniserSet([one, other]).version


def test_the_version_of_the_patterns_tells_of_every_change_of_a_detector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = DETECTORS[0]
    tables = [
        DETECTORS,
        DETECTORS[1:],
        (first._replace(pattern="x+"), *DETECTORS[1:]),
        (first._replace(score=0.1), *DETECTORS[1:]),
        (first._replace(check=DETECTORS[1].check), *DETECTORS[1:]),
    ]
    versions = {patterns.Patterns(table).version for table in tables}
    monkeypatch.setattr(patterns, "REVISION", patterns.REVISION + 1)
    versions.add(patterns.Patterns().version)
    assert len(versions) == len(tables) + 1


def test_a_finding_can_be_traced_to_the_version_of_what_found_it() -> None:
    assert RECOGNISERS.found_by("email") == f"patterns-{patterns.Patterns().version}"


def test_two_detectors_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two detectors are called word pelican"):
        RecogniserSet([Words("pelican"), Words("pelican", name="others")])


def test_a_set_of_one_says_what_that_one_says() -> None:
    (found,) = RecogniserSet([Words("sea")]).find([PlainText("at sea")])
    assert found == [Finding(3, 6, "SECRET", 1.0, "word sea")]
