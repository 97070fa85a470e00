"""The Sandbox, used by clients that others wrote for Telegram: aiogram and python-telegram-bot."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import aiogram
import aiogram.exceptions
import pytest
import telegram
import telegram.error
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from pytest_django.live_server_helper import LiveServer

from companion.sandbox import phone as phones
from companion.sandbox.models import Phone, SandboxBot, State
from tests.sandbox.stories import a_bot, a_started_phone, url_of
from tests.support.threads import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


def run(story: "Coroutine[Any, Any, None]") -> None:  # a coroutine's first two types don't matter here
    in_thread(lambda: asyncio.run(story))


def a_chat() -> tuple[SandboxBot, str, Phone]:
    bot, token = a_bot()
    return bot, token, a_started_phone(bot)


def aiograms_bot(live_server: LiveServer, token: str) -> aiogram.Bot:
    return aiogram.Bot(token, AiohttpSession(api=TelegramAPIServer.from_base(url_of(live_server.url))))


def ptbs_bot(live_server: LiveServer, token: str) -> telegram.Bot:
    return telegram.Bot(token, base_url=f"{url_of(live_server.url)}/bot")


def test_aiogram_sends_polls_answers_and_edits(live_server: LiveServer) -> None:
    bot, token, ana = a_chat()

    async def story() -> None:
        async with aiograms_bot(live_server, token) as client:
            assert (await client.get_me()).username == bot.username
            assert (await client.get_chat(ana.telegram_id)).first_name == "Ana"
            markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Yes", callback_data="y")]])
            sent = await client.send_message(ana.telegram_id, "<b>Pill?</b>", parse_mode="HTML", reply_markup=markup)
            assert (sent.text, sent.message_id) == ("Pill?", 2)
            await asyncio.to_thread(in_thread, lambda: phones.tap(bot, phones.chat(bot, ana)[-1], "y"))
            updates = await client.get_updates(timeout=5, allowed_updates=["message", "callback_query"])
            assert updates[-1].callback_query is not None
            assert await client.answer_callback_query(updates[-1].callback_query.id, text="Noted")
            edited = await client.edit_message_reply_markup(chat_id=ana.telegram_id, message_id=2)
            assert isinstance(edited, aiogram.types.Message)
            assert edited.reply_markup is None
            assert await client.delete_webhook()
            assert (await client.get_webhook_info()).url == ""

    run(story())


def test_aiogram_understands_every_refusal(live_server: LiveServer) -> None:
    bot, token, ana = a_chat()
    phones.set_state(bot, ana, State.BLOCKED)

    async def story() -> None:
        async with aiograms_bot(live_server, token) as client:
            with pytest.raises(aiogram.exceptions.TelegramForbiddenError, match="blocked by the user"):
                await client.send_message(ana.telegram_id, "x")
            with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="chat not found"):
                await client.send_message("@ana", "x")
            for _ in range(5):
                await client.send_message(77, "x")
            with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as too_many:
                await client.send_message(77, "x")
            assert 1 <= too_many.value.retry_after <= 5
        async with aiograms_bot(live_server, "123456:" + "A" * 35) as stranger:
            with pytest.raises(aiogram.exceptions.TelegramUnauthorizedError):
                await stranger.get_me()

    run(story())


def test_python_telegram_bot_sends_polls_answers_and_edits(live_server: LiveServer) -> None:
    bot, token, ana = a_chat()

    async def story() -> None:
        async with ptbs_bot(live_server, token) as client:
            assert client.username == bot.username
            assert (await client.get_chat(ana.telegram_id)).first_name == "Ana"
            markup = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="y")]])
            sent = await client.send_message(ana.telegram_id, "Pill?", reply_markup=markup, protect_content=True)
            assert (sent.text, sent.message_id, sent.has_protected_content) == ("Pill?", 2, True)
            await asyncio.to_thread(in_thread, lambda: phones.tap(bot, phones.chat(bot, ana)[-1], "y"))
            updates = await client.get_updates(timeout=5)
            assert updates[-1].callback_query is not None
            assert await updates[-1].callback_query.answer("Noted")
            await client.edit_message_reply_markup(ana.telegram_id, 2, reply_markup=None)

    run(story())


def test_python_telegram_bot_understands_every_refusal(live_server: LiveServer) -> None:
    bot, token, ana = a_chat()
    phones.set_state(bot, ana, State.DEACTIVATED)

    async def story() -> None:
        async with ptbs_bot(live_server, token) as client:
            with pytest.raises(telegram.error.Forbidden, match="deactivated"):
                await client.send_message(ana.telegram_id, "x")
            with pytest.raises(telegram.error.BadRequest, match="too long"):
                await client.send_message(77, "x" * 4097)
            for _ in range(5):
                await client.send_message(77, "x")
            with pytest.raises(telegram.error.RetryAfter):
                await client.send_message(77, "x")
        with pytest.raises(telegram.error.InvalidToken):
            await ptbs_bot(live_server, "123456:" + "A" * 35).initialize()

    run(story())
