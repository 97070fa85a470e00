"""STOP in any part of an update (a caption, a thread, an answer, an edit), and words that look like STOP but aren't."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion.clinics import opt_outs
from companion.clinics.models import Bot
from companion.listener.models import Conversation, Reply
from companion.telegram.incoming import MessageIn, update_of
from tests.listener.stories import CHAT, a_text, comes_in, edited_to, our_message, private, something_else

pytestmark = pytest.mark.django_db
PHOTO = [{"file_id": "arm", "file_unique_id": "u", "width": 1, "height": 1}]
VOICE = {"file_id": "v", "file_unique_id": "u", "duration": 3}
FORUM = {"id": CHAT, "type": "private", "first_name": "Somebody", "is_forum": True}


def stopped(bot: Bot) -> bool:
    return opt_outs.has_stopped(bot.clinic, CHAT)


@pytest.mark.parametrize(
    "update",
    [
        something_else(CHAT, photo=PHOTO, caption="STOP 🛑"),
        something_else(CHAT, voice=VOICE, caption="/stop@linden_bot please"),
        something_else(CHAT, hologram={"file_id": "x"}, caption="ＳＴＯＰ"),
        a_text(CHAT, "/STOP@linden_bot please"),
        a_text(CHAT, "Stop", reply_to_message=our_message(CHAT, 77), quote={"text": "Take one", "position": 0}),
        a_text(CHAT, "stop", message_thread_id=5, is_topic_message=True, chat=FORUM),
        a_text(CHAT, "stop", forward_origin={"type": "hidden_user"}, via_bot={"id": 1}),
        a_text(CHAT, "STOP", entities=[{"type": "strikethrough", "offset": 0, "length": 4}]),
        edited_to(a_text(CHAT, "Hello", message_thread_id=5), "\u200fSTOP"),
        {"edited_message": something_else(CHAT, photo=PHOTO, caption="stop!")["message"]},
    ],
    ids=lambda update: str(update)[:10],
)
def test_a_stop_is_heard_wherever_it_stands_in_an_update(bot: Bot, update: dict[str, object]) -> None:
    comes_in(bot, update)

    assert stopped(bot)


def test_a_photo_with_stop_below_it_goes_to_staff_too(bot: Bot) -> None:
    comes_in(bot, something_else(CHAT, photo=PHOTO, caption="STOP"))

    assert Conversation.objects.get().unread == 1


def test_a_caption_edited_to_stop_is_a_stop_and_both_stay(bot: Bot) -> None:
    came = something_else(CHAT, photo=PHOTO, caption="my arm")
    comes_in(bot, came)
    message = came["message"]
    assert isinstance(message, dict)

    comes_in(bot, {"edited_message": message | {"caption": "Stop.", "edit_date": message["date"] + 5}})

    assert stopped(bot)
    assert [reply.text for reply in Reply.objects.order_by("update_id")] == ["[photo] my arm", "[photo] Stop."]


@pytest.mark.parametrize(
    "update",
    [
        {"channel_post": a_text(CHAT, "STOP", chat={"id": -1001, "type": "channel", "title": "X"})["message"]},
        {"edited_channel_post": a_text(CHAT, "STOP", chat={"id": -1001, "type": "channel"})["message"]},
        {"business_message": a_text(CHAT, "STOP")["message"]},
        a_text(CHAT, "STOP", chat={"id": -1001, "type": "channel"}, sender_chat={"id": -1001, "type": "channel"}),
        a_text(CHAT, "STOP", chat={"id": -5, "type": "group"}),
        a_text(CHAT, "STOP", **{"from": {"id": 9, "is_bot": True, "first_name": "Other"}}),
        something_else(CHAT, pinned_message=a_text(CHAT, "STOP")["message"]),
        a_text(CHAT, "Hello", reply_to_message=a_text(CHAT, "STOP")["message"]),
        a_text(CHAT, "Hello", quote={"text": "STOP", "position": 0}),
        a_text(CHAT, "Hello", external_reply={"origin": {"type": "user"}, "text": "STOP"}),
    ],
    ids=lambda update: str(update)[:24],
)
def test_a_stop_of_others_or_in_a_quotation_stops_nobody(bot: Bot, update: dict[str, object]) -> None:
    comes_in(bot, update)

    assert not stopped(bot)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OPTIONAL = ("message_id", "date", "entities", "reply_to_message", "quote", "message_thread_id", "link_preview_options")
NEWER = ("forward_origin", "paid_star_count", "sender_business_bot", "suggested_post_info", "brand_new_thing")


@given(st.dictionaries(st.sampled_from([*OPTIONAL, *NEWER]), JSON), st.sampled_from(["from", "chat"]), JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_odd_part_beside_a_stop_costs_the_stop(odd: dict[str, object], person: str, strange: object) -> None:
    whole = a_text(CHAT, "STOP")["message"]
    assert isinstance(whole, dict)
    # Either of the two fields says whose chat it is.
    other = {"from": whole["from"], "chat": private(CHAT)} | {person: strange}
    read = update_of({"update_id": 5, "message": whole | odd | other, "brand_new_update": strange})

    assert read is not None
    if isinstance(read.event, MessageIn):
        assert (read.event.text, read.event.sender.telegram_id) == ("STOP", CHAT)
    else:
        # Only if the other field says that it is somebody else's chat, or a bot's.
        assert isinstance(strange, dict)
