"""The CloudFormation template of the stack, and the code package beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from chalice.package import YAMLTemplateSerializer

PROJECT = Path(__file__).parent.parent
RESOURCES = PROJECT / ".chalice" / "resources.yaml"

# What is merged into what Chalice makes.
_PARTS = (RESOURCES, PROJECT / ".chalice" / "roles.yaml", PROJECT / ".chalice" / "alarms.yaml")

Template = dict[str, Any]


def stages() -> dict[str, dict[str, Any]]:
    """The stages of `.chalice/config.json`, with what is particular to each."""
    found: dict[str, dict[str, Any]] = json.loads((PROJECT / ".chalice" / "config.json").read_text())["stages"]
    return found


def package(folder: Path, stage: str = "dev") -> Path:
    """Write the template and `deployment.zip` into this folder, and return the template's path.

    KeyError if there is no such stage, CalledProcessError, with the output, if Chalice refuses.
    """
    settings = stages()[stage]
    serializer = YAMLTemplateSerializer()
    parts: Template = {}
    for part in _PARTS:
        parts = merged(parts, serializer.load_template(part.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    to_merge = folder / "merge.yaml"
    to_merge.write_text(serializer.serialize_template(parts))
    chalice = Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", stage, "--merge-template", str(to_merge), str(folder)]
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}  # Chalice wants one, the template is for any
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True)
    made = yaml.safe_load((folder / "sam.yaml").read_text())  # YAML, because what is merged in is YAML
    path = folder / "template.json"
    path.write_text(json.dumps(mend(made, settings["stack_parameters"]), indent=2))
    return path


def merged(one: Template, other: Template) -> Template:
    """Both of them, mapping by mapping. ValueError where they say different things."""
    both = dict(one)
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(both.get(name), dict):
            both[name] = merged(both[name], value)
        elif name in both and both[name] != value:
            raise ValueError(f"{name} is said twice")
        else:
            both[name] = value
    return both


def mend(template: Template, defaults: Mapping[str, Any]) -> Template:
    """What merging cannot do.

    - The stage's settings become the parameters' defaults.
    - Each function gets a role of its own (roles.yaml) with what every function needs, and the shared one goes.
    - Tables outlive the stack, and are replaced by no update.
    - The WebSocket stage deploys itself instead of by a resource: Chalice's `AWS::ApiGatewayV2::Deployment` is made
      once and never again, so later changes of routes would not reach the stage. MiniStack does not know it at all.
    - Tracing is switched by a parameter.
    - Chalice misspells the name of the HTTP function in that of its log group.
    """
    resources = dict(template["Resources"])
    for name in [name for name, each in resources.items() if each["Type"] == "AWS::Serverless::Function"]:
        role = resources[f"{name}Role"]
        resources[f"{name}Role"] = _role(name, role["Properties"]["Policies"])
        resources[name]["Properties"]["Tracing"] = {"Ref": "Tracing"}
        resources[name]["Properties"]["Role"] = {"Fn::GetAtt": [f"{name}Role", "Arn"]}
    resources.pop("DefaultRole")
    resources.pop("WebsocketAPIDeployment")
    resources["WebsocketAPIStage"]["Properties"].pop("DeploymentId")
    resources["WebsocketAPIStage"]["Properties"]["AutoDeploy"] = True
    group = resources.pop("ApiHandlerLogGroup")
    group["Properties"]["LogGroupName"] = {"Fn::Sub": "/aws/lambda/${APIHandler}"}
    resources["APIHandlerLogGroup"] = group
    for resource in resources.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            resource["DeletionPolicy"], resource["UpdateReplacePolicy"] = "RetainExceptOnCreate", "Retain"
            on = {"Fn::If": ["HasPointInTimeRecovery", True, False]}
            resource["Properties"]["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": on}
    parameters = {
        name: {**parameter, "Default": str(defaults[name])} if name in defaults else parameter
        for name, parameter in template["Parameters"].items()
    }
    return {**template, "Parameters": parameters, "Resources": resources}


def _role(function: str, policies: list[dict[str, Any]]) -> dict[str, Any]:
    """A function's role: its own policies, its own log group, and traces if they are switched on."""
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}-"
    common = {
        "PolicyName": "LogsAndTraces",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": {"Fn::Sub": f"{logs}{function}-*:*"},
                },
                {
                    "Effect": "Allow",
                    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                    "Resource": "*",  # AWS has no resource level for them
                },
            ],
        },
    }
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [*policies, common]},
    }
