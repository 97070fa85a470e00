"""The hash of passwords: argon2id with the values of OWASP's Password Storage Cheat Sheet.

Django's default values use 100 MB and eight threads for each sign-in: 1.6 GB for sixteen sign-ins at the same time.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two rounds and one thread."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
