"""The console's words: the people's own, never the design's."""

from config.pages.design.words import Catalogue

WORDS: Catalogue = {
    "console.name": ("核销台", "Counter"),
    "console.sign_in": ("登录", "Sign in"),
    "console.sign_in.lead": ("用店员账号登录，开始核销", "Sign in with your staff account to redeem vouchers"),
    "console.username": ("用户名", "User name"),
    "console.password": ("密码", "Password"),
    "console.sign_in.by_pin": ("用 PIN 换人", "Switch by PIN"),
    "console.sign_out": ("退出登录", "Sign out"),
    "console.stores": ("您在哪家店？", "Which store are you in?"),
    "console.stores.search": ("搜索门店名", "Search by store name"),
    "console.stores.none": (
        "没有您可以核销的门店，请联系店长",
        "There is no store where you may redeem. Ask your manager.",
    ),
    "console.stores.more": ("还有更多门店，请搜索", "There are more stores: search for yours"),
    "console.clerk": ("换谁来核销？", "Who takes over?"),
    "console.clerk.pin_label": ("输入 PIN", "Your PIN"),
    "console.clerk.enter": ("开始上班", "Start"),
    "console.clerk.none": (
        "这家店还没有设过 PIN 的店员，请店长邀请",
        "Nobody at this store has set a PIN yet. The manager can invite people.",
    ),
    "console.clerk.password": ("用密码登录", "Sign in with a password"),
    "console.scan": ("扫码核销", "Scan"),
}
