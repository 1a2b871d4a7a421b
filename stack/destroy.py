"""`make destroy STAGE=dev`: take a stack down, after asking. Its tables stay, unless they are to go too.

python -m stack.destroy --stage dev [--delete-tables] [--yes]
"""

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from stack.deployed import Deployed, add_arguments


def main() -> int:
    """Ask, and do it. 0 if the stack is gone, 1 if it was not to be."""
    parser = argparse.ArgumentParser(prog="make destroy", description="Take the stack down, after asking.")
    add_arguments(parser)
    parser.add_argument("--delete-tables", action="store_true", help="delete the tables, with all that is in them")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    deployed = Deployed.find(options)
    tables = deployed.resources("AWS::DynamoDB::Table")
    print(f"This takes down the stack {deployed.name}: its APIs, functions, queues and keys.")
    print(f"Its {len(tables)} tables are {'DELETED, with all that is in them' if options.delete_tables else 'kept'}:")
    for name, table in sorted(tables.items()):
        print(f"  {name:14} {table}")
    if not options.yes and input(f"Type {deployed.name} to go on: ").strip() != deployed.name:
        print("Nothing was done.")
        return 1
    try:
        cloudformation = deployed.client("cloudformation")
        cloudformation.delete_stack(StackName=deployed.name)
        print("Taking it down …", flush=True)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=deployed.name)
        dynamodb = deployed.client("dynamodb")
        for table in tables.values() if options.delete_tables else []:
            dynamodb.delete_table(TableName=table)
            print(f"  {table} is deleted.", flush=True)
    except (BotoCoreError, ClientError, WaiterError) as error:
        print(f"AWS says: {error}", file=sys.stderr)
        return 1
    print("It is gone." if options.delete_tables else "It is gone; the tables are there, and cost what they hold.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
