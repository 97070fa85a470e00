"""Redirects that work for requests of htmx, too. htmx asks for a part of a page and would put the answer into it."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


def lead_to(request: HttpRequest, address: str) -> HttpResponse:
    """Lead the browser to another page. A request of htmx is told to load that page as a whole."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
