"""The recipes, each with the questions that a user would ask of it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import journeys
from journeys import files, work
from journeys.simulation.inputs import ContactLine
from messaging import tracking
from messaging.models import Message
from tests.journeys.conftest import Play
from tests.journeys.scenario import (
    Live,
    change,
    contact,
    event,
    journey,
    moment,
    send,
    unsubscribe,
)

FOLDER = Path(journeys.__file__).parent / "recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def recipe(name: str) -> dict[str, Any]:
    data: dict[str, Any] = files.read((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return data


@pytest.fixture
def house(db: None) -> Callable[[dict[str, Any], str], Live]:
    """Opens an installation with the contact u1 and this journey."""

    def opened(data: dict[str, Any], at: str) -> Live:
        person = ContactLine("u1", "u1@example.com", created_at=moment("2020-01-01 00:00"))
        live = Live(data, {"u1": person})
        live.begin(moment(at))
        return live

    return opened


def sent() -> list[str]:
    """The mails of all journeys that were not skipped: journey and node, in order."""
    rows = Message.objects.exclude(status=Message.Status.SKIPPED).order_by("queued_at", "pk")
    return [f"{message.journey} {message.node}" for message in rows]


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_can_be_played(play: Play, name: str) -> None:
    assert play(recipe(name), [event("2 09:00", "nothing")], until="2 10:00").entered == []


def test_all_ten_are_there() -> None:
    assert len(RECIPES) == 11  # the double opt-in is two journeys


# Welcome series


def test_welcome_series_to_the_second(play: Play) -> None:
    facts = [event("2 09:00:07", "signed_up"), event("5 12:00", "signed_up")]
    told = play(recipe("welcome-series"), facts, until="2026-06-01 00:00")
    assert told.mails == [
        "day-0 2 09:00:07",
        "day-2 4 09:00:07",
        "day-4 6 09:00:07",
        "day-7 9 09:00:07",
    ]
    assert told.entered == ["u1 2 09:00:07"]  # the second sign-up does not enroll


@pytest.mark.parametrize("topic", ["product", "all"])
def test_welcome_series_stops_for_who_unsubscribes(play: Play, topic: str) -> None:
    facts = [event("2 09:00", "signed_up"), unsubscribe("5 12:00", topic)]
    told = play(recipe("welcome-series"), facts, until="2026-06-01 00:00")
    assert told.mails == [
        "day-0 2 09:00",
        "day-2 4 09:00",
        "day-4 6 09:00 unsubscribed",
        "day-7 9 09:00 unsubscribed",
    ]


# Onboarding until activated

ONBOARDING = "onboarding-until-activated"


@pytest.mark.parametrize(
    ("done", "end", "mails"),
    [
        ("3 08:59", "exited goal 3 08:59", ["welcome 2 09:00"]),
        ("3 09:00", "exited goal 3 09:00", ["welcome 2 09:00"]),
        (
            "3 09:01",
            "exited onboarding over 3 09:00",
            ["welcome 2 09:00", "follow-up 3 09:00"],
        ),
        (
            "2 08:59",
            "exited onboarding over 3 09:00",
            ["welcome 2 09:00", "follow-up 3 09:00"],
        ),
        ("2 09:00", "exited goal 2 09:00", ["welcome 2 09:00"]),
    ],
)
def test_onboarding_when_the_event_comes(play: Play, done: str, end: str, mails: list[str]) -> None:
    """At 23 h 59 min, at the deadline, at 24 h 01 min, before the entry, and right after it."""
    facts = [event("2 09:00", "signed_up"), event(done, "onboarding_completed")]
    told = play(recipe(ONBOARDING), sorted(facts, key=lambda fact: fact["at"]), until="9 00:00")
    assert told.ends == [end]
    # A welcome that nobody has handed over when the goal is reached is cancelled (G1).
    assert [mail.removesuffix(" goal") for mail in told.mails] == mails


@pytest.mark.parametrize(
    ("done", "end"),
    [("3 08:59", "exited goal 3 08:59"), ("3 09:01", "exited onboarding over 3 12:00")],
)
def test_onboarding_when_the_worker_was_down(
    house: Callable[..., Live], done: str, end: str
) -> None:
    """From the evening until noon; what was received by the deadline still counts (T3)."""
    live = house(recipe(ONBOARDING), "2 08:00")
    live.go("2 20:00", event("2 09:00", "signed_up"))
    live.happen(event(done, "onboarding_completed"))
    live.work(moment("3 12:00"))
    assert live.told().ends == [end]


# Double opt-in with one reminder


def test_double_opt_in_reminds_once(play: Play) -> None:
    facts = [unsubscribe("1 09:00", "all"), event("2 09:00", "signup_pending")]
    told = play(recipe("double-opt-in"), facts, until="2026-06-01 00:00")
    assert told.mails == ["confirm 2 09:00", "reminder 3 09:00"]


@pytest.mark.parametrize(
    ("confirmed", "mails"),
    [
        ("2 10:00", ["double-opt-in confirm", "double-opt-in-welcome welcome"]),
        (
            "4 10:00",
            [
                "double-opt-in confirm",
                "double-opt-in reminder",
                "double-opt-in-welcome welcome",
            ],
        ),
    ],
)
def test_double_opt_in_a_confirmation_brings_the_welcome_once(
    house: Callable[..., Live], confirmed: str, mails: list[str]
) -> None:
    live = house(recipe("double-opt-in"), "2 08:00")
    live.also(recipe("double-opt-in-welcome"))
    live.go(
        "9 00:00",
        event("2 09:00", "signup_pending"),
        event(confirmed, "subscribed"),
        event("6 10:00", "subscribed"),
    )
    assert sent() == mails


# Trial ending


def trial(play: Play, facts: list[Any], **person: Any) -> list[str]:
    people = [contact("u1", **{"plan": "free", "trial_ends_at": "2026-03-15", **person})]
    told = play(
        recipe("trial-ending"), facts, people=people, start="2 00:00", until="2026-05-01 00:00"
    )
    return told.mails + [end for end in told.ends if "exited" in end]


def test_trial_ending_seven_days_one_day_and_the_day(play: Play) -> None:
    mails = ["week-before 8 09:00", "day-before 14 09:00", "last-day 15 09:00"]
    assert trial(play, []) == mails


def test_trial_ending_where_the_contact_is(play: Play) -> None:
    """In New York the clocks go forward on the first of the three days."""
    mails = ["week-before 8 13:00", "day-before 14 13:00", "last-day 15 13:00"]
    assert trial(play, [], timezone="America/New_York") == mails
    mails = ["week-before 7 19:00", "day-before 13 19:00", "last-day 14 19:00"]
    assert trial(play, [], timezone="Pacific/Kiritimati") == mails


def test_trial_ending_moves_with_a_trial_that_is_extended(play: Play) -> None:
    facts = [change("10 12:00", trial_ends_at="2026-03-25")]
    mails = ["week-before 8 09:00", "day-before 24 09:00", "last-day 25 09:00"]
    assert trial(play, facts) == mails


def test_trial_ending_ends_with_an_upgrade_between_two_mails(play: Play) -> None:
    facts = [change("14 10:00", plan="team")]
    mails = ["week-before 8 09:00", "day-before 14 09:00", "exited exit_when 14 10:00"]
    assert trial(play, facts) == mails


@pytest.mark.parametrize("person", [{"trial_ends_at": "2026-03-01"}, {"plan": "team"}])
def test_trial_ending_not_for_a_date_already_past_nor_for_those_who_pay(
    play: Play, person: Any
) -> None:
    assert trial(play, [], **person) == []


# Abandoned cart


def cart(at: str, which: str = "a", name: str = "cart_updated") -> dict[str, Any]:
    return event(at, name, cart_id=which)


def test_abandoned_cart_after_1_24_and_72_hours(play: Play) -> None:
    told = play(recipe("abandoned-cart"), [cart("2 09:00")], until="2026-06-01 00:00")
    assert told.mails == ["first 2 10:00", "second 3 09:00", "third 5 09:00"]


def test_abandoned_cart_two_carts_do_not_mix(play: Play) -> None:
    facts = [cart("2 09:00", "a"), cart("2 09:20", "b"), cart("2 09:40", "a", "order_placed")]
    told = play(recipe("abandoned-cart"), facts, until="2 12:00")
    assert told.ends == ["exited goal 2 09:40", "waiting"]
    assert told.mails == ["first 2 10:20"]


@pytest.mark.parametrize(
    ("name", "end"),
    [("order_placed", "exited goal 2 10:00"), ("checkout_started", "exited exit_when 2 10:00")],
)
def test_abandoned_cart_an_order_at_the_last_moment_means_no_mail(
    play: Play, name: str, end: str
) -> None:
    facts = [cart("2 09:00"), cart("2 10:00", name=name)]
    told = play(recipe("abandoned-cart"), facts, until="9 00:00")
    assert (told.ends, told.mails) == ([end], [])


def test_abandoned_cart_an_order_before_the_hand_over_cancels_the_mail(
    house: Callable[..., Live],
) -> None:
    live = house(recipe("abandoned-cart"), "2 08:00")
    live.go("2 09:30", cart("2 09:00"))
    work.work(moment("2 10:00"))
    assert Message.objects.get().status == Message.Status.QUEUED
    live.happen(cart("2 10:01", name="order_placed"))
    work.work(moment("2 10:01"))
    assert Message.objects.get().status == Message.Status.CANCELLED


def test_abandoned_cart_a_change_starts_the_clock_again(play: Play) -> None:
    facts = [cart("2 09:00"), cart("2 09:50"), cart("2 20:00"), cart("2 20:10", "b")]
    told = play(recipe("abandoned-cart"), facts, until="3 12:00")
    assert told.passages[0].mails == ["first 2 10:50", "first 2 21:00"]
    assert told.entered == ["u1 2 09:00", "u1 2 20:10"]


# Win-back

LOST = event("2026-01-31 12:30", "session_started", received="2 10:00")  # 30 days are over at 12:30


def test_win_back_enters_at_the_full_hour_and_writes_by_day(play: Play) -> None:
    """It is 05:00 in Los Angeles when the member is found, so the mail waits until 08:00."""
    people = [contact(timezone="America/Los_Angeles")]
    told = play(recipe("win-back"), [LOST], people=people, until="3 00:00")
    assert told.entered == ["u1 2 13:00"]
    assert told.mails == ["miss-you 2 16:00"]


def test_win_back_thanks_who_returns_although_membership_has_flipped(play: Play) -> None:
    facts = [LOST, event("4 10:00", "session_started")]
    told = play(recipe("win-back"), facts, until="5 00:00")
    assert told.mails == ["miss-you 2 13:00", "thanks 4 10:00"]
    assert told.ends == ["completed 4 10:00"]


def test_win_back_splits_the_others_half_and_half(simulated: Play) -> None:
    ids = [f"p{number}" for number in range(40)]
    facts = [{**LOST, "contact": one} for one in ids]
    told = simulated(recipe("win-back"), facts, people=[contact(one) for one in ids],
                     until="10 00:00")  # fmt: skip
    offers = {one.line["contact"]: one.mails[-1] for one in told.passages}
    for one in ids:
        share = int(sha256(f"win-back:offer:{one}".encode()).hexdigest()[:8], 16) % 100
        assert offers[one] == ("small 9 13:00" if share < 50 else "large 9 13:00")
    assert len(set(offers.values())) == 2


def test_win_back_again_at_the_earliest_after_four_weeks(simulated: Play) -> None:
    """Who returns and is lost again enters again; the second time 30 days after the session."""
    facts = [LOST, event("4 10:00", "session_started")]
    told = simulated(recipe("win-back"), facts, until="2026-05-01 00:00")
    assert told.entered == ["u1 2 13:00", "u1 2026-04-03 11:00"]


def test_win_back_at_most_two_mails_a_week_across_all_journeys(house: Callable[..., Live]) -> None:
    live = house(recipe("win-back"), "2 09:00")
    live.also(journey("news", journey="newsletter", a=send(), b=send()))
    live.go("2 14:00", event("2 09:30", "news"), LOST)
    skipped = Message.objects.get(journey="win-back")
    assert (skipped.status, skipped.reason) == ("skipped", "capped")
    assert sent() == ["newsletter a", "newsletter b"]


# After the purchase


def delivered(play: Play, *facts: Any, at: str = "2 12:00") -> Any:
    story = recipe("after-the-purchase")
    return play(story, [event(at, "order_delivered", order_id=7), *facts], until="2026-06-01 00:00")


def rated(at: str, rating: Any, order: Any = 7) -> dict[str, Any]:
    return event(at, "feedback_given", order_id=order, rating=rating)


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        ("2 12:00", "5 12:00"),
        ("2 23:00", "6 10:00"),
        ("2 09:59", "5 10:00"),
        ("2 22:59", "5 22:59"),
    ],
)
def test_after_the_purchase_asks_after_three_days_but_not_at_night(
    play: Play, at: str, asked: str
) -> None:
    assert delivered(play, at=at).mails == [f"ask {asked}"]


@pytest.mark.parametrize(
    ("rating", "last"),
    [
        ("good", "public-review next"),
        ("ok", "cross-sell next"),
        ("bad", "support ok"),
        ("middling", "rating else"),
        (None, "rating else"),
        (5, "rating else"),
    ],
)
def test_after_the_purchase_three_ways_and_the_default(play: Play, rating: Any, last: str) -> None:
    told = delivered(play, rated("6 10:00", "good", order=8), rated("6 12:00", rating))
    assert told.path[-1] == last
    assert told.ends == ["completed 6 12:00"]


def test_after_the_purchase_without_an_answer_it_is_over_after_a_week(play: Play) -> None:
    assert delivered(play).ends == ["completed 12 12:00"]


# Birthday


def birthday(play: Play, day: str, facts: Any = (), **how: Any) -> list[str]:
    zone, until = how.pop("zone", ""), how.pop("until", "2026-05-01 00:00")
    people = [contact("u1", **({"birthday": day} if day else {}), timezone=zone)]
    start = how.pop("start", "2 00:00")
    return play(recipe("birthday"), list(facts), people=people, start=start, until=until).mails


def test_birthday_three_days_before_on_the_day_and_a_week_after(play: Play) -> None:
    mails = ["teaser 7 09:00", "present 10 09:00", "reminder 17 09:00"]
    assert birthday(play, "1990-03-10") == mails


def test_birthday_on_29_february(play: Play) -> None:
    how = {"start": "2027-01-01 00:00", "until": "2028-03-02 00:00"}
    assert birthday(play, "1992-02-29", **how) == [
        "teaser 2027-02-25 09:00",
        "present 2027-02-28 09:00",
        "reminder 2027-03-07 09:00",
        "teaser 2028-02-26 09:00",
        "present 2028-02-29 09:00",
    ]


@pytest.mark.parametrize(
    ("zone", "mails"),
    [
        ("Pacific/Kiritimati", ["teaser 6 19:00", "present 9 19:00", "reminder 16 19:00"]),
        ("Pacific/Pago_Pago", ["teaser 7 20:00", "present 10 20:00", "reminder 17 20:00"]),
    ],
)
def test_birthday_far_east_and_far_west(play: Play, zone: str, mails: list[str]) -> None:
    assert birthday(play, "1990-03-10", zone=zone) == mails


def test_birthday_over_a_clock_change_stays_at_nine(play: Play) -> None:
    mails = ["teaser 27 08:00", "present 30 07:00", "reminder 2026-04-06 07:00"]
    assert birthday(play, "1990-03-30", zone="Europe/Berlin") == mails


def test_birthday_from_31_december_to_1_january(play: Play) -> None:
    how = {"start": "2026-12-01 00:00", "until": "2027-02-01 00:00"}
    assert birthday(play, "1990-01-01", **how) == [
        "teaser 2026-12-29 09:00",
        "present 2027-01-01 09:00",
        "reminder 2027-01-08 09:00",
    ]


def test_birthday_that_is_edited_inside_the_window_brings_one_present(play: Play) -> None:
    """Whoever is on the way goes on, and does not enter for the new date as well."""
    facts = [change("8 12:00", birthday="1990-03-18")]
    mails = ["teaser 7 09:00", "present 10 09:00", "reminder 17 09:00"]
    assert birthday(play, "1990-03-10", facts) == mails


def test_birthday_that_is_edited_before_the_window_moves_all(play: Play) -> None:
    facts = [change("5 12:00", birthday="1990-03-18")]
    mails = ["teaser 15 09:00", "present 18 09:00", "reminder 25 09:00"]
    assert birthday(play, "1990-03-10", facts) == mails


@pytest.mark.parametrize("day", ["1990-03-02", "1990-03-05", "1990-02-27"])
def test_birthday_known_after_its_moment_brings_nothing_this_year(play: Play, day: str) -> None:
    assert birthday(play, "", [change("2 09:01", birthday=day)]) == []


# Lead nurture


def test_lead_nurture_on_days_0_3_7_14_and_21(play: Play) -> None:
    told = play(
        recipe("lead-nurture"), [event("2 09:00", "lead_created")], until="2026-06-01 00:00"
    )
    assert [mail.split(" ", 1)[1] for mail in told.mails] == [
        "2 09:00",
        "5 09:00",
        "9 09:00",
        "16 09:00",
        "23 09:00",
    ]


def test_lead_nurture_ends_with_the_demo(play: Play) -> None:
    facts = [event("2 09:00", "lead_created"), event("8 10:00", "demo_booked")]
    told = play(recipe("lead-nurture"), facts, until="2026-06-01 00:00")
    assert told.ends == ["exited goal 8 10:00"]
    assert len(told.mails) == 2


# Sunset


def sunset(house: Callable[..., Live]) -> Live:
    """An installation in which ten mails of a newsletter have been delivered on 3 March."""
    live = house(recipe("sunset"), "2 08:00")
    sends = {f"mail-{number}": send() for number in range(10)}
    live.also(journey("news", journey="newsletter", **sends))
    live.go("3 09:00", event("2 09:00", "news"))
    for message in Message.objects.order_by("pk"):
        tell(live, message, tracking.What.DELIVERED, "3 09:00")
    return live


def tell(live: Live, message: Message, what: tracking.What, at: str, **how: Any) -> None:
    tracking.note([tracking.News(message.pk, what, moment(at), **how)], received_at=moment(at))
    live.work(moment(at))


@pytest.fixture
def daily(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full hours change no membership in these stories, so they need not be counted."""
    monkeypatch.setattr(Live, "hourly", property(lambda _: False, lambda *_: None), raising=False)


