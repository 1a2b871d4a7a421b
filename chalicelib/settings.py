"""What the stack tells the functions: environment variables, read here and nowhere else, when they are asked for."""

import os


def table(name: str) -> str:
    """The name that the stack gave to one of its tables, such as `Reads`."""
    return os.environ[f"{name.upper()}_TABLE"]


def push_endpoint() -> str:
    """The URL under which API Gateway takes frames for connected sockets (`@connections`)."""
    return os.environ["PUSH_ENDPOINT"]


def token_secret() -> str:
    """The key that tokens are signed with, a parameter of the stack."""
    return os.environ["TOKEN_SECRET"]


def usersig() -> tuple[int, str] | None:
    """The TIM app ID and key that UserSigs are verified with; None where they are not accepted."""
    app_id, key = os.environ.get("USERSIG_APP_ID", ""), os.environ.get("USERSIG_KEY", "")
    return (int(app_id), key) if app_id and key else None


def usersig_admins() -> list[str]:
    """The accounts whose UserSigs are an administrator's, as for TIM's server API."""
    return [account for account in os.environ.get("USERSIG_ADMINS", "").split(",") if account]
