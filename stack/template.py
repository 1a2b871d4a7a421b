"""The CloudFormation template of the stack, and the code package beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parent.parent
RESOURCES = PROJECT / ".chalice" / "resources.yaml"


def package(folder: Path, stage: str = "dev") -> Path:
    """Write the template and `deployment.zip` into this folder, and return the template's path.

    CalledProcessError, with the output, if Chalice refuses.
    """
    chalice = Path(sys.executable).with_name("chalice")
    command = [str(chalice), "package", "--stage", stage, "--merge-template", str(RESOURCES), str(folder)]
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ}  # Chalice wants one, the template is for any
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True)
    merged = yaml.safe_load((folder / "sam.yaml").read_text())  # YAML, because what is merged in is YAML
    path = folder / "template.json"
    path.write_text(json.dumps(mend(merged), indent=2))
    return path


def mend(template: dict[str, Any]) -> dict[str, Any]:
    """What merging cannot do: let the WebSocket stage deploy itself instead of by a resource.

    Chalice's `AWS::ApiGatewayV2::Deployment` is made once and never again, so later changes of routes would not reach
    the stage. MiniStack does not know the resource at all.
    """
    resources = dict(template["Resources"])
    resources.pop("WebsocketAPIDeployment")
    stage = resources["WebsocketAPIStage"]
    properties = {name: value for name, value in stage["Properties"].items() if name != "DeploymentId"}
    resources["WebsocketAPIStage"] = {**stage, "Properties": {**properties, "AutoDeploy": True}}
    return {**template, "Resources": resources}
