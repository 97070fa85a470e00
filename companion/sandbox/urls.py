"""The addresses of the Sandbox's Bot API. The page with the phones belongs to web/."""

from django.urls import re_path

from companion.sandbox.api import bot_api, file

urlpatterns = [
    re_path(r"^sandbox/bot(?P<token>[^/]+)/(?P<method>[^/]+)/?$", bot_api, name="sandbox-bot-api"),
    re_path(r"^sandbox/file/bot(?P<token>[^/]+)/(?P<path>.+)$", file, name="sandbox-file"),
]
