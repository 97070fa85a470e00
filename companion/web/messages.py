"""`/scheduled-messages`: the list, its live part, and what is done to many messages at once.

One message's own page and actions stand in message.py.
"""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages as flash
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Unknown
from companion.panel import standing
from companion.patients.queries import cohorts
from companion.planning.planner import HORIZON
from companion.schedules import acts, queries
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.times.walls import FIRST_YEAR, LAST_YEAR, local, place
from companion.web.access import PageRequest, as_uuid, came_from, page
from companion.web.causes import causes
from companion.web.first_steps import first_steps
from companion.web.kept_drafts import listed
from companion.web.rows import OVERDUE_AFTER, Section, rows, sections
from companion.web.templatetags.words import capped, plural, tone

PAGE_SIZE = 50
AT_ONCE = 100
"""How many messages one press of a button changes."""


@dataclass(frozen=True, slots=True)
class View:
    """What the address asks for: a day's messages (the default), or all that match a filter."""

    status: str
    attention: bool
    q: str
    cohort: str
    patient: str
    schedule: str
    mine: bool
    day: dt.date
    after: str
    standing: str = ""
    """What a number of the Control Panel counts: its list."""
    reason: str = ""

    @property
    def filtered(self) -> bool:
        """Whether days give way to one list over all time."""
        return bool(
            self.status or self.attention or self.q or self.cohort or self.patient or self.schedule or self.mine
        ) or bool(self.standing or self.reason)

    @property
    def words(self) -> str:
        """What the list holds, where the Control Panel led here."""
        held = standing.WORDS[standing.Standing(self.standing)] if self.standing else ""
        return ", ".join(filter(None, [held, Reason(self.reason).label if self.reason else ""]))


@dataclass(frozen=True, slots=True)
class Listed:
    """The lines of one view, and where the next page begins."""

    sections: list[Section]
    more: str | None
    truncated: bool = False
    """More is coming that day than is shown."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A count that filters."""

    address: str
    label: str
    count: str
    tone: str
    current: bool


@require_GET
@page()
def index(request: PageRequest) -> HttpResponse:
    """The list. Asked for by its own live part, only the rows."""
    now = database_now()
    clinic = request.caller.clinic
    view = _view(request.GET, clinic, now)
    context: dict[str, object] = {
        "now": now,
        "view": view,
        "listed": _listed(view, request.caller, now),
        "query": request.GET.urlencode(),
    }
    if request.GET.get("part") == "rows":
        return render(request, "web/messages/rows.html", context)
    context |= {
        "chips": _chips(view, clinic, now),
        "causes": [] if view.filtered else causes(clinic, now=now),
        "steps": first_steps(clinic) if not view.filtered else None,
        "drafts": [] if view.filtered or not request.caller.may(Role.PROVIDER) else listed(request.caller, now=now),
        "cohorts": cohorts(clinic),
        "today": local(now, clinic.timezone).date(),
        "yesterday": view.day - dt.timedelta(days=1),
        "tomorrow": view.day + dt.timedelta(days=1),
        "following": None if view.filtered else _following(clinic, view),
        "beyond": bounds(view.day, clinic)[1] > now + HORIZON,
    }
    return render(request, "web/messages/index.html", context)


@require_POST
@page(Role.PROVIDER)
def many(request: PageRequest) -> HttpResponse:
    """Don't send, or retry, each ticked message; what can't be done is said, and the rest is done."""
    now = database_now()
    act = {"cancel": _cancelled, "retry": _retried}.get(request.POST.get("do", ""))
    if act is None:
        raise Unknown
    ticked = [as_uuid(key) for key in request.POST.getlist("id")[:AT_ONCE]]
    done = [act(request.caller, queries.message(request.caller.clinic, key), now) for key in ticked]
    word = "won't be sent" if request.POST["do"] == "cancel" else "will be tried again"
    flash.success(request, f"{plural(sum(done), 'message')} {word}.")
    if left := len(done) - sum(done):
        flash.warning(
            request, f"{plural(left, 'message')} left: on the way, over already, or to be decided one by one."
        )
    return redirect(came_from(request, "/scheduled-messages"))


def _cancelled(caller: Caller, message: Message, now: dt.datetime) -> bool:
    try:
        acts.cancel(caller, message, now=now)
    except Conflict:
        return False
    return True


def _retried(caller: Caller, message: Message, now: dt.datetime) -> bool:
    return acts.retry_again(caller, message, now=now)


