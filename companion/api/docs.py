"""The reference page: Swagger UI from ninja's own files. It asks no stranger's server for anything."""

from ninja.openapi.docs import Swagger


def reference_page() -> Swagger:
    """The page, without the validator's badge, which would send this server's address to swagger.io."""
    return Swagger(settings={"validatorUrl": None, "persistAuthorization": False})
