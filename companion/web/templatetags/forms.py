"""The `{% csrf_token %}` of our pages: Django's field, and the clinic for which the form was opened."""

from django import template
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString:
    """Two hidden fields. Members of several clinics have tabs of each: access.py compares the second field."""
    token, clinic = CsrfTokenNode().render(context), context.get("clinic")
    if not context.get("caller") or not clinic:
        return SafeString(token)
    return format_html('{}<input type="hidden" name="of_clinic" value="{}">', SafeString(token), clinic.id)
