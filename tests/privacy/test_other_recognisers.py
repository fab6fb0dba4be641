"""What was found once can be reviewed for ever, whichever recognisers there are by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from apps.accounts.keys import keyring
from apps.contents.models import Content
from apps.privacy import services
from apps.privacy.models import Decision, Finding
from apps.privacy.rendering import ValueMovedError
from apps.privacy.selectors import in_context
from apps.privacy.surrogates import Value, Vault
from apps.traces.models import Span
from slmhub.redaction import RECOGNISERS
from slmhub.redaction.paths import without_places
from slmhub.redaction.recognisers.patterns.detectors import DETECTORS
from slmhub.redaction.recognisers.patterns.recogniser import Patterns
from tests.redaction.other_recognisers import Broken, Words, use
from tests.traces.calls import row, says, taken_in, tool_says, user
from tests.world import World

Change = Callable[[pytest.MonkeyPatch], None]


def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """E-mail addresses are no longer looked for, a word is."""
    use(monkeypatch, Patterns([one for one in DETECTORS if one.name != "email"]), Words("Where"))


def none_may_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Broken())


def as_before_versions() -> None:
    """The rows as the version before this one stored them."""
    for finding in Finding.objects.all():
        finding.path, finding.recogniser = without_places(finding.path), ""
        finding.save()
    Content.objects.update(recognisers="")


@pytest.fixture(params=["rows of now", "rows of before versions"])
def aged(request: pytest.FixtureRequest) -> Callable[[], None]:
    return as_before_versions if request.param == "rows of before versions" else lambda: None


@pytest.fixture(params=[others, none_may_be_asked])
def change(request: pytest.FixtureRequest) -> Change:
    found: Change = request.param
    return found


def decide(world: World, finding: Finding, decision: Decision) -> None:
    assert services.decide(findings=[finding], decision=decision, actor=world.curator) == 1


def finding_of(value: str, world: World) -> Finding:
    digest = Vault(world.workspace, keyring(world.workspace.pk)).digest(Value("EMAIL", value))
    return Finding.objects.select_related("surrogate", "content", "workspace").get(surrogate__digest=digest)


def tool_body() -> Any:
    return orjson.loads(Content.objects.get(role="tool").body["content"])


class TestReview:
    def test_a_value_is_confirmed_shown_and_hidden_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch, aged: Callable[[], None], change: Change
    ) -> None:
        taken_in(
            world.agent, [row("1", [user("Where is it? Write to a@acme.org and b@acme.org.")], says("ok"))]
        )
        aged()
        change(monkeypatch)
        first, second = Finding.objects.order_by("start")
        decide(world, first, Decision.ACCEPTED)
        decide(world, second, Decision.REJECTED)
        content = Content.objects.get(role="user")
        assert content.text == content.body["content"] == "Where is it? Write to [EMAIL_1] and b@acme.org."
        decide(world, second, Decision.PENDING)
        assert Content.objects.get(role="user").text == "Where is it? Write to [EMAIL_1] and [EMAIL_2]."

    def test_sensitive_keys_stay_hidden_and_lead_to_what_stands_below(
        self, world: World, monkeypatch: pytest.MonkeyPatch, aged: Callable[[], None], change: Change
    ) -> None:
        people = {
            "zoe": "z",
            "write to bob@acme.org": {"mail": ["x", "eve@acme.org"]},
            "ann@acme.org": "none",
        }
        taken_in(world.agent, [row("1", [tool_says({"people": people})], says("ok"))])
        aged()
        change(monkeypatch)
        found = Finding.objects.get(path__endswith="/mail/1")
        decide(world, found, Decision.REJECTED)
        below = {"mail": ["x", "eve@acme.org"]}
        after = {"zoe": "z", "write to [EMAIL_1]": below, "[EMAIL_3]": "none"}
        assert tool_body() == {"people": after}
        decide(world, found, Decision.PENDING)
        after["write to [EMAIL_1]"] = {"mail": ["x", "[EMAIL_2]"]}
        assert tool_body() == {"people": after}

    def test_outside_of_texts_the_order_of_keys_is_the_database_s_own(
        self, world: World, monkeypatch: pytest.MonkeyPatch, aged: Callable[[], None], change: Change
    ) -> None:
        """PostgreSQL puts short keys first, the sealed original sorts them."""
        message = {**user("hi"), "zz": {"longest@acme.org": "a@acme.org", "b": 1, "c@acme.org": "d@acme.org"}}
        taken_in(world.agent, [row("1", [message], says("ok"))])
        aged()
        change(monkeypatch)
        found = finding_of("a@acme.org", world)
        (context,) = in_context([found])
        assert context.shown == found.surrogate.text
        decide(world, found, Decision.REJECTED)
        found = finding_of("a@acme.org", world)
        other = finding_of("d@acme.org", world).surrogate.text
        assert sorted(map(str, found.content.body["zz"].values())) == ["1", other, "a@acme.org"]
        (context,) = in_context([found])
        assert context.shown == "a@acme.org"

    def test_pages_show_findings_in_their_context(
        self, world: World, monkeypatch: pytest.MonkeyPatch, aged: Callable[[], None], change: Change
    ) -> None:
        people = {"bob@acme.org": "Where is eve@acme.org?"}
        taken_in(world.agent, [row("1", [user("Where is a@acme.org?"), tool_says(people)], says("ok"))])
        aged()
        change(monkeypatch)
        client = world.client(world.curator)
        review: Any = client.get(world.workspace_url("privacy:findings"), {"detector": "email"})
        shown = [(one.before, one.shown, one.after) for one in review.context["contexts"]]
        assert sorted(shown) == [
            ("", "[EMAIL_2]", ""),
            ("Where is ", "[EMAIL_1]", "?"),
            ("Where is ", "[EMAIL_3]", "?"),
        ]
        call = client.get(world.url("traces:call", Span.objects.get().pk)).content.decode()
        assert all(f'href="#finding-{found.pk}"' in call for found in Finding.objects.all())
        assert "acme.org" not in call + review.content.decode()


class TestOlderRows:
    def test_keys_that_had_become_one_are_two_again(self, world: World) -> None:
        people = {"Bob@acme.org": {"mail": "x@acme.org"}, "bob@acme.org": {"mail": "y@acme.org"}}
        taken_in(world.agent, [row("1", [tool_says(people)], says("ok"))])
        as_before_versions()
        for finding in Finding.objects.all():
            finding.path = finding.path.replace("[EMAIL_1] 2", "[EMAIL_1]")
            finding.save()
        decide(world, finding_of("y@acme.org", world), Decision.REJECTED)
        after = {"[EMAIL_1]": {"mail": "[EMAIL_2]"}, "[EMAIL_1] 2": {"mail": "y@acme.org"}}
        assert tool_body() == after

    def test_a_value_that_is_not_where_it_was_found_changes_nothing(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("a@acme.org, b@acme.org")], says("ok"))])
        first, second = Finding.objects.order_by("start")
        Finding.objects.filter(pk=second.pk).update(start=second.start - 1)
        with pytest.raises(ValueMovedError):
            services.decide(findings=[first], decision=Decision.REJECTED, actor=world.curator)
        assert Content.objects.get(role="user").text == "[EMAIL_1], [EMAIL_2]"
        assert set(Finding.objects.values_list("decision", flat=True)) == {Decision.PENDING}


class TestVersions:
    def test_contents_and_findings_say_what_searched_them(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken_in(world.agent, [row("1", [user("Where is a@acme.org?")], says("ok"))])
        before = RECOGNISERS.version
        assert set(Content.objects.values_list("recognisers", flat=True)) == {before}
        assert Finding.objects.get().recogniser == RECOGNISERS.found_by("email")
        others(monkeypatch)
        taken_in(world.agent, [row("2", [user("Where is a@acme.org?"), user("Where now?")], says("fine"))])
        versions = dict(Content.objects.values_list("text", "recognisers"))
        assert versions["Where is [EMAIL_1]?"] == versions["ok"] == before
        assert versions["[SECRET_1] now?"] == versions["fine"] == RECOGNISERS.version != before
        assert Finding.objects.get(entity="SECRET").recogniser == "words-1"
