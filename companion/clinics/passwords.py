"""The hash of passwords: argon2id with what OWASP's Password Storage Cheat Sheet asks for.

Django's own values take 100 MB and eight threads for each sign-in: sixteen at once would take 1.6 GB of a small server.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two rounds and one thread."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
