"""The keys of a deployed stack: shown to who may see them, and rotated without a deploy.

    python -m stack.keys show token --stage dev
    python -m stack.keys rotate webhook --stage dev          a random one
    python -m stack.keys rotate usersig --stage dev --stdin  the one on standard input, such as the app's key on TIM

After a rotation functions accept both keys for a day (chalicelib/keys.py); rotating twice retires the first at once.
"""

import argparse
import secrets
import sys
from base64 import b64encode

from chalicelib.limits import TOKEN_KEY_BYTES_MIN
from stack.deployed import Deployed, add_arguments

_OUTPUTS = {"token": "TokenKey", "webhook": "WebhookKey", "usersig": "UserSigKey"}


def main() -> int:
    """Show or rotate a key."""
    parser = argparse.ArgumentParser(prog="python -m stack.keys", description="Show or rotate a key of a stack.")
    parser.add_argument("do", choices=["show", "rotate"])
    parser.add_argument("key", choices=sorted(_OUTPUTS))
    parser.add_argument("--stdin", action="store_true", help="rotate to the key on standard input, not a random one")
    parser.add_argument(
        "--whsec", action="store_true", help="show it as libraries of Standard Webhooks want it (whsec_<base64>)"
    )
    add_arguments(parser)
    options = parser.parse_args()
    deployed = Deployed.find(options)
    arn = deployed.outputs.get(_OUTPUTS[options.key])
    if arn is None:
        parser.error(f"{deployed.name} has no {options.key} key (for UserSigs set UserSigAppID)")
    client = deployed.client("secretsmanager")
    if options.do == "rotate":
        value = sys.stdin.readline().strip() if options.stdin else secrets.token_urlsafe(48)
        if len(value.encode()) < (TOKEN_KEY_BYTES_MIN if options.key == "token" else 1):
            parser.error(f"a {options.key} key has {TOKEN_KEY_BYTES_MIN} bytes or more")
        client.put_secret_value(SecretId=arn, SecretString=value)
        print("Rotated. The key before it is accepted for a day.", file=sys.stderr)
        return 0
    value = client.get_secret_value(SecretId=arn)["SecretString"]
    print(f"whsec_{b64encode(value.encode()).decode()}" if options.whsec else value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
