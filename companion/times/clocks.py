"""An instant as people in two towns read it: on the clinic's clocks, and on the patient's if they differ.

Not here: the wall times of a rule (walls.py), and words that depend on today ("tomorrow"), which the pages choose.
"""

import datetime as dt

from companion.times.walls import local


def town(zone: str) -> str:
    """Name a zone by its town: "Lisbon" for "Europe/Lisbon"."""
    return zone.rpartition("/")[2].replace("_", " ")


def time_there(here: dt.datetime, zone: str) -> str:
    """Say the time in another zone, "22:26 Lisbon", or "next day 00:26 Athens". Empty if both clocks agree.

    `here` is the instant on the clinic's clocks.
    """
    there = local(here, zone)
    if there.utcoffset() == here.utcoffset():
        return ""
    # Around the date line, two zones lie up to 26 hours apart.
    days = {0: "", 1: "next day ", -1: "day before ", 2: "two days later ", -2: "two days before "}
    return f"{days[(there.date() - here.date()).days]}{there:%H:%M} {town(zone)}"


def day_and_time(here: dt.datetime, zone: str) -> str:
    """Say the day and the time inside a sentence, "26 November, at 23:26 (22:26 Lisbon)", from the clinic's clocks."""
    there = time_there(here, zone)
    return f"{here.day} {here:%B}, at {here:%H:%M}" + (f" ({there})" if there else "")
