"""A template becomes a stack, by the AWS CLI: the same two commands for AWS and for a local AWS."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3


def deploy(template: Path, stack_name: str, bucket: str, parameters: Mapping[str, str], region: str) -> dict[str, str]:
    """Make or update the stack, and return its outputs.

    The caller's environment says to which account (or, with AWS_ENDPOINT_URL, to which local AWS). The bucket for the
    code package is made if there is none. CalledProcessError, with the output, if a command fails.
    """
    s3 = boto3.client("s3", region_name=region)
    if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)  # type: ignore[arg-type]  # the literal of all regions
    packaged = template.with_name("packaged.json")
    _aws(
        region, "package", "--template-file", str(template), "--s3-bucket", bucket, "--use-json",
        "--output-template-file", str(packaged),
    )  # fmt: skip
    _aws(
        region, "deploy", "--template-file", str(packaged), "--stack-name", stack_name, "--s3-bucket", bucket,
        "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset",
        "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()),
    )  # fmt: skip
    stack = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack_name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _aws(region: str, *arguments: str) -> None:
    """One `aws cloudformation` command."""
    command = [sys.executable, "-m", "awscli", "--region", region, "cloudformation", *arguments]
    subprocess.run(command, env=os.environ, check=True, capture_output=True, text=True)
