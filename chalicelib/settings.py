"""What the stack tells the functions: environment variables, read here and nowhere else, when they are asked for."""

import os


def table(name: str) -> str:
    """The name that the stack gave to one of its tables, such as `Reads`."""
    return os.environ[f"{name.upper()}_TABLE"]


def push_endpoint() -> str:
    """The URL under which API Gateway takes frames for connected sockets (`@connections`)."""
    return os.environ["PUSH_ENDPOINT"]


def websocket_url() -> str:
    """Where clients connect: API Gateway serves a socket and its `@connections` under one name, in two schemes."""
    return push_endpoint().replace("http", "ws", 1)


def is_local() -> bool:
    """Whether this is a stack on a local AWS, where webhooks go to the same machine and nowhere else."""
    return bool(os.environ.get("IS_LOCAL"))


def fan_out_queue() -> str:
    """The URL of the queue of members who are to be told of a message of a large group."""
    return os.environ["FAN_OUT_QUEUE"]


def webhook_queue() -> str:
    """The URL of the queue of events for the product's back end."""
    return os.environ["WEBHOOK_QUEUE"]


def stack_name() -> str:
    """What the stack is called: two of them in one account keep their metrics apart by it."""
    return os.environ.get("STACK_NAME", "local")


def user_calls() -> tuple[int, int]:
    """How many calls and frames of one user a function answers in a second (0: any number), and how many at once."""
    return int(os.environ.get("USER_CALLS_PER_SECOND", "0")), int(os.environ.get("USER_CALLS_BURST", "1"))


def cors_origins() -> list[str]:
    """The origins whose pages may call the API; `*` for all."""
    return [origin.strip() for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin.strip()]


def key_arn(name: str) -> str:
    """Where Secrets Manager keeps one of the stack's keys, such as `TOKEN_KEY`."""
    return os.environ[f"{name}_ARN"]


def usersig_app_id() -> int | None:
    """The TIM app whose UserSigs are accepted; None where none are."""
    app_id = os.environ.get("USERSIG_APP_ID", "")
    return int(app_id) if app_id else None


def usersig_admins() -> list[str]:
    """The accounts whose UserSigs are an administrator's, as for TIM's server API."""
    return [account for account in os.environ.get("USERSIG_ADMINS", "").split(",") if account]
