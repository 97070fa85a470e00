"""The Sandbox: a stand-in for Telegram, with phones to look at. Its rows belong to no clinic.

An unknown Telegram ID gets a phone at the first contact, in state normal, so that an imported list works at once.
"""
