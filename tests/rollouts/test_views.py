from __future__ import annotations

from apps.evaluation.models import Verdict
from apps.rollouts import services
from apps.rollouts.models import Rollout, RolloutState, Route
from tests.rollouts.evidence import evaluation, task
from tests.world import World


def requested(world: World) -> Rollout:
    return services.request(evaluation=evaluation(world, task(world)), actor=world.engineer, reason="cheaper")


def state(rollout: Rollout) -> str:
    rollout.refresh_from_db()
    return rollout.state


def test_an_engineer_asks_and_an_approver_says_yes(world: World) -> None:
    run = evaluation(world, task(world))
    engineer, approver = world.client(world.engineer), world.client(world.approver)

    page = engineer.get(world.url("rollouts:request", run.pk))
    assert "Look up an order" in page.content.decode()
    response = engineer.post(world.url("rollouts:request", run.pk), {"reason": "cheaper & quicker"})
    rollout = Rollout.objects.get()
    assert response["location"] == world.url("rollouts:detail", rollout.pk)

    detail = approver.get(world.url("rollouts:detail", rollout.pk)).content.decode()
    assert "cheaper &amp; quicker" in detail
    assert world.url("rollouts:approve", rollout.pk) in detail
    approver.post(world.url("rollouts:approve", rollout.pk), {"note": "go"})
    assert state(rollout) == RolloutState.LIVE
    assert Route.objects.get().is_on

    trail = engineer.get(world.url("rollouts:detail", rollout.pk)).content.decode()
    assert "asked to roll out" in trail
    assert "approved the rollout of" in trail
    approver.post(world.url("rollouts:roll_back", rollout.pk))
    assert state(rollout) == RolloutState.ROLLED_BACK


def test_a_page_never_offers_what_would_be_refused(world: World) -> None:
    rollout = requested(world)

    for user, may in (
        (world.engineer, False),
        (world.viewer, False),
        (world.approver, True),
        (world.admin, True),
    ):
        page = world.client(user).get(world.url("rollouts:detail", rollout.pk)).content.decode()
        assert (world.url("rollouts:approve", rollout.pk) in page) == may, user


def test_who_asked_is_told_that_another_must_decide(world: World) -> None:
    rollout = services.request(evaluation=evaluation(world, task(world)), actor=world.admin)
    client = world.client(world.admin)

    page = client.post(world.url("rollouts:approve", rollout.pk), follow=True).content.decode()
    assert "Another person has to decide it." in page
    assert state(rollout) == RolloutState.REQUESTED


def test_an_evaluation_that_did_not_pass_is_answered_422(world: World) -> None:
    run = evaluation(world, task(world), verdict=Verdict.INCONCLUSIVE)

    response = world.client(world.engineer).post(world.url("rollouts:request", run.pk))
    assert response.status_code == 422
    assert "not pass" in response.content.decode()


def test_the_second_decision_is_told_that_it_comes_late(world: World) -> None:
    rollout = requested(world)
    services.reject(rollout=rollout, actor=world.admin)

    page = world.client(world.approver).post(world.url("rollouts:approve", rollout.pk), follow=True)
    assert "already decided" in page.content.decode()
    assert state(rollout) == RolloutState.REJECTED


def test_strangers_and_weak_roles_are_refused(world: World) -> None:
    rollout = requested(world)
    for name in ("approve", "reject", "roll_back"):
        address = world.url(f"rollouts:{name}", rollout.pk)
        assert world.client(world.stranger).post(address).status_code == 404
        assert world.client(world.engineer).post(address).status_code == 403
        assert world.client(world.approver).get(address).status_code == 405
    assert world.client(world.approver).post(world.url("rollouts:withdraw", rollout.pk)).status_code == 403
    assert state(rollout) == RolloutState.REQUESTED


def test_a_rollout_of_another_agent_is_not_found(world: World) -> None:
    rollout = requested(world)
    other = world.workspace.agents.create(name="Other", slug="other")

    assert world.client(world.viewer).get(f"/w/acme/{other.slug}/rollouts/{rollout.pk}/").status_code == 404


def test_the_list_costs_the_same_however_long(world: World, django_assert_max_num_queries: object) -> None:
    for number in range(12):
        services.request(
            evaluation=evaluation(world, task(world, key=f"{number:032x}")), actor=world.engineer
        )

    client = world.client(world.viewer)
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        page = client.get(world.url("rollouts:list")).content.decode()
    assert page.count("Waits for approval") >= 12
