"""Keys: kept, read again, rotated without a deploy, retired in time."""

import secrets

import boto3
import pytest
from moto import mock_aws

from chalicelib import keys as stack_keys
from chalicelib import tokens
from chalicelib.codes import Refusal
from tests.fakes import FakeKeys
from tests.world import World

KEY = stack_keys.TOKEN
OLD = "an example of a token key, for tests only"
NEW = "another example of a token key, for tests"
HOUR_S = 3600


def code_of(token: str) -> int:
    try:
        tokens.verify(token)
    except Refusal as refusal:
        return refusal.code.number
    return 0


def test_a_key_is_read_once_and_again_after_five_minutes(world: World, keys: FakeKeys) -> None:
    for _ in range(100):
        stack_keys.current(KEY)
    assert keys.reads == 1

    world.waits(301)
    stack_keys.current(KEY)
    assert keys.reads == 2


def test_after_a_rotation_tokens_of_both_keys_are_good_for_a_day(world: World, keys: FakeKeys) -> None:
    old, new = tokens.mint("alice", 10 * 24 * HOUR_S, OLD), tokens.mint("alice", 10 * 24 * HOUR_S, NEW)
    assert (code_of(old), code_of(new)) == (0, 70009)

    world.waits(6)
    keys.rotate(KEY, NEW)

    assert (code_of(new), code_of(old)) == (0, 0)
    world.waits(24 * HOUR_S - 60)
    assert (code_of(new), code_of(old)) == (0, 0)
    world.waits(61)
    assert (code_of(new), code_of(old)) == (0, 70009)


def test_a_token_of_the_new_key_is_good_at_once_in_a_function_that_knows_the_old_one(
    world: World, keys: FakeKeys
) -> None:
    alice = world.user("alice")
    assert alice.calls("GET", "/conversations").status == 200
    world.waits(5)
    keys.rotate(KEY, NEW)

    assert world.call("GET", "/conversations", token=tokens.mint("alice", 60, NEW)).status == 200
    assert alice.calls("GET", "/conversations").status == 200


def test_a_flood_of_wrong_signatures_reads_the_keys_every_five_seconds_at_most(world: World, keys: FakeKeys) -> None:
    wrong = tokens.mint("alice", HOUR_S, NEW)
    assert {code_of(wrong) for _ in range(50)} == {70009}
    assert keys.reads == 1

    world.waits(5)
    assert {code_of(wrong) for _ in range(50)} == {70009}
    assert keys.reads == 2


def test_a_key_that_was_rotated_twice_is_retired_within_five_minutes(world: World, keys: FakeKeys) -> None:
    leaked = tokens.mint("alice", HOUR_S, OLD)
    assert code_of(leaked) == 0
    keys.rotate(KEY, secrets.token_urlsafe(32))
    keys.rotate(KEY, NEW)

    world.waits(301)

    assert code_of(leaked) == 70009


def test_while_keys_cannot_be_read_the_known_ones_go_on_being_used(world: World, keys: FakeKeys) -> None:
    token = tokens.mint("alice", HOUR_S)
    keys.broken = True
    world.waits(301)

    assert code_of(token) == 0
    assert code_of(tokens.mint("alice", HOUR_S, NEW)) == 70009


def test_without_any_key_the_call_fails_loudly(world: World, keys: FakeKeys) -> None:
    keys.broken = True

    assert world.call("GET", "/conversations", token=tokens.mint("alice", 60, OLD)).refusal == (500, 10002)
    keys.broken = False
    assert world.call("GET", "/conversations", token=tokens.mint("alice", 60, OLD)).status == 200


def test_an_old_user_sig_key_is_accepted_as_long(world: World, keys: FakeKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_usersig import ALICE, APP_ID, SIGNED_AT_S

    monkeypatch.setenv("USERSIG_APP_ID", str(APP_ID))
    monkeypatch.setattr("chalicelib.clock.now_ms", lambda: SIGNED_AT_S * 1000)
    keys.rotate(stack_keys.USERSIG, NEW)

    assert code_of(ALICE) == 0
    keys.rotate(stack_keys.USERSIG, NEW + "!")
    stack_keys.forget()
    assert code_of(ALICE) == 70009


@mock_aws
def test_keys_come_from_secrets_manager_by_its_own_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    stack_keys._client.cache_clear()
    client = boto3.client("secretsmanager")
    arn = client.create_secret(Name="token", SecretString=OLD)["ARN"]
    monkeypatch.setenv("TOKEN_KEY_ARN", arn)

    assert list(stack_keys.accepted(KEY)) == [OLD]
    client.put_secret_value(SecretId=arn, SecretString=NEW)
    stack_keys.forget()
    assert list(stack_keys.accepted(KEY)) == [NEW, OLD]
    monkeypatch.setenv("TOKEN_KEY_ARN", arn + "-other")
    stack_keys.forget()
    with pytest.raises(RuntimeError, match="There is no TOKEN_KEY"):
        stack_keys.current(KEY)
    stack_keys._client.cache_clear()
