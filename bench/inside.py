"""Run one function of the bench in a separate process, in which Django works on one database.

So each measurement starts afresh, and one run can measure both databases.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from typing import cast

from bench.grounds import Database, python

Figures = dict[str, float]


def call(
    database: Database, function: str, settings: Mapping[str, object] | None = None, **arguments: object
) -> Figures:
    """Call `function` ("bench.rows:fill") with these arguments on that database, and return its result.

    Raises RuntimeError if the process fails, which has then printed its error.
    """
    environment = database.environment(**(settings or {})) | {"DJANGO_SETTINGS_MODULE": "companion.config.settings"}
    process = python("bench.inside", function, environment=environment, folder=database.folder)
    output, _ = process.communicate(json.dumps(arguments))
    if process.returncode:
        raise RuntimeError(f"{function} failed on {database.kind}")
    return cast(Figures, json.loads(output.splitlines()[-1]))


def main(function: str) -> None:
    """Set Django up, call the function, and print its result. This runs in the other process."""
    import django

    django.setup()
    module, _, name = function.partition(":")
    result = getattr(importlib.import_module(module), name)(**json.load(sys.stdin))
    print(json.dumps(result or {}))


if __name__ == "__main__":
    main(sys.argv[1])
