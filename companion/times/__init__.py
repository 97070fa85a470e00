"""Recurrence, time zones, daylight saving, quiet hours, working days: pure functions on values.

Not here: anything that knows a table, a clock or Django. `now` comes in from outside.
"""
