"""What can happen to a voucher, in the words of the people who read its timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from config.kernel.money import yuan


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a timeline: ``kind`` is stable, ``facts`` fill its sentence; ``fen`` where money moved."""

    at: datetime
    kind: str
    fen: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, language: str) -> str:
        zh, en = SENTENCES[self.kind]
        told = {**self.facts, "amount": yuan(self.fen or 0)}
        return (zh if language == "zh" else en).format(**told)


SENTENCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bought": ("下单购买 {quantity} 份", "Bought: {quantity}"),
        "paid": ("付款 {amount}", "Paid {amount}"),
        "granted": ("商家赠送：{reason}", "Given by the brand: {reason}"),
        "issued": ("券已到账", "The voucher arrived"),
        "extended": ("有效期或规则放宽：{reason}", "Terms changed in your favour: {reason}"),
        "recalled": ("商家无法兑付，可退款", "The brand can no longer honour it; it is refunded"),
        "held": ("放进一笔未付款的订单", "Put into an order that was not paid yet"),
        "held_for_platform": ("等待平台确认核销", "Waiting for the platform's answer"),
        "freed": ("从未付款的订单里放回", "Came back from an order"),
        "redeemed": ("在{store}使用第 {serial} 次", "Used at {store} (use {serial})"),
        "undone": ("在{store}撤销核销", "The use at {store} was undone"),
        "settled": ("已与门店结算", "Settled with the store"),
        "surcharged": ("补差 {amount}：{reason}", "Paid {amount} on top: {reason}"),
        "surcharge_returned": ("补差 {amount} 已退", "{amount} paid on top was given back"),
        "order_placed": ("在{store}点单，应付 {amount}", "Ordered at {store}, {amount} due"),
        "order_confirmed": ("订单确认，取餐号 {number}", "Order confirmed, pick-up number {number}"),
        "order_accepted": ("门店接单", "The store accepted the order"),
        "order_making": ("开始制作", "Being made"),
        "order_ready": ("可以取餐", "Ready"),
        "order_collected": ("已取餐", "Collected"),
        "order_uncollected": ("未取餐，订单结束", "Not collected; the order is over"),
        "order_lapsed": ("付款超时，券和商品已放回", "Not paid in time; everything was put back"),
        "order_cancelled": ("顾客取消订单", "The customer cancelled the order"),
        "order_rejected": ("门店拒单：{reason}", "The store rejected the order: {reason}"),
        "expired": ("第 {serial} 次过期", "Use {serial} expired"),
        "returned": ("第 {serial} 次申请退款 {amount}", "Use {serial} was given back: {amount}"),
        "refund_sent": ("退款 {amount} 已提交支付渠道", "The refund of {amount} went to the payment provider"),
        "refund_failed": (
            "退款 {amount} 未成功，正在重试",
            "The refund of {amount} has failed so far and is tried again",
        ),
        "case_opened": ("申请售后：{reason}", "After-sale case: {reason}"),
        "case_remake": ("售后：免费重做", "Made again for free"),
        "case_refund": ("售后：退款 {amount}", "{amount} is given back"),
        "case_compensation": ("售后：补偿一张券", "A voucher was given to make up for it"),
        "case_explained": ("售后：已说明", "Explained"),
        "case_declined": ("售后未通过：{reason}", "The case was declined: {reason}"),
        "refund_succeeded": ("退款 {amount} 已到账", "The refund of {amount} was paid out"),
    }
)
