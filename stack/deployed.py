"""A stack that is deployed: its outputs and resources, for the commands that look after it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    import argparse

_APP = "read-receipts"


def stack_name_of(stage: str) -> str:
    """What the stack of a stage is called."""
    return f"{_APP}-{stage}"


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """What says which stack is meant."""
    parser.add_argument("--stage", default="dev", help="the stage whose stack is meant (default dev)")
    parser.add_argument("--stack", help="the stack's name, if it is not read-receipts-<stage>")
    parser.add_argument("--region", help="which region (default: that of your AWS configuration)")


@dataclass(frozen=True)
class Deployed:
    """One stack in the account and region of the caller's credentials."""

    name: str
    session: boto3.Session
    outputs: dict[str, str]

    @classmethod
    def find(cls, options: "argparse.Namespace") -> "Deployed":
        """The stack that the command line means. SystemExit, with the reason, if it is not there."""
        name = options.stack or stack_name_of(options.stage)
        session = boto3.Session(region_name=options.region)
        try:
            (stack,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            raise SystemExit(f"There is no stack {name} here: {error}") from error
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        return cls(name, session, outputs)

    def resources(self, kind: str) -> dict[str, str]:
        """The physical IDs of its resources of one type, such as AWS::DynamoDB::Table, by their logical ones."""
        cloudformation = self.session.client("cloudformation")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind and "PhysicalResourceId" in each
        }

    def client(self, service: str) -> Any:
        """A boto3 client of one of AWS's services."""
        return self.session.client(service)  # type: ignore[call-overload]  # any of them