def _view(asked: QueryDict, clinic: Clinic, now: dt.datetime) -> View:
    today = local(now, clinic.timezone).date()
    try:
        day = dt.date.fromisoformat(asked.get("day", "")) if asked.get("day") else today
    except ValueError:
        raise Unknown from None
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise Unknown
    status = asked.get("status", "")
    if status and status not in Status.values:
        raise Unknown
    stands, reason = asked.get("standing", ""), asked.get("reason", "")
    if (stands and stands not in list(standing.Standing)) or (reason and reason not in Reason.values):
        raise Unknown
    return View(
        status=status,
        attention=bool(asked.get("attention")),
        q=asked.get("q", "").strip(),
        cohort=asked.get("cohort", ""),
        patient=asked.get("patient", ""),
        schedule=asked.get("schedule", ""),
        mine=bool(asked.get("mine")),
        day=day,
        after=asked.get("after", ""),
        standing=stands,
        reason=reason,
    )


def _filter(view: View, caller: Caller, now: dt.datetime) -> queries.MessageFilter:
    return queries.MessageFilter(
        status=view.status,
        attention_since=now - queries.ATTENTION if view.attention else None,
        q=view.q,
        cohort=as_uuid(view.cohort) if view.cohort else None,
        patient=as_uuid(view.patient) if view.patient else None,
        schedule=as_uuid(view.schedule) if view.schedule else None,
        mine=caller.name if view.mine else "",
    )


def _listed(view: View, caller: Caller, now: dt.datetime) -> Listed:
    if not view.filtered:
        return _day(view, caller.clinic, now)
    order: queries.Order = "due_at" if view.status == Status.PENDING else "-due_at"
    found = queries.messages(caller.clinic, _filter(view, caller, now))
    if view.standing:
        found = standing.narrow(found, caller.clinic, standing.Standing(view.standing), now=now)
    if view.reason:
        found = found.filter(reason=view.reason)
    got = queries.page(found, order=order, after=view.after or None, limit=PAGE_SIZE)
    return Listed(sections(rows(got.items, caller.clinic, now=now)), got.next)


def _day(view: View, clinic: Clinic, now: dt.datetime) -> Listed:
    """Overdue of any day first, then what comes that day, then what was earlier that day, latest first."""
    start, end = bounds(view.day, clinic)
    line = min(max(start, now - OVERDUE_AFTER), end)
    was = _due(clinic, start, line).exclude(status=Status.PENDING)
    earlier = queries.page(was, order="-due_at", after=view.after or None, limit=PAGE_SIZE)
    if view.after:
        return Listed(sections(rows(earlier.items, clinic, now=now)), earlier.next)
    first: list[Message] = []
    if start <= now < end:
        late = _due(clinic, None, line).filter(status=Status.PENDING)
        first = queries.page(late, order="due_at", after=None, limit=PAGE_SIZE).items
    coming = queries.page(_due(clinic, line, end), order="due_at", after=None, limit=PAGE_SIZE)
    lines = rows([*first, *coming.items, *earlier.items], clinic, now=now)
    return Listed(sections(lines), earlier.next, truncated=coming.next is not None)


def _due(clinic: Clinic, since: dt.datetime | None, until: dt.datetime) -> QuerySet[Message]:
    return queries.messages(clinic, queries.MessageFilter(due_from=since, due_to=until))


def bounds(day: dt.date, clinic: Clinic) -> tuple[dt.datetime, dt.datetime]:
    """The instants between which the clinic's clocks show this day."""
    midnight = dt.datetime.combine(day, dt.time())
    return place(midnight, clinic.timezone).at, place(midnight + dt.timedelta(days=1), clinic.timezone).at


def _following(clinic: Clinic, view: View) -> Message | None:
    """The first message after the day that is shown: what an empty day points to."""
    after = queries.MessageFilter(status=Status.PENDING, due_from=bounds(view.day, clinic)[1])
    return queries.messages(clinic, after).order_by("due_at", "id").first()


def _chips(view: View, clinic: Clinic, now: dt.datetime) -> list[Chip]:
    counts = queries.counts(clinic, now=now)
    kept = {"q": view.q, "cohort": view.cohort, "mine": "1" if view.mine else ""}

    def chip(label: str, count: int, tone: str, asked: dict[str, str], current: bool) -> Chip:
        kept_and_asked = {key: value for key, value in ({} if current else asked | kept).items() if value}
        address = f"/scheduled-messages?{urlencode(kept_and_asked)}" if kept_and_asked else "/scheduled-messages"
        return Chip(address, label, capped(count), tone, current)

    return [
        chip("Needs attention", counts.attention, "orange", {"attention": "1"}, view.attention),
        *(
            chip(
                status.label,
                getattr(counts, status.value),
                tone(status),
                {"status": status.value},
                view.status == status,
            )
            for status in Status
        ),
    ]
