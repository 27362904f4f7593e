"""Words that every page may use."""

from config.pages.design.words import Catalogue

WORDS: Catalogue = {
    "skip": ("跳到正文", "Skip to the content"),
    "language.other": ("English", "中文"),
    "online": ("在线", "Online"),
    "offline": ("网络断了，输入的都在，连上后自动再试", "No network. What you typed is kept and sent when it is back."),
    "confirming": ("正在确认，请不要重复操作", "Checking the outcome. Do not do it again."),
    "back": ("返回", "Back"),
    "close": ("关闭", "Close"),
    "more": ("更多", "More"),
    "request_id": ("请求编号 {id}", "Request {id}"),
    "again": ("再试一次", "Try again"),
    "undo": ("撤销", "Undo"),
    "less_one": ("减一份", "One less"),
    "more_one": ("加一份", "One more"),
    "metres": ("{n}\u00a0米", "{n}\u00a0m"),
    "kilometres": ("{n}\u00a0公里", "{n}\u00a0km"),
    "today_at": ("今天 {time}", "Today {time}"),
    "yesterday_at": ("昨天 {time}", "Yesterday {time}"),
    "on_day_at": ("{month} 月 {day} 日 {time}", "{day}/{month} {time}"),
    "just_now": ("刚刚", "just now"),
    "minutes_ago": ("{n} 分钟前", "{n} minute ago|{n} minutes ago"),
    "hours_ago": ("{n} 小时前", "{n} hour ago|{n} hours ago"),
    "fault.title": ("出了点问题", "Something went wrong"),
    "fault.home": ("回到开始", "Back to the start"),
    "fault.not_found": ("没有这个页面", "There is no such page."),
    "fault.not_allowed": ("没有权限看这个页面", "You may not see this page."),
    "fault.bad_request": ("这个请求读不懂，请返回重试", "This request could not be read. Go back and try again."),
    "fault.server": (
        "服务器出错了，什么都没有改变，请稍后再试",
        "The server failed and nothing was changed. Try again soon.",
    ),
    "fault.stale_form": ("页面放得太久了，请刷新后再试", "This page is too old. Reload it and try again."),
    "signed_out": ("登录已过期", "You have been signed out"),
    "signed_out.kept": (
        "输入的内容都在，登录后接着来",
        "What you typed is still here. Sign in and go on.",
    ),
}
