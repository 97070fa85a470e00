"""The Sandbox: the stand-in for Telegram, with phones to look at. Rows here belong to no clinic.

A Telegram ID that no phone has gets one at the first contact, in state normal, so that an imported list works at once.
"""
