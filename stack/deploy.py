"""A template becomes a stack, by the AWS CLI: the same two commands for AWS and for a local AWS."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3


def deploy(
    template: Path,
    stack_name: str,
    bucket: str,
    parameters: Mapping[str, str],
    region: str,
    environment: Mapping[str, str] | None = None,
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
        "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()),
    )  # fmt: skip
    stacks = session.client("cloudformation", endpoint_url=where.get("AWS_ENDPOINT_URL"))
    (stack,) = stacks.describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _aws(where: Mapping[str, str], *arguments: str) -> None:
    """One command of the AWS CLI."""
    command = [sys.executable, "-m", "awscli", *arguments]
    subprocess.run(command, env={**os.environ, **where}, check=True, capture_output=True, text=True)
