"""The states that the README shows, as pictures: `make pictures` keeps them, any other run only takes them."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.browser.conftest import PHONE
from tests.e2e.browser.windows import Opens
from tests.e2e.people import User

Make = Callable[[str], User]


def test_the_main_states_are_pictured(opens: Opens, user: Make, screenshots: Path) -> None:
    alice, bob, carol, dave, erin = (user(name) for name in ("alice", "bob", "carol", "dave", "erin"))
    alice.create_group("team", [each.user_id for each in (bob, carol, dave, erin)], name="产品团队")
    dave.send("周五的评审改到三点，可以吗？", user="alice")
    plan = alice.send("明天下午一起吃饭？我订了老地方 🍜", user="bob")
    bob.read(plan)
    bob.send("好啊，七点见！", user="alice")
    everybody = alice.send("早上好！今天的会改到十点，地点不变。", group="team")
    some = alice.send("材料在群文件里，请会前看一遍 🙏", group="team")
    for reader in (bob, carol, dave, erin):
        reader.read(everybody)
    for reader in (bob, carol, dave):
        reader.read(some)
    carol.send("收到，我带上打样。", group="team")
    bob.send("我可能晚五分钟，先开始，不用等我。", group="team")
    nobody = alice.send("好的。会后我把纪要发到这里。", group="team")["text"]

    desk = opens("alice", to="group_team")
    expect(desk.status("早上好！今天的会改到十点，地点不变。")).to_have_text("全部已读")
    expect(desk.status(nobody)).to_have_text("未读")
    desk.status(some["text"]).click()
    expect(desk.members()).to_have_text(["bob", "carol", "dave"])
    desk.shows("panel")

    dark = opens("alice", to="c2c_bob", color_scheme="dark", locale="en-US")
    expect(dark.status(plan["text"])).to_contain_text("Read")
    dark.writes("See you there!")
    expect(dark.status("See you there!")).to_have_text("Unread")
    dark.shows("dark")

    phone = opens("alice", viewport=PHONE, device_scale_factor=1.5)
    expect(phone.badge("dave")).to_have_text("1")
    phone.shows("phone-list")
    phone.looks_at("产品团队")
    expect(phone.status(nobody)).to_have_text("未读")
    phone.shows("phone-chat")
    phone.page.context.set_offline(True)
    expect(phone.page.locator("#banner")).to_be_visible()
    phone.writes("电梯里没有信号")
    expect(phone.status("电梯里没有信号")).to_have_text("待发送")
    phone.shows("phone-offline")

    taken = {path.stem for path in screenshots.glob("*.png")}
    assert taken >= {"panel", "dark", "phone-list", "phone-chat", "phone-offline"}
