"""`/sandbox`: the practice phones, to read messages and to answer them. The pages exist only if the Sandbox is on.

companion/sandbox/phone.py does what a phone can do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib import messages as flash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.models import Bot, Clinic, Role
from companion.clinics.refusals import Unknown
from companion.patients.models import Patient
from companion.sandbox import phone as sandbox
from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxMessage, State
from companion.service.clock import database_now
from companion.web.access import PageRequest, page
from companion.web.numbers import whole_number

P = ParamSpec("P")
Entry = Callable[Concatenate[PageRequest, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Owned:
    """A phone, its owner's name (empty if it belongs to no patient of the clinic), and the state of its chat."""

    phone: Phone
    owner: str
    state: str


def in_the_sandbox(view: Entry[P]) -> Entry[P]:
    """Decorate a view: it raises Unknown if the Sandbox is off."""

    @wraps(view)
    def guarded(request: PageRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not settings.SANDBOX_ON:
            raise Unknown
        return view(request, *args, **kwargs)

    return guarded


@require_GET
@page()
@in_the_sandbox
def index(request: PageRequest, telegram_id: int | None = None) -> HttpResponse:
    """Show the phones and the chosen phone; with `?part=chat` only its chat, with `?part=phones` only the phones."""
    bot = _bot(request.caller.clinic)
    phones = _owned(request.caller.clinic, bot)
    shown = next((owned for owned in phones if telegram_id in (None, owned.phone.telegram_id)), None)
    if telegram_id is not None and shown is None:
        raise Unknown
    now = database_now()
    context = {
        "bot": bot,
        "phones": phones,
        "shown": shown,
        "chat": sandbox.chat(bot, shown.phone) if bot and shown else [],
        "editable": sandbox.editable(bot, shown.phone, now) if bot and shown else [],
        "states": State.choices,
        "now": now,
    }
    template = {"chat": "sandbox/chat.html", "phones": "sandbox/phones.html"}.get(request.GET.get("part", ""))
    return render(request, template or "sandbox/page.html", context)


@require_POST
@page(Role.PROVIDER)
@in_the_sandbox
def new(request: PageRequest) -> HttpResponse:
    """Add a phone, as if its owner opened an invitation for the first time."""
    bot = _bot(request.caller.clinic)
    if bot is None:
        raise Unknown
    made = sandbox.new_phone(bot, request.POST.get("first_name", "").replace("\0", "").strip() or "New phone")
    return redirect("phone", made.telegram_id)


@require_POST
@page(Role.PROVIDER)
@in_the_sandbox
def act(request: PageRequest, telegram_id: int) -> HttpResponse:
    """Do an act of the phone's owner: type, tap, press Start, open a link, send a file; or change the phone's state."""
    bot = _bot(request.caller.clinic)
    phone = bot.phones.filter(telegram_id=telegram_id).first() if bot else None
    action = _ACTIONS.get(request.POST.get("do", ""))
    if bot is None or phone is None or action is None:
        raise Unknown
    try:
        action(request, bot, phone)
    except sandbox.NotPossible as refusal:
        flash.warning(request, str(refusal))
    return redirect("phone", telegram_id)


def _type(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    sandbox.type_text(bot, phone, request.POST.get("text", ""))


def _edit(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    sandbox.edit_text(bot, phone, _message(bot, phone, request.POST.get("message", "")), request.POST.get("text", ""))


def _start(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    sandbox.press_start(bot, phone)


def _open_link(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    link = request.POST.get("link", "").strip()
    try:
        payload = parse_qs(urlsplit(link).query).get("start", [""])[0]
    except ValueError:
        payload = ""
    if not payload:
        raise sandbox.NotPossible("This is not an invitation. Paste the whole link, with ?start= in it.")
    sandbox.press_start(bot, phone, payload)


def _tap(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    number, _, data = request.POST.get("tap", "").partition(" ")
    sandbox.tap(bot, _message(bot, phone, number), data)


def _message(bot: SandboxBot, phone: Phone, number: str) -> SandboxMessage:
    id = whole_number(number, digits=18)
    message = SandboxMessage.objects.filter(bot=bot, phone=phone, message_id=id).first() if id is not None else None
    if message is None:
        raise sandbox.NotPossible("This message is gone.")
    return message


def _state(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    state = request.POST.get("state", "")
    if state not in State.values:
        raise Unknown
    sandbox.set_state(bot, phone, State(state))


def _send_file(request: PageRequest, bot: SandboxBot, phone: Phone) -> None:
    kind = FileKind(request.POST["do"])
    file = request.FILES.get("file")
    if file and (file.size or 0) > sandbox.FILE_MAX:
        raise sandbox.NotPossible(f"A practice phone sends files of up to {sandbox.FILE_MAX // 2**20} MB.")
    content, name = (file.read(), file.name or "") if file else (b"", "")
    sandbox.send_file(bot, phone, kind, content, name, request.POST.get("caption", ""))


_ACTIONS: dict[str, Callable[[PageRequest, SandboxBot, Phone], None]] = {
    "type": _type,
    "edit": _edit,
    "start": _start,
    "link": _open_link,
    "tap": _tap,
    **dict.fromkeys(FileKind.values, _send_file),
    "state": _state,
}


def _bot(clinic: Clinic) -> SandboxBot | None:
    bot = Bot.objects.filter(clinic=clinic, sandbox=True).first()
    return sandbox.bot_of(bot.token) if bot else None


def _owned(clinic: Clinic, bot: SandboxBot | None) -> list[Owned]:
    """List the phones of the clinic's bot, each with its owner's name."""
    phones = sandbox.phones(bot) if bot else []
    ids = [phone.telegram_id for phone in phones]
    people: dict[int | None, list[Patient]] = {}
    for patient in Patient.objects.filter(clinic=clinic, telegram_id__in=ids).order_by("name"):
        people.setdefault(patient.telegram_id, []).append(patient)
    return [Owned(phone, _owner(people.get(phone.telegram_id, [])), State(phone.state).label) for phone in phones]


def _owner(patients: list[Patient]) -> str:
    """Name the owner of these patients' phone: "Ana Silva", or "Jana Becker (for Ben, Mila)" for a caregiver."""
    caregivers = dict.fromkeys(patient.caregiver for patient in patients if patient.caregiver)
    owners = [patient.name for patient in patients if not patient.caregiver]
    cared_for = ", ".join(patient.first_name for patient in patients if patient.caregiver)
    return ", ".join([*owners, *([f"{', '.join(caregivers)} (for {cared_for})"] if caregivers else [])])
