"""Roles that each page needs, to be read (GET) and to be sent (POST). A page that is missing here fails a test.

Words beside the roles: `-` the address doesn't take this method; `open` strangers too; `member` all who are signed in;
`nowhere` allauth's pages that are closed here; `operator` the people who run the server: others find no such page.
"""

from typing import Final, NamedTuple

_TABLE: Final = r"""
viewer    -         /metrics
open      -         /healthz
open      -         /readyz
open      open      /^sandbox/bot(?P<token>[^/]+)/(?P<method>[^/]+)/?$
open      open      /^sandbox/file/bot(?P<token>[^/]+)/(?P<path>.+)$
open      open      /
viewer    -         /scheduled-messages
-         provider  /scheduled-messages/undo
-         provider  /scheduled-messages/many
viewer    -         /scheduled-messages/calendar
viewer    -         /scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>
provider  provider  /scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>/edit
-         provider  /scheduled-messages/series/<uuid:schedule_id>/<str:occurrence>/<uuid:patient_id>/cancel
viewer    -         /scheduled-messages/<uuid:message_id>
provider  -         /scheduled-messages/<uuid:message_id>/evidence
-         provider  /scheduled-messages/<uuid:message_id>/cancel
provider  provider  /scheduled-messages/<uuid:message_id>/send-now
provider  provider  /scheduled-messages/<uuid:message_id>/retry
provider  provider  /scheduled-messages/<uuid:message_id>/edit
provider  provider  /scheduled-messages/new
-         provider  /scheduled-messages/new/recipients
-         provider  /scheduled-messages/new/preview
-         provider  /scheduled-messages/drafts
-         provider  /scheduled-messages/drafts/<uuid:key>/discard
provider  provider  /scheduled-messages/series/<uuid:schedule_id>/edit
viewer    -         /scheduled-messages/series
viewer    -         /scheduled-messages/series/<uuid:schedule_id>
-         provider  /scheduled-messages/series/<uuid:schedule_id>/pause
-         provider  /scheduled-messages/series/<uuid:schedule_id>/resume
-         provider  /scheduled-messages/series/<uuid:schedule_id>/cancel
-         provider  /scheduled-messages/series/<uuid:schedule_id>/skip
-         provider  /scheduled-messages/series/<uuid:schedule_id>/unskip
-         provider  /scheduled-messages/series/<uuid:schedule_id>/reviewed
viewer    -         /patients
provider  provider  /patients/new
provider  provider  /patients/import
viewer    provider  /patients/cohorts
-         provider  /patients/cards
-         provider  /patients/many
-         provider  /patients/notes/<uuid:note_id>/seen
viewer    -         /patients/sources
-         admin     /patients/sources/fhir
-         provider  /patients/sources/sync
-         admin     /patients/sources/remove
viewer    -         /patients/sources/<uuid:run_id>
viewer    -         /patients/<uuid:patient_id>
provider  provider  /patients/<uuid:patient_id>/edit
-         provider  /patients/<uuid:patient_id>/pause
admin     admin     /patients/<uuid:patient_id>/erase
provider  -         /patients/<uuid:patient_id>/export
provider  provider  /patients/<uuid:patient_id>/merge
provider  provider  /patients/<uuid:patient_id>/invite
viewer    -         /patients/<uuid:patient_id>/reach
-         provider  /patients/<uuid:patient_id>/consent
viewer    -         /patients/<uuid:patient_id>/conversation
operator  -         /clinics
viewer    -         /mcp
admin     admin     /mcp/checks
admin     admin     /mcp/pause
admin     admin     /mcp/resume
admin     admin     /mcp/retry/<str:reason>
admin     -         /mcp/alerts
-         admin     /mcp/alerts/me
-         admin     /mcp/alerts/test
-         admin     /mcp/alerts/heartbeat
-         admin     /mcp/maintenance
-         admin     /mcp/acknowledge
viewer    -         /mcp/runbook
admin     -         /mcp/unknown
admin     admin     /mcp/unknown/all/<str:decision>
admin     admin     /mcp/unknown/<uuid:message_id>/<str:decision>
viewer    -         /banner
admin     -         /settings/webhooks
-         admin     /settings/webhooks/new
admin     -         /settings/webhooks/<uuid:webhook_id>
-         admin     /settings/webhooks/<uuid:webhook_id>/act
-         admin     /settings/webhooks/<uuid:webhook_id>/kinds
-         admin     /settings/webhooks/<uuid:webhook_id>/replay
-         admin     /settings/webhooks/<uuid:webhook_id>/retry/<uuid:delivery_id>
viewer    -         /settings
admin     -         /audit
admin     -         /audit/export
admin     admin     /settings/set-up
-         admin     /settings/help
-         admin     /settings/clinic
-         admin     /settings/bot
-         admin     /settings/members
-         admin     /settings/members/<uuid:member_id>
-         admin     /settings/sign-in
-         admin     /settings/keys
-         admin     /settings/keys/<uuid:key_id>/revoke
viewer    -         /sandbox
-         provider  /sandbox/phones
viewer    -         /sandbox/<int:telegram_id>
-         provider  /sandbox/<int:telegram_id>/act
open      -         /.well-known/security.txt
viewer    -         /inbox
viewer    -         /inbox/news
viewer    -         /inbox/<uuid:conversation_id>
-         provider  /inbox/<uuid:conversation_id>/answer
-         provider  /inbox/<uuid:conversation_id>/take
-         provider  /inbox/<uuid:conversation_id>/assign
-         provider  /inbox/<uuid:conversation_id>/give-back
-         provider  /inbox/<uuid:conversation_id>/done
viewer    -         /media/<uuid:media_id>
viewer    -         /media/<uuid:media_id>/opened
-         viewer    /clinic
open      open      /sign-in/<uuid:key>/<str:token>
open      -         /accounts/password/reset/
nowhere   nowhere   /^accounts/(?:email|confirm-email|password/reset|login/code)/
member    -         /accounts/sessions/
-         member    /accounts/sessions/end
open      -         /accounts/oidc/cancelled
open      -         /accounts/oidc/<slug:slug>/login/
open      -         /accounts/oidc/<slug:provider_id>/login/callback/
member    member    /accounts/2fa/
member    member    /accounts/2fa/authenticate/
member    member    /accounts/2fa/reauthenticate/
member    member    /accounts/2fa/totp/activate/
member    member    /accounts/2fa/totp/deactivate/
member    member    /accounts/2fa/recovery-codes/
member    member    /accounts/2fa/recovery-codes/generate/
member    member    /accounts/2fa/recovery-codes/download/
member    member    /accounts/2fa/webauthn/
member    member    /accounts/2fa/webauthn/add/
member    member    /accounts/2fa/webauthn/reauthenticate/
member    member    /accounts/2fa/webauthn/keys/<int:pk>/remove/
member    member    /accounts/2fa/webauthn/keys/<int:pk>/edit/
open      open      /accounts/2fa/webauthn/login/
open      open      /accounts/login/
member    member    /accounts/logout/
open      -         /accounts/inactive/
open      open      /accounts/signup/
member    member    /accounts/reauthenticate/
nowhere   nowhere   /accounts/email/
nowhere   nowhere   /accounts/confirm-email/
member    member    /accounts/password/change/
member    member    /accounts/password/set/
nowhere   nowhere   /accounts/login/code/confirm/
nowhere   nowhere   /accounts/^confirm-email/(?P<key>[-:\w]+)/$
nowhere   nowhere   /accounts/password/reset/key/done/
nowhere   nowhere   /accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$
nowhere   nowhere   /accounts/password/reset/done/
"""


class Needed(NamedTuple):
    """The words of the table for both methods."""

    get: str
    post: str


def _read(line: str) -> tuple[str, Needed]:
    get, post, address = line.split(maxsplit=2)
    return address, Needed(get, post)


NEEDED: Final = dict(map(_read, _TABLE.strip().splitlines()))