def test_sunset_marks_who_does_not_answer(house: Callable[..., Live], daily: None) -> None:
    live = sunset(house)
    live.go("20 00:00")
    told = live.told().passages[-1]
    assert told.entered == "u1 3 09:00"
    assert told.mails == ["still-there 3 09:00", "last-mail 10 09:00"]
    assert told.visits[-2:] == [
        "mark 15 09:00 - 15 09:00 next",
        "unsubscribe 15 09:00 - 15 09:00 ok",
    ]


@pytest.mark.parametrize("what", [tracking.What.OPENED, tracking.What.CLICKED])
def test_sunset_keeps_who_opens_or_clicks(
    house: Callable[..., Live], daily: None, what: tracking.What
) -> None:
    live = sunset(house)
    live.go("11 00:00")
    tell(live, Message.objects.get(node="last-mail"), what, "11 00:00")
    assert live.told().passages[-1].end == "exited exit_when 11 00:00"


def test_sunset_opens_by_machines_do_not_count(house: Callable[..., Live], daily: None) -> None:
    live = sunset(house)
    live.go("11 00:00")
    message = Message.objects.get(node="last-mail")
    tell(live, message, tracking.What.OPENED, "11 00:00", machine=True)
    live.go("20 00:00")
    assert live.told().passages[-1].path[-2:] == ["mark next", "unsubscribe ok"]


def test_sunset_not_who_opened_one_of_the_ten(house: Callable[..., Live], daily: None) -> None:
    live = house(recipe("sunset"), "2 08:00")
    sends = {f"mail-{number}": send() for number in range(10)}
    live.also(journey("news", journey="newsletter", **sends))
    live.go("3 08:00", event("2 09:00", "news"))
    tell(live, Message.objects.get(node="mail-3"), tracking.What.OPENED, "3 08:00")
    for message in Message.objects.order_by("pk"):
        tell(live, message, tracking.What.DELIVERED, "3 09:00")
    assert [one.line["journey"] for one in live.told().passages] == ["newsletter"]
