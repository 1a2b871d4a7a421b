"""`make deploy STAGE=dev`: a template becomes a stack, by the AWS CLI: the same two commands for AWS and a local AWS.

    python -m stack.deploy --stage dev [--region eu-central-1] [--set AlarmEmail=me@example.com] …

Deploys to the account and region of the caller's credentials; a second run updates what is there, and touches no data.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stack.deployed import stack_name_of
from stack.template import package, stages


def main() -> int:
    """Package, deploy, and print where it is reached."""
    parser = argparse.ArgumentParser(
        prog="make deploy", description="Deploy the stack to the account and region of your AWS credentials."
    )
    parser.add_argument("--stage", choices=sorted(stages()), default="dev", help="which stage (default dev)")
    parser.add_argument("--region", help="which region (default: that of your AWS configuration)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the stack, such as AlarmEmail"
    )
    options = parser.parse_args()
    try:
        parameters = dict(each.split("=", 1) for each in options.set)
    except ValueError:
        parser.error("--set wants NAME=VALUE")
    session = boto3.Session(region_name=options.region)
    if session.region_name is None:
        parser.error("which region? --region, AWS_REGION, or `aws configure`")
    try:
        account = session.client("sts").get_caller_identity()["Account"]
        name = stack_name_of(options.stage)
        bucket = f"{name}-code-{account}-{session.region_name}"
        print(f"Deploying {name} to account {account}, {session.region_name}.", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            template = package(Path(folder), options.stage)
            unknown = parameters.keys() - json.loads(template.read_text())["Parameters"].keys()
            if unknown:
                parser.error(f"the stack has no parameter {', '.join(sorted(unknown))}")
            print("The code is packaged. CloudFormation needs two or three minutes now, the first time.", flush=True)
            tags = {"app": "read-receipts", "stage": options.stage}
            outputs = deploy(template, name, bucket, parameters, session.region_name, tags=tags)
    except subprocess.CalledProcessError as error:
        print(f"`{' '.join(map(str, error.cmd))}` failed:\n{error.stdout}{error.stderr}", file=sys.stderr)
        for reason in _reasons(session.client("cloudformation"), name):
            print(f"  {reason}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"AWS says: {error}", file=sys.stderr)
        return 1
    print(
        f"""
{name} is up.

  HTTP       {outputs["HttpURL"]}
  WebSocket  {outputs["WebsocketURL"]}?token=…
  page       {outputs["PageURL"]}

  python -m stack.keys show token --stage {options.stage}      the key your back end signs users' tokens with
  python -m stack.token alice --stage {options.stage}          a token, to try it
  make destroy STAGE={options.stage}                      takes it down again (the tables stay)
"""
    )
    return 0


def _reasons(cloudformation: Any, stack_name: str) -> list[str]:
    """Which resources could not be made, and why; what is said of the latest attempt comes first."""
    try:
        events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    except ClientError:
        return []
    return [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in events[:100]
        if event["ResourceStatus"].endswith("_FAILED") and "ResourceStatusReason" in event
    ]


def deploy(
    template: Path,
    stack_name: str,
    bucket: str,
    parameters: Mapping[str, str],
    region: str,
    environment: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Make or update the stack, and return its outputs.

    The process's environment says to which account, unless `environment` says to which local AWS instead. The bucket
    for the code package is made if there is none. CalledProcessError, with the output, if a command fails.
    """
    where = environment or {}
    session = boto3.Session(where.get("AWS_ACCESS_KEY_ID"), where.get("AWS_SECRET_ACCESS_KEY"), region_name=region)
    s3 = session.client("s3", endpoint_url=where.get("AWS_ENDPOINT_URL"))
    if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        in_region: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **in_region)
    packaged = template.with_name("packaged.json")
    cloudformation = ["--region", region, "cloudformation"]
    _aws(
        where, *cloudformation, "package", "--template-file", str(template), "--s3-bucket", bucket,
        "--use-json", "--output-template-file", str(packaged),
    )  # fmt: skip
    _aws(
        where, *cloudformation, "deploy", "--template-file", str(packaged), "--stack-name", stack_name,
        "--s3-bucket", bucket, "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset",
        *(["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())] if parameters else []),
        *(["--tags", *(f"{name}={value}" for name, value in tags.items())] if tags else []),
    )  # fmt: skip
    stacks = session.client("cloudformation", endpoint_url=where.get("AWS_ENDPOINT_URL"))
    (stack,) = stacks.describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _aws(where: Mapping[str, str], *arguments: str) -> None:
    """One command of the AWS CLI."""
    command = [sys.executable, "-m", "awscli", *arguments]
    subprocess.run(command, env={**os.environ, **where}, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(main())
