"""The `{% csrf_token %}` of the program's pages: Django's field, and a field with the page's clinic."""

from django import template
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString:
    """Return two hidden fields. access.py checks the second: a person may have tabs of several clinics open."""
    token, clinic = CsrfTokenNode().render(context), context.get("clinic")
    if not context.get("caller") or not clinic:
        return SafeString(token)
    return format_html('{}<input type="hidden" name="of_clinic" value="{}">', SafeString(token), clinic.id)
