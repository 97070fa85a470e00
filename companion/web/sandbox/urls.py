"""Name the addresses of the practice phones."""

from django.urls import path

from companion.web.sandbox import phone

urlpatterns = [
    path("", phone.index, name="phones"),
    path("/phones", phone.new, name="phone_new"),
    path("/<int:telegram_id>", phone.index, name="phone"),
    path("/<int:telegram_id>/act", phone.act, name="phone_act"),
]
