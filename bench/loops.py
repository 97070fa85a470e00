"""The bare loops that the dispatcher is compared with: the same number of sendMessage calls, 100 in flight, and nothing
else: no database, no rate, no evidence. Run as a module: `aiohttp` or `aiogram`, the URL, how many.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bench.grounds import ROOT, python

TOKEN = "700000001:" + "A" * 35
TEXT = "Dear Dov, please take your tablet now (09:00). My clinic"
IN_FLIGHT = 100
Send = Callable[[int], Awaitable[object]]


def run(which: str, url: str, count: int) -> float:
    """Run one of the loops in a separate process, and return its processor time in seconds.

    Raises RuntimeError if it fails.
    """
    process = python("bench.loops", which, url, str(count), environment={"PYTHONPATH": str(ROOT)}, folder=Path("/"))
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the bare {which} loop failed")
    return float(output)


async def bare_aiohttp(url: str, count: int) -> None:
    """aiohttp's client as its manual shows it."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(chat: int) -> None:
            body = {"chat_id": chat, "text": TEXT, "link_preview_options": {"is_disabled": True}}
            async with session.post(f"{url}/bot{TOKEN}/sendMessage", json=body) as response:
                await response.json()

        await _all(send, count)


async def bare_aiogram(url: str, count: int) -> None:
    """aiogram's Bot as its manual shows it."""
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    async with Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(url))) as bot:
        await _all(lambda chat: bot.send_message(chat, TEXT), count)


async def _all(send: Send, count: int) -> None:
    chats = iter(range(9_000_000_000, 9_000_000_000 + count))

    async def work(chats: Iterator[int]) -> None:
        for chat in chats:
            await send(chat)

    began = time.process_time()
    await asyncio.gather(*(work(chats) for _ in range(IN_FLIGHT)))
    print(time.process_time() - began)


if __name__ == "__main__":
    loop = {"aiohttp": bare_aiohttp, "aiogram": bare_aiogram}[sys.argv[1]]
    asyncio.run(loop(sys.argv[2], int(sys.argv[3])))
