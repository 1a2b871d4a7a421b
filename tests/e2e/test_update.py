"""Updates without fear: this stack is deployed over that of the commit before, with data in it and sockets open."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from chalicelib import tokens
from stack.deploy import deploy
from stack.local_aws import REGION, LocalAWS
from stack.template import PROJECT, package
from tests.e2e.people import User

STACK = "updated"

# Not every commit in between can be deployed.
_COMMITS_BACK_MAX = 10


def packaged_before(folder: Path) -> Path:
    """The template of the commit before this one, or of the last before it whose stack could be packaged.

    In a checkout that has no history it is this one's own: then it is updated to itself.
    """
    for back in range(1, _COMMITS_BACK_MAX + 1 if shutil.which("git") else 1):
        sources, made = folder / f"before-{back}", folder / f"package-before-{back}"
        archive = subprocess.run(["git", "-C", str(PROJECT), "archive", f"HEAD~{back}"], capture_output=True)
        if archive.returncode != 0:
            break
        sources.mkdir()
        subprocess.run(["tar", "-x", "-C", str(sources)], input=archive.stdout, check=True)
        code = f"from pathlib import Path; from stack.template import package; package(Path({str(made)!r}))"
        if subprocess.run([sys.executable, "-c", code], cwd=sources, capture_output=True).returncode == 0:
            return made / "template.json"
    return package(folder / "package-before")


def test_data_and_open_sockets_live_through_an_update(tmp_path: Path) -> None:
    before = packaged_before(tmp_path)
    after = package(tmp_path / "package-after")
    with LocalAWS(tmp_path / "ministack.log") as aws, ExitStack() as open_:
        parameters = {"ExecuteApiBase": aws.execute_api, "UserCallsPerSecond": "0"}

        def deployed(template: Path) -> dict[str, str]:
            return deploy(template, STACK, "code", parameters, REGION, aws.environment)

        first = deployed(before)
        key = aws.client("secretsmanager").get_secret_value(SecretId=first["TokenKey"])["SecretString"]
        http = f"{aws.execute_api}/{first['RestAPIId']}/api/v1"
        websocket = f"{aws.execute_api}/{first['WebsocketAPIId']}/api".replace("http://", "ws://", 1)
        ann, ben, cid = (
            open_.enter_context(User(http, websocket, name, tokens.mint(name, 3600, key)))
            for name in ("ann", "ben", "cid")
        )
        ann.create_group("team", ["ben", "cid"])
        old = ann.send("before", group="team")
        with ann.device() as hers:
            ben.read(old)
            hers.wait_for_count(old["msgID"], 1)

            second = deployed(after)

            assert {name: second[name] for name in ("RestAPIId", "WebsocketAPIId", "TokenKey")} == {
                name: first[name] for name in ("RestAPIId", "WebsocketAPIId", "TokenKey")
            }
            assert ann.history("group_team")["messageList"] == [old]
            cid.read(old)
            new = ann.send("after", group="team")
            ben.read(new)
            hers.wait_for_count(old["msgID"], 2)
            hers.wait_for_count(new["msgID"], 1)
            assert hers.say("ping")["code"] == 0
        assert (ann.read_members(old, "read"), ann.read_members(new, "read")) == (["ben", "cid"], ["ben"])
        with cid.device() as his:
            assert his.wait_for_message(ann.send("again", group="team")["msgID"])["text"] == "again"


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    """A second `make deploy` of what is deployed finds nothing to do, and leaves the functions' code as it is."""
    template = package(tmp_path / "one")
    again = package(tmp_path / "two")

    assert template.read_text() == again.read_text()
    assert template.with_name("deployment.zip").read_bytes() == again.with_name("deployment.zip").read_bytes()
