"""Promises about the whole: every code is produced, every route documented, every guarantee tested, the stack wired."""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import app as ways_in
from chalicelib import answers, codes, requests
from chalicelib.codes import Code
from stack.template import PROJECT, package, stages
from tests.reliability import test_guarantees

README = (PROJECT / "README.md").read_text()
CODES = {code.number: code for code in vars(codes).values() if isinstance(code, Code)}


def test_each_code_has_one_number_and_a_full_sentence() -> None:
    all_codes = [code for code in vars(codes).values() if isinstance(code, Code)]

    assert len(CODES) == len(all_codes)
    assert all(code.desc.endswith(".") for code in all_codes if code is not codes.OK)


@pytest.mark.parametrize("number", sorted(CODES))
def test_every_code_is_in_the_readme_as_it_is_in_the_code(number: int) -> None:
    code = CODES[number]

    assert f"| {number} | {code.http_status} | {code.desc} |" in README


def test_every_route_is_in_the_readme() -> None:
    routes = {
        f"{method} {path}"
        for path, methods in ways_in.app.routes.items()
        for method in methods
        if method != "OPTIONS"  # for browsers, at every path
    }
    documented = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /v1[^`?]*)`", README, re.MULTILINE))
    spelt = {re.sub(r"{(\w+)_id}", lambda match: f"{{{camel(match[1])}ID}}", route) for route in routes}

    assert {route for route in spelt if " /v1/" in route} == documented


def camel(word: str) -> str:
    return {"msg": "msg", "user": "user", "group": "group", "conversation": "conversation"}[word]


def test_every_socket_action_and_event_is_in_the_readme() -> None:
    shapes = [
        shape for shape in vars(answers).values() if isinstance(shape, type) and issubclass(shape, msgspec.Struct)
    ]
    events = {shape.__struct_config__.tag for shape in shapes if shape.__struct_config__.tag_field == "event"}
    actions = {frame.__struct_config__.tag for frame in get_args(requests.Frame)}

    assert len(events) == 4
    assert len(actions) == 3
    assert all(f"`{name}`" in README for name in events | actions)


def test_every_sentence_of_the_page_has_a_test_that_exists() -> None:
    page = (PROJECT / "docs" / "v2tim.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "**" not in line][2:]
    named = [re.search(r"`([\w/]+\.py)::(test_\w+)` \|$", row) for row in rows]

    assert len(rows) > 30
    assert all(named), [row for row, name in zip(rows, named, strict=True) if not name]
    for name in named:
        assert name
        path = PROJECT / "tests" / name[1].replace("test_guarantees.py", "reliability/test_guarantees.py")
        assert f"def {name[2]}(" in path.read_text(), name[0]


def test_every_guarantee_of_the_readme_is_a_test_by_its_name() -> None:
    promised = re.findall(r"^\| \*\*([A-Z][a-z ]+)\*\* \|", README, re.MULTILINE)
    tested = {name for name in vars(test_guarantees) if name.startswith("test_")}

    assert promised == ["Counted once", "Adds up", "Forward", "Heard", "Private", "Loud"]
    assert {f"test_{name.lower().replace(' ', '_')}" for name in promised} <= tested


def test_the_record_of_the_guarantees_has_each_in_the_same_words() -> None:
    record = (PROJECT / "tests" / "reliability" / "README.md").read_text()
    promised = re.findall(r"^\| \*\*([A-Z][a-z ]+)\*\* \| (.+) \|$", README, re.MULTILINE)

    assert len(promised) == 6
    assert all(f"\n| {name} | {sentence} | " in record for name, sentence in promised)


@pytest.fixture(scope="module", params=sorted(stages()))
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    import json

    packaged: Path = package(tmp_path_factory.mktemp("package"), request.param)
    loaded: dict[str, Any] = json.loads(packaged.read_text())
    return loaded


def test_the_streams_trigger_their_functions_record_by_record(template: dict[str, Any]) -> None:
    for function, table in (("PushReceipts", "Reads"), ("PushMessages", "Messages"), ("PushMarks", "Marks")):
        event = template["Resources"][function]["Properties"]["Events"][f"{function}DynamodbEventSource"]["Properties"]
        assert event["Stream"] == {"Fn::GetAtt": [table, "StreamArn"]}
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert event["BisectBatchOnFunctionError"] is True
        assert event["StartingPosition"] == "TRIM_HORIZON"
        assert event["MaximumRetryAttempts"] == 100
        assert event["MaximumRecordAgeInSeconds"] == 23 * 3600  # an hour before the stream forgets
        assert event["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["StreamFailures", "Arn"]}


def test_the_fan_out_queue_triggers_its_function_range_by_range(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    event = resources["TellMembers"]["Properties"]["Events"]["TellMembersSqsEventSource"]["Properties"]

    assert event["Queue"] == {"Fn::GetAtt": ["FanOut", "Arn"]}
    assert event["BatchSize"] == 1
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (
        resources["FanOut"]["Properties"]["VisibilityTimeout"] >= 6 * resources["TellMembers"]["Properties"]["Timeout"]
    )


def test_what_is_queued_triggers_its_function_event_by_event(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    event = resources["DeliverWebhooks"]["Properties"]["Events"]["DeliverWebhooksSqsEventSource"]["Properties"]

    assert event["Queue"] == {"Fn::GetAtt": ["Webhooks", "Arn"]}
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["ScalingConfig"] == {"MaximumConcurrency": 5}
    redrive = resources["Webhooks"]["Properties"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["WebhookFailures", "Arn"]}


def test_every_environment_variable_the_code_reads_is_set_by_the_stack(template: dict[str, Any]) -> None:
    given = template["Globals"]["Function"]["Environment"]["Variables"]
    tables = {name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::DynamoDB::Table"}

    assert {f"{table.upper()}_TABLE": {"Ref": table} for table in tables}.items() <= given.items()
    assert set(re.findall(r'os\.environ\["(\w+)"\]', (PROJECT / "chalicelib" / "settings.py").read_text())) <= set(
        given
    )
    stores = (PROJECT / "chalicelib" / "store").glob("*.py")
    named = {
        name for path in stores for name in re.findall(r'^(?:TABLE|SENDS|USERS) = "(\w+)"', path.read_text(), re.M)
    }
    assert named == tables


def test_long_answers_are_compressed(template: dict[str, Any]) -> None:
    """By API Gateway, for whoever takes gzip: a function could do it only for clients that ask for binary types."""
    assert template["Resources"]["RestAPI"]["Properties"]["MinimumCompressionSize"] == 1024


def test_the_websocket_stage_deploys_itself(template: dict[str, Any]) -> None:
    resources = template["Resources"]

    assert resources["WebsocketAPIStage"]["Properties"]["AutoDeploy"] is True
    assert "DeploymentId" not in resources["WebsocketAPIStage"]["Properties"]
    assert not [name for name, each in resources.items() if each["Type"] == "AWS::ApiGatewayV2::Deployment"]


def test_rows_of_connections_expire_by_the_attribute_that_is_written(template: dict[str, Any]) -> None:
    ttl = template["Resources"]["Connections"]["Properties"]["TimeToLiveSpecification"]

    assert ttl == {"AttributeName": "expiresAt", "Enabled": True}


def test_every_alarm_is_in_the_operators_page_and_every_output_the_commands_use_is_there(
    template: dict[str, Any],
) -> None:
    page = (PROJECT / "docs" / "operating.md").read_text()
    alarms = {name for name, each in template["Resources"].items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    used = {
        name
        for path in (PROJECT / "stack").glob("*.py")
        for name in re.findall(r'outputs(?:\["|\.get\(")(\w+)"', path.read_text())
    }

    assert len(alarms) >= 10
    assert all(f"`{name.removesuffix('Alarm')}`" in page for name in alarms)
    assert {"HttpURL", "TokenKey", "StreamFailures"} <= used <= set(template["Outputs"])


def test_tables_outlive_the_stack_and_are_encrypted_and_backed_up_where_that_is_on(template: dict[str, Any]) -> None:
    tables = [each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table"]

    assert tables
    for table in tables:
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
        on = table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert on == {"Fn::If": ["HasPointInTimeRecovery", True, False]}
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_the_stages_differ_in_what_should_differ(template: dict[str, Any]) -> None:
    kept = {
        each["Properties"]["RetentionInDays"]
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Logs::LogGroup"
    }
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Serverless::Function"]
    memory = {each["Properties"]["MemorySize"] for each in functions}
    default = {name: each.get("Default") for name, each in template["Parameters"].items()}
    is_prod = default["Alarms"] == "on"

    assert len(functions) == len(
        [each for each in template["Resources"].values() if each["Type"] == "AWS::Logs::LogGroup"]
    )
    assert (kept, memory) == (({90}, {1024}) if is_prod else ({7}, {512}))
    assert default["PointInTimeRecovery"] == ("on" if is_prod else "off")
    assert default["CallsPerSecond"] == ("5000" if is_prod else "200")
    assert default["CorsOrigins"] == ""


def test_the_gateways_hold_to_the_stages_rates(template: dict[str, Any]) -> None:
    (of_http,) = template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    of_sockets = template["Resources"]["WebsocketAPIStage"]["Properties"]["DefaultRouteSettings"]

    assert (of_http["ResourcePath"], of_http["HttpMethod"]) == ("/*", "*")
    for limits in (of_http, of_sockets):
        assert limits["ThrottlingRateLimit"] == {"Ref": "CallsPerSecond"}
        assert limits["ThrottlingBurstLimit"] == {"Ref": "CallsBurst"}
