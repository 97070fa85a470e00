"""The invented clinic of all examples: its ids and the author of its plans."""

from typing import Final

JsonObject = dict[str, object]

ANA: Final = "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e11"
SCHEDULE_ID: Final = "0192f0c2-0a41-7d0e-8b1f-6c2d9e4f7a22"
MESSAGE_ID: Final = "0192f0c2-5d19-7e88-a3c4-9b0e1f2d3c33"
COHORT_ID: Final = "0192f0c0-11aa-7bbb-8ccc-0d1e2f3a4b44"
AUTHOR: Final = {"kind": "member", "name": "Rosa Lind"}
