"""Where patients come from: one small interface (source.py) and three that speak it (CSV, SQL, FHIR R4).

sync.py reads one and stores what changed; settings.py keeps which source a clinic has. Nothing here knows a page.
"""
