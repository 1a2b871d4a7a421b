"""The tables as the stack describes them (`.chalice/resources.yaml`), so that the tests have no second description."""

from typing import Any

import boto3
from chalice.package import YAMLTemplateSerializer

from stack.template import RESOURCES

TABLES: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in YAMLTemplateSerializer().load_template(RESOURCES.read_text())["Resources"].items()
    if resource.get("Type") == "AWS::DynamoDB::Table"
}


def create_tables() -> None:
    """Make them in whatever AWS the environment points to, under their plain names."""
    client = boto3.client("dynamodb")
    for name, properties in TABLES.items():
        wanted = {key: value for key, value in properties.items() if key != "TimeToLiveSpecification"}
        if "StreamSpecification" in wanted:
            wanted["StreamSpecification"] = {"StreamEnabled": True, **wanted["StreamSpecification"]}
        client.create_table(TableName=name, **wanted)
