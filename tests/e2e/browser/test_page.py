"""The chat page in a real browser, on the deployed stack: what its users see of each other's reading."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.browser.conftest import PHONE
from tests.e2e.browser.windows import Opens
from tests.e2e.people import User

Make = Callable[[str], User]


def test_two_users_see_each_others_reading(opens: Opens, user: Make) -> None:
    user("duo-ben").send("hello", user="duo-ann")
    ann = opens("duo-ann")
    expect(ann.message("hello")).to_be_visible()
    ann.writes("are you there?")
    expect(ann.status("are you there?")).to_have_text("未读")

    ben = opens("duo-ben", to="c2c_duo-ann", locale="en-US")

    expect(ben.message("are you there?")).to_be_visible()
    expect(ben.status("hello")).to_contain_text("Read")
    expect(ann.status("are you there?")).to_contain_text("已读")
    ben.writes("yes")
    expect(ann.message("yes")).to_be_visible()
    expect(ben.status("yes")).to_contain_text(re.compile(r"^Read \d\d:\d\d$"))


def test_a_group_of_three_counts_to_all(opens: Opens, user: Make) -> None:
    user("tri-ann").create_group("tri", ["tri-ben", "tri-cat"], name="Three")
    ann = opens("tri-ann", to="group_tri")
    ann.writes("who has seen this?")
    expect(ann.status("who has seen this?")).to_have_text("未读")

    opens("tri-ben", to="group_tri")
    expect(ann.status("who has seen this?")).to_have_text("1 人已读")
    expect(ann.page.locator("#live")).to_have_text("“who has seen this?”：1 人已读")
    opens("tri-cat", to="group_tri")
    expect(ann.status("who has seen this?")).to_have_text("全部已读")
    expect(ann.page.locator("#live")).to_have_text("“who has seen this?”：全部已读")


def test_a_message_that_asks_for_no_receipt_has_none(opens: Opens, user: Make) -> None:
    user("no-ann").create_group("no", ["no-ben"])
    ann, ben = opens("no-ann", to="group_no"), opens("no-ben", to="group_no")
    ann.writes("never mind", receipt=False)
    expect(ben.message("never mind")).to_be_visible()
    ann.writes("do mind", receipt=True)

    expect(ann.status("do mind")).to_have_text("全部已读")
    expect(ann.status("never mind")).to_have_text("已发送")
    sent = [each for body in ben.made("POST", "/read-receipts") for each in body["msgIDs"]]
    assert len(sent) == 1


def test_what_is_scrolled_past_is_read_in_few_calls_and_nothing_else_is(opens: Opens, user: Make) -> None:
    ann = user("bulk-ann")
    ann.create_group("bulk", ["bulk-ben"])
    messages = [ann.send(f"message {number}", group="bulk") for number in range(60)]
    hers = opens("bulk-ann", to="group_bulk")
    expect(hers.status("message 59")).to_have_text("未读")

    his = opens("bulk-ben")
    expect(his.page.locator(".day.new")).to_have_text("以下是新消息")
    expect(his.message("message 0")).to_be_visible()
    expect(his.badge("bulk")).not_to_be_visible()  # it is the open one
    expect(his.page).to_have_title(re.compile(r"^\(\d\d\)"))
    for number in range(0, 60, 5):
        his.message(f"message {number}").scroll_into_view_if_needed()
    his.page.locator("#thread").press("End")
    expect(his.page).not_to_have_title(re.compile(r"^\("))

    expect(hers.status("message 59")).to_have_text("全部已读")
    calls = his.made("POST", "/read-receipts")
    sent = [each for body in calls for each in body["msgIDs"]]
    assert len(sent) == len(set(sent))
    assert set(sent) <= {message["msgID"] for message in messages}
    assert len(calls) <= 15, [len(body["msgIDs"]) for body in calls]
    read = {receipt["msgID"] for receipt in ann.receipts(*messages) if receipt["readCount"]}
    assert read == set(sent)


def test_what_is_below_the_window_is_not_read(opens: Opens, user: Make) -> None:
    ann = user("below-ann")
    ann.create_group("below", ["below-ben"])
    messages = [ann.send(f"message {number}", group="below") for number in range(40)]
    with ann.device() as device:
        his = opens("below-ben")
        expect(his.message("message 0")).to_be_visible()
        device.wait_for_count(messages[0]["msgID"], 1)
        read = [receipt["readCount"] for receipt in ann.receipts(*messages)]

    assert read[0] == 1
    assert read[-1] == 0
    assert read == sorted(read, reverse=True)
    assert his.page.title().startswith("(")


def test_nothing_is_read_while_the_tab_is_behind_another(opens: Opens, user: Make) -> None:
    ann, ben = opens("back-ann", to="c2c_back-ben"), opens("back-ben", to="c2c_back-ann")
    ben.comes_to_front(False)
    ann.writes("look at me")
    expect(ben.message("look at me")).to_be_attached()
    expect(ben.badge("back-ann")).to_have_text("1")
    expect(ben.page).to_have_title(re.compile(r"^\(1\)"))
    expect(ann.status("look at me")).to_have_text("未读")
    assert ben.made("POST", "/read-receipts") == []

    ben.comes_to_front(True)

    expect(ann.status("look at me")).to_contain_text("已读")
    expect(ben.badge("back-ann")).not_to_be_visible()


def test_the_panel_lists_who_has_read_and_pages_in_the_rest(opens: Opens, user: Make) -> None:
    ann = user("panel-ann")
    names = [f"panel-{number:03}" for number in range(130)]
    ann.create_group("panel", names, name="Many")
    message = ann.send("for all of you", group="panel")
    for name in names[:3]:
        user(name).read(message)
    with ann.device() as device:
        hers = opens("panel-ann", to="group_panel")
        expect(hers.status("for all of you")).to_have_text("3 人已读")
        hers.status("for all of you").click()

        expect(hers.members()).to_have_text(names[:3])
        times = hers.page.locator("#members time")
        expect(times).to_have_count(3)
        expect(times.first).to_have_text(re.compile(r"^\d\d:\d\d$"))
        expect(hers.page.get_by_role("tab", name="已读 3")).to_be_visible()
        user(names[3]).read(message)
        expect(hers.members()).to_have_text(names[:4])  # live
        device.wait_for_count(message["msgID"], 4)

    hers.page.get_by_role("tab", name="未读 126").click()
    expect(hers.members()).not_to_have_count(0)
    asked = f"/messages/{message['msgID']}/read-members"
    before = len(hers.made("GET", asked))
    for count in (50, 100, 126):
        expect(hers.members()).to_have_count(count)
        hers.page.locator("#members").press("End")
    expect(hers.members()).to_have_text(names[4:])
    assert len(hers.made("GET", asked)) == before + 2

    hers.page.keyboard.press("Escape")
    expect(hers.page.locator("#panel")).not_to_be_visible()
    expect(hers.status("for all of you")).to_be_focused()


def test_the_privacy_switch_is_reciprocal(opens: Opens) -> None:
    ann, ben = opens("prv-ann", to="c2c_prv-ben"), opens("prv-ben", to="c2c_prv-ann")
    ben.writes("before")
    expect(ben.status("before")).to_contain_text("已读")
    ben.page.get_by_role("switch", name=re.compile("^已读回执")).uncheck()
    expect(ben.page.locator("#privacy-hint")).to_contain_text("互不可见")
    expect(ben.status("before")).to_have_text("已关闭回执")

    ann.writes("withheld")
    expect(ben.message("withheld")).to_be_visible()
    ben.writes("I ask for none now")
    expect(ann.message("I ask for none now")).to_be_visible()
    expect(ben.badge("prv-ann")).not_to_be_visible()
    ben.page.get_by_role("switch", name=re.compile("^已读回执")).check()
    expect(ben.status("before")).to_contain_text("已读")
    ann.writes("told")

    expect(ann.status("told")).to_contain_text("已读")
    expect(ann.status("withheld")).to_have_text("未读")
    expect(ben.status("I ask for none now")).to_have_text("已发送")


def test_nothing_is_missed_when_a_socket_dies(opens: Opens, user: Make) -> None:
    ben = user("die-ben")
    user("die-ann").create_group("die", ["die-ben"])
    ann = opens("die-ann", to="group_die", with_line=True)
    ann.writes("before")
    expect(ann.status("before")).to_have_text("未读")
    ann.line.cut()
    expect(ann.page.locator("#connection")).to_have_attribute("data-state", "disconnected")
    expect(ann.page.locator("#banner")).to_be_visible()

    (before,) = ben.history("group_die")["messageList"]
    ben.read(before)
    ben.send("while you were away", group="die")
    ben.send("and in another conversation", user="die-ann")
    assert ann.message("while you were away").count() == 0
    ann.line.mend()

    expect(ann.page.locator("#connection")).to_have_attribute("data-state", "connected")
    expect(ann.status("before")).to_have_text("全部已读")
    expect(ann.message("while you were away")).to_be_visible()
    expect(ann.badge("die-ben")).to_have_text("1")
    expect(ann.page.locator("#banner")).not_to_be_visible()
    assert ann.line.connections == 2


def test_two_devices_of_a_user_show_the_same(opens: Opens) -> None:
    desk, phone = opens("dev-ann", to="c2c_dev-ben"), opens("dev-ann", viewport=PHONE)
    ben = opens("dev-ben", to="c2c_dev-ann")
    ben.comes_to_front(False)
    desk.writes("from the desk")
    phone.looks_at("dev-ben")
    expect(phone.message("from the desk")).to_have_count(1)
    phone.writes("from the phone")
    expect(desk.message("from the phone")).to_have_count(1)
    ben.comes_to_front(True)
    for device in (desk, phone):
        for text in ("from the desk", "from the phone"):
            expect(device.status(text)).to_contain_text("已读")
    phone.page.locator("#back").click()
    desk.comes_to_front(False)
    ben.writes("for both of you")
    expect(phone.badge("dev-ben")).to_have_text("1")
    expect(desk.badge("dev-ben")).to_have_text("1")

    desk.comes_to_front(True)

    expect(phone.badge("dev-ben")).not_to_be_visible()
    assert phone.made("POST", "/read-receipts") == []


def test_what_is_written_offline_waits_and_is_said_once(opens: Opens) -> None:
    ann, ben = opens("off-ann", to="c2c_off-ben"), opens("off-ben", to="c2c_off-ann")
    ann.page.context.set_offline(True)
    expect(ann.page.locator("#connection")).to_have_attribute("data-state", "disconnected")
    for text in ("one", "two"):
        ann.writes(text)
        expect(ann.status(text)).to_have_text("待发送")
    ann.page.context.set_offline(False)

    for text in ("one", "two"):
        expect(ann.status(text)).to_contain_text("已读")
        expect(ben.message(text)).to_have_count(1)
    expect(ben.page.locator(".bubble")).to_have_text(["one", "two"])
    expect(ann.page.locator(".bubble")).to_have_text(["one", "two"])


def test_what_waits_outlives_a_reload(opens: Opens) -> None:
    ann = opens("rel-ann", to="c2c_rel-ben")
    ann.page.route("**/v1/messages", lambda route: route.abort())
    ann.writes("kept")
    expect(ann.status("kept")).to_have_text("发送中…")
    ann.page.unroute("**/v1/messages")
    ann.page.reload()

    expect(ann.status("kept")).to_have_text("未读")
    ben = opens("rel-ben", to="c2c_rel-ann")
    expect(ben.message("kept")).to_have_count(1)


def test_a_refused_message_says_so_and_can_be_sent_again(opens: Opens) -> None:
    ann = opens("long-ann", to="c2c_long-ben")
    too_long = "长" * 4097
    ann.writes(too_long)
    expect(ann.page.locator(".status")).to_have_text("发送失败 · 重发")
    expect(ann.page.locator("#live")).to_contain_text("at most 12288 bytes")
    ann.writes("short")
    expect(ann.status("short")).to_have_text("未读")

    ann.page.get_by_role("button", name="重发").click()

    expect(ann.page.get_by_role("button", name="重发")).to_be_visible()
    assert len({body["clientMsgID"] for body in ann.made("POST", "/messages") if body["text"] == too_long}) == 1


def test_it_can_be_used_with_the_keyboard_alone(opens: Opens, user: Make) -> None:
    ann = user("key-ann")
    ann.create_group("key-a", ["key-ben"], name="First")
    ann.create_group("key-b", ["key-ben"], name="Second")
    for group in ("key-a", "key-b"):
        ann.send("hi", group=group)
    hers = opens("key-ann")
    press = hers.page.keyboard.press

    def focused() -> Locator:
        return hers.page.locator(":focus")

    expect(hers.page.locator("#text")).to_be_focused()
    hers.page.keyboard.type("written")
    press("Shift+Enter")
    hers.page.keyboard.type("on two lines")
    press("Enter")
    expect(hers.page.locator(".bubble").last).to_have_text("written\non two lines")
    hers.page.locator("#new-chat").focus()
    press("Tab")
    first = hers.page.locator("#conversations button").first
    expect(first).to_be_focused()
    press("ArrowDown")
    expect(first).not_to_be_focused()
    name = focused().locator(".name").inner_text()
    press("Enter")
    expect(hers.page.locator("#name")).to_have_text(name)
    expect(hers.page.locator("#text")).to_be_focused()
    hers.status("hi").focus()
    press("Enter")
    expect(hers.page.locator("#panel-title")).to_be_focused()
    hers.page.locator("#tab-read").focus()
    press("ArrowRight")
    expect(hers.page.get_by_role("tab", selected=True)).to_have_text("未读 1")
    expect(hers.members()).to_have_text(["key-ben"])
    press("Escape")
    expect(hers.status("hi")).to_be_focused()


def test_on_a_phone_there_is_one_pane_at_a_time(opens: Opens, user: Make) -> None:
    ann = user("pho-ann")
    ann.create_group("pho", ["pho-ben"], name="On the phone")
    ann.send("hi", group="pho")
    hers = opens("pho-ann", viewport=PHONE, has_touch=True, is_mobile=True)
    panes = [hers.page.locator(name) for name in (".list", ".chat", ".panel")]

    def only(index: int) -> None:
        for at, pane in enumerate(panes):
            expect(pane).to_be_visible(visible=at == index)

    only(0)
    hers.looks_at("On the phone")
    only(1)
    hers.status("hi").click()
    only(2)
    hers.page.locator("#panel-close").click()
    only(1)
    hers.page.go_back()
    only(0)
    assert hers.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_chat_or_a_group_can_be_begun(opens: Opens) -> None:
    ann = opens("new-ann")
    expect(ann.page.locator("#conversations")).to_contain_text("还没有会话")
    ann.page.locator("#new-chat").click()
    ann.page.locator("#with").fill("no such user!")
    ann.page.get_by_role("button", name="开始").click()
    expect(ann.page.locator("#new-chat-error")).not_to_be_empty()
    ann.page.locator("#with").fill("new-ben")
    ann.page.get_by_role("button", name="开始").click()
    ann.writes("the first word")
    expect(ann.status("the first word")).to_have_text("未读")
    ann.page.locator("#new-chat").click()
    ann.page.locator("#with").fill("new-ben，new-cat")
    ann.page.locator("#group-name").fill("We three")
    ann.page.get_by_role("button", name="开始").click()
    expect(ann.page.locator("#about")).to_have_text("群聊 · 3 人")
    ann.writes("to both")

    ben = opens("new-ben")
    expect(ben.listed("We three")).to_be_visible()
    expect(ben.listed("new-ann")).to_be_visible()


def test_the_language_can_be_changed_and_is_kept(opens: Opens) -> None:
    ann = opens("lang-ann", to="c2c_lang-ben")
    ann.writes("你好")
    expect(ann.status("你好")).to_have_text("未读")
    ann.page.locator("#language").select_option("en")

    expect(ann.status("你好")).to_have_text("Unread")
    expect(ann.page.locator("html")).to_have_attribute("lang", "en")
    expect(ann.page.get_by_role("switch", name=re.compile("^Read receipts"))).to_be_checked()
    ann.page.reload()
    expect(ann.page.locator("#connection")).to_have_text("Connected")


@pytest.mark.parametrize("direction", ["c2c", "group"])
def test_whatever_is_written_is_only_ever_text(opens: Opens, user: Make, direction: str) -> None:
    texts = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "مرحبا بالعالم! (1) \u202ereversed",
        "👩‍👩‍👧‍👦" * 200,
        "looooong" * 300,
        "${alert(1)} {{alert(1)}} &lt;b&gt;",
    ]
    ann = user(f"evil-{direction}-ann")
    to = {"user": f"evil-{direction}-ben"} if direction == "c2c" else {"group": "evil"}
    if direction == "group":
        ann.create_group("evil", ["evil-group-ben"], name="<b onmouseover=alert(1)>" + "很长的名字" * 15)
    for text in texts:
        ann.send(text, **to)
    his = opens(f"evil-{direction}-ben", viewport=PHONE, to="group_evil" if to.get("group") else f"c2c_{ann.user_id}")

    expect(his.page.locator(".bubble")).to_have_text(texts)
    assert his.page.locator("article img, article script, article b").count() == 0
    assert his.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert his.page.evaluate("thread.scrollWidth <= thread.clientWidth")


def test_the_token_stays_out_of_addresses(opens: Opens) -> None:
    ann = opens("tok-ann")
    token = ann.page.evaluate("JSON.parse(sessionStorage['read-receipts.token']).token")

    assert token not in ann.page.url
    assert all(token not in path for _, path, _ in ann.calls)
    ann.page.reload()
    expect(ann.page.locator("#connection")).to_have_attribute("data-state", "connected")


def test_a_page_without_a_token_asks_for_one_and_a_bad_one_is_said_to_be(opens: Opens) -> None:
    ann = opens("sign-ann")
    token = ann.page.evaluate("JSON.parse(sessionStorage['read-receipts.token']).token")
    ann.page.evaluate("sessionStorage.clear()")
    ann.page.reload()
    ann.page.get_by_label("粘贴您的令牌").fill("nonsense")
    ann.page.get_by_role("button", name="登录").click()
    expect(ann.page.locator("#sign-in-reason")).to_have_text("登录已过期，请重新打开链接。")

    ann.page.get_by_label("粘贴您的令牌").fill(token)
    ann.page.get_by_role("button", name="登录").click()
    expect(ann.page.locator("#connection")).to_have_attribute("data-state", "connected")
    expect(ann.page.locator("#me")).to_have_text("sign-ann")
