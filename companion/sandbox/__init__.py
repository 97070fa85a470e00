"""The Sandbox: a stand-in for Telegram, with phones to look at. A clinic sees the phones of its bot.

An unknown Telegram ID gets a phone at the first contact, in state normal, so that an imported list works at once.
"""
