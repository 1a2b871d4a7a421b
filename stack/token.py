"""`make token USER=alice`: a token for a user of the local stack, or of one that is deployed.

    python -m stack.token USER [--hours 24] [--stage dev]

Without a stage it is for the local stacks of this checkout; TOKEN_KEY, if it is set, is a key to sign with.
"""

import argparse
import os
import sys

from chalicelib import tokens
from chalicelib.core.conversation import is_user_id
from stack.deployed import Deployed, add_arguments
from stack.run import local_key


def main() -> int:
    """Print a token."""
    parser = argparse.ArgumentParser(prog="make token", description="Print a token for a user.")
    parser.add_argument("user", help="the userID: 1-32 characters of letters, digits and _ - . @ #")
    parser.add_argument("--admin", action="store_true", help="let it use the console (`role: admin`)")
    parser.add_argument("--hours", type=float, default=24, help="how long it is good for (default 24)")
    add_arguments(parser)
    parser.set_defaults(stage=None)
    options = parser.parse_args()
    if not is_user_id(options.user):
        parser.error(f"not a userID: {options.user!r}")
    key = os.environ.get("TOKEN_KEY") or (_key_of_a_deployed_stack(options) if options.stage else local_key())
    role = tokens.ADMIN if options.admin else ""
    print(tokens.mint(options.user, int(options.hours * 3600), key, role=role))
    return 0


def _key_of_a_deployed_stack(options: argparse.Namespace) -> str:
    deployed = Deployed.find(options)
    answer = deployed.client("secretsmanager").get_secret_value(SecretId=deployed.outputs["TokenKey"])
    return str(answer["SecretString"])


if __name__ == "__main__":
    sys.exit(main())
