"""Ways to another page for requests that may come from htmx, which asks for a part of a page."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


def lead_to(request: HttpRequest, address: str) -> HttpResponse:
    """Lead the browser to another page. A part of a page can't show it, so htmx loads it as a whole."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
