"""Name the addresses of signing in and of choosing a clinic."""

from django.urls import include, path, re_path

from companion.web.account import pages, provider, sessions

urlpatterns = [
    path("clinic", pages.choose_clinic, name="choose_clinic"),
    path("sign-in/<uuid:key>/<str:token>", pages.sign_in_by_link, name="sign_in_by_link"),
    # allauth would send an e-mail from each of these pages, and accounts here work without e-mail.
    path("accounts/password/reset/", pages.forgotten, name="password_forgotten"),
    re_path(r"^accounts/(?:email|confirm-email|password/reset|login/code)/", pages.no_email_page),
    path("accounts/password/set/", pages.set_password),
    path("accounts/sessions/", sessions.index, name="sessions"),
    path("accounts/sessions/end", sessions.end, name="sessions_end"),
    path("accounts/oidc/cancelled", provider.cancelled, name="socialaccount_login_cancelled"),
    path("accounts/oidc/<slug:slug>/login/", provider.go, name="provider"),
    path("accounts/oidc/<slug:provider_id>/login/callback/", provider.come_back, name="openid_connect_callback"),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/", include("allauth.account.urls")),
]
