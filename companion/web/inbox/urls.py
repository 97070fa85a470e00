"""Name the addresses of the inbox: its list, each conversation and the files that patients sent."""

from typing import Final

from django.urls import path

from companion.web.inbox import media, pages

_ACTIONS: Final = {"take": "take", "assign": "assign", "give-back": "give_back", "done": "done"}

urlpatterns = [
    path("inbox", pages.index, name="inbox"),
    path("inbox/news", pages.news, name="inbox_news"),
    path("inbox/<uuid:conversation_id>", pages.show, name="conversation"),
    path("inbox/<uuid:conversation_id>/answer", pages.answer, name="conversation_answer"),
    *(
        path(f"inbox/<uuid:conversation_id>/{action}", pages.act, {"action": action}, name=f"conversation_{name}")
        for action, name in _ACTIONS.items()
    ),
    path("media/<uuid:media_id>", media.show, name="media"),
    path("media/<uuid:media_id>/opened", media.opened, name="media_opened"),
]
