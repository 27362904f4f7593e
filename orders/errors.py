"""How orders says no."""

from config.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from stores.errors import ListRefused

# --- selling ---------------------------------------------------------------------------------------


class NotOnSaleYet(Conflict):
    code = "not_on_sale_yet"
    zh = "还没开抢，{opens_at} 开始"
    en = "The sale opens at {opens_at}."


class SalePaused(Conflict):
    code = "sale_paused"
    zh = "商家暂停了售卖，稍后再来"
    en = "The brand has paused this sale. Try again later."


class SaleClosed(Conflict):
    code = "sale_closed"
    zh = "已经结束了"
    en = "This sale has ended."


class SellingStopped(Conflict):
    code = "selling_stopped"
    zh = "商家停止了售卖"
    en = "The brand has stopped selling."


class SoldOut(Conflict):
    code = "sold_out"
    zh = "已抢完，剩 {left} 份"
    en = "Sold out: {left} left."


class LimitReached(Conflict):
    code = "limit_reached"
    zh = "每人限购 {limit} 份，您已有 {bought} 份"
    en = "At most {limit} each; you have {bought} already."


class PriceChanged(Conflict):
    code = "price_changed"
    zh = "价格或规则刚刚变了，请看过再买"
    en = "The price or the terms have changed since you saw them. Look again before you buy."


# --- purchases -------------------------------------------------------------------------------------


class PurchaseNotFound(NotFound):
    code = "purchase_not_found"
    zh = "没有这个订单"
    en = "There is no such purchase."


class QuantityOutOfRange(Invalid):
    code = "quantity_out_of_range"
    zh = "一次可买 1 到 {most} 份"
    en = "Buy 1 to {most} at a time."


# --- payments --------------------------------------------------------------------------------------


class PurchaseAlreadyPaid(Conflict):
    code = "purchase_already_paid"
    zh = "这个订单已经付过款了"
    en = "This purchase has been paid."


class PurchaseNoLongerPayable(Conflict):
    code = "purchase_no_longer_payable"
    zh = "付款时间已过，订单已关闭，请重新下单"
    en = "The time to pay is over and the purchase is closed. Buy again."


class TooManyPaymentAttempts(Conflict):
    code = "too_many_payment_attempts"
    zh = "这个订单发起支付的次数太多了，请重新下单"
    en = "This purchase has had {most} payment attempts. Pay one of them, or buy again."


class ProviderNotFound(Invalid):
    code = "provider_not_found"
    zh = "不支持这种支付方式：{provider}"
    en = "There is no payment provider {provider}."


class NoticeNotSigned(Unauthenticated):
    code = "notice_not_signed"
    zh = "通知签名无效"
    en = "The notice's signature is missing, wrong or too old."


# --- surcharges at the counter ---------------------------------------------------------------------


class SurchargeNotFound(NotFound):
    code = "surcharge_not_found"
    zh = "没有这笔补差"
    en = "There is no such surcharge, or it is not yours to see."


class SurchargeTooLate(Conflict):
    code = "surcharge_too_late"
    zh = "核销后时间太久，不能再补差"
    en = "This redemption can no longer be undone, so nothing more is asked for it."


class NothingToSurcharge(Conflict):
    code = "nothing_to_surcharge"
    zh = "所选规格和加料不用补差"
    en = "What was chosen costs nothing beyond the voucher."


# --- orders at a store -----------------------------------------------------------------------------


class StoreOrderNotFound(NotFound):
    code = "store_order_not_found"
    zh = "没有这个门店订单"
    en = "There is no such order at a store."


class StoreOrderAlreadyPaid(Conflict):
    code = "store_order_already_paid"
    zh = "这个订单不用再付款了"
    en = "Nothing is left to pay for this order."


class StoreOrderNoLongerPayable(Conflict):
    code = "store_order_no_longer_payable"
    zh = "付款时间已过，订单已取消，券已退回，请重新下单"
    en = "The time to pay is over; the vouchers are yours again. Order again."


class VoucherNamedTwice(Invalid):
    code = "voucher_named_twice"
    zh = "同一张券的同一次使用写了两遍"
    en = "One use of a voucher is named twice; name each use once."


class CartTooLarge(Invalid):
    code = "cart_too_large"
    zh = "一单 1 到 {most_lines} 种商品，每种 1 到 {most_units} 份"
    en = "An order has 1 to {most_lines} lines of 1 to {most_units} each."


class PlanChanged(Conflict):
    code = "plan_changed"
    zh = "价格或可用的券刚刚变了，请按新的方案确认"
    en = "The price or the vouchers have changed. Look at the new plan in the details, and confirm it."


class StoreShut(Conflict):
    code = "store_shut"
    zh = "门店现在不接单"
    en = "The store is not taking orders now."


class OrderMovedOn(Conflict):
    code = "order_moved_on"
    zh = "订单已有变化，不能这样操作，请看最新状态"
    en = "The order has moved on, so this cannot be done any more. Look at it again."


class OrderMayStillBeCancelled(Conflict):
    code = "order_may_still_be_cancelled"
    zh = "顾客还可以取消，{seconds} 秒后才能制作"
    en = "The customer may still cancel; it can be made in {seconds} s."


class RejectionTooLate(Conflict):
    code = "rejection_too_late"
    zh = "取餐超过时限，不能再拒单，请走售后"
    en = "It is too late to reject this order; help the customer by an after-sale case."


class NoStoreTakesItNow(Conflict):
    code = "no_store_takes_it_now"
    zh = "附近没有正在营业且可用这张券的门店"
    en = "No store near you is open and takes this voucher now."


class PastCutOff(Conflict):
    code = "past_cut_off"
    zh = "快打烊了，今天不再接单"
    en = "The store closes soon and has taken no orders since {since}."


class OrderingPaused(Conflict):
    code = "ordering_paused"
    zh = "门店太忙，暂停接单，稍后自动恢复"
    en = "The store is too busy and takes no orders until {until}."


class StoreAbsent(Conflict):
    code = "store_absent"
    zh = "门店暂时没有人接单，请稍后再试或换一家店"
    en = "Nobody answers at this store just now. Try again later, or choose another one."


class SlotNotOffered(Invalid):
    code = "slot_not_offered"
    zh = "这个取餐时间不能选，请换一个时间"
    en = "This pick-up time is not offered, or no more. Choose one of the store's slots."


# --- settlement ------------------------------------------------------------------------------------


class UseNotSettled(Conflict):
    code = "use_not_settled"
    zh = "这次核销还可以撤销，请直接撤销"
    en = "This use can still be undone, which gives all of it back; undo it instead."


class NothingPaidHere(Conflict):
    code = "nothing_paid_here"
    zh = "这张券没有付过钱，没有可退的金额"
    en = "Nothing was paid for this use, so there is nothing to give back."


class AfterUseTooMuch(Invalid):
    code = "after_use_too_much"
    zh = "最多还能退 {most_fen} 分"
    en = "At most {most_fen} fen are left to give back for this use."


class MonthNotOver(Conflict):
    code = "month_not_over"
    zh = "{month} 还没有结束，不能结账"
    en = "{month} is not over yet."


class EarlierMonthOpen(Conflict):
    code = "earlier_month_open"
    zh = "请先给 {month} 结账"
    en = "Close {month} first: months are closed in their order."


class MonthHasOpenWork(Conflict):
    code = "month_has_open_work"
    zh = "该月还有 {waiting} 笔没有结算，稍后再结账"
    en = "{waiting} things of that month are not settled yet. Try again later."


class CashRuleStands(Conflict):
    code = "cash_rule_stands"
    zh = "已经开始的营业日不能改规则"
    en = "A rule holds from a business day that has not begun yet, and once from each day on."


# --- bills of providers ----------------------------------------------------------------------------


class BillEmpty(Invalid):
    code = "bill_empty"
    zh = "这不是账单：文件是空的，或者不是文本"
    en = "This is no bill: the file is empty or no text."


class BillColumnsMissing(Invalid):
    code = "bill_columns_missing"
    zh = "账单缺少这些列：{headings}"
    en = "The bill lacks these columns: {headings}."


class BillIncomplete(Invalid):
    code = "bill_incomplete"
    zh = "账单不完整：{lines} 行之后没有合计，请重新下载"
    en = "The bill is cut off: no totals after {lines} lines. Download it again."


class BillTotalsWrong(Invalid):
    code = "bill_totals_wrong"
    zh = "账单合计与明细不符：合计 {stated}，明细 {found}"
    en = "The bill's totals are not those of its lines: {stated} stated, {found} found (lines, paid, refunded, fees)."


class BillCurrencyWrong(Invalid):
    code = "bill_currency_wrong"
    zh = "账单币种不是 {currency}"
    en = "The bill is in another currency than {currency}."


class BillRefused(ListRefused):
    code = "bill_refused"
    zh = "有 {count} 行读不出来，账单没有入账；请按行号查看后重试"
    en = "{count} lines cannot be read; nothing was taken. Look at the lines named and send the file again."


class BillNotReady(Conflict):
    code = "bill_not_ready"
    zh = "{bill_date} 的账单还没有出"
    en = "The bill of {bill_date} is not ready yet."


class BillNotFound(NotFound):
    code = "bill_not_found"
    zh = "没有这份账单"
    en = "There is no such bill, or it is not yours."


class DifferenceNotFound(NotFound):
    code = "difference_not_found"
    zh = "没有这笔差异"
    en = "There is no such difference, or it is not yours."


class DifferenceClosed(Conflict):
    code = "difference_closed"
    zh = "这笔差异已经处理过（{outcome}）"
    en = "This difference has been worked off already ({outcome})."


class DifferenceNotBookable(Conflict):
    code = "difference_not_bookable"
    zh = "这笔差异不能补记：只有我方没有记录、而付款或退款是我方发起的才可以"
    en = "Only money of a payment or refund of ours that we were not told about can be booked."


class DayNotExplained(Conflict):
    code = "day_not_explained"
    zh = "{bill_date} 还有 {open} 笔差异没有处理"
    en = "{open} differences of {bill_date} are not worked off yet."


class DayIsClosed(Conflict):
    code = "day_is_closed"
    zh = "{bill_date} 已经日结，不能再改"
    en = "{bill_date} is closed and does not change any more."


# --- statements as files ---------------------------------------------------------------------------


class ExportNotFound(NotFound):
    code = "export_not_found"
    zh = "没有这份导出"
    en = "There is no such export, or it is not yours to see."


class ExportTooLong(Invalid):
    code = "export_too_long"
    zh = "明细太多：{lines} 行；一份最多 {most_lines} 行、{most_days} 天"
    en = "{lines} lines are too many: a file has at most {most_lines} lines and {most_days} days."


class TooManyExports(Conflict):
    code = "too_many_exports"
    zh = "最多同时保留 {most} 份导出，请等一份过期"
    en = "At most {most} exports are kept at a time. Wait until one has expired."


class ExportNotReady(Conflict):
    code = "export_not_ready"
    zh = "文件还没有写好（{status}）"
    en = "The file is not there ({status})."


class ExportExpired(Conflict):
    code = "export_expired"
    zh = "文件已过期，请重新导出"
    en = "The file has expired. Ask for it again."


class MonthMalformed(Invalid):
    code = "month_malformed"
    zh = "月份格式应为 2026-11"
    en = "A month is written as 2026-11."


class TooManyStatements(Invalid):
    MOST = 10_000
    code = "too_many_statements"
    zh = "超过 {most} 条，请缩短日期或选一家门店"
    en = "More than {most} statements; ask for fewer days, or for one store."


# --- after-sale cases ------------------------------------------------------------------------------


class CaseNotFound(NotFound):
    code = "case_not_found"
    zh = "没有这个售后单"
    en = "There is no such after-sale case."


class CaseInvalid(Invalid):
    code = "case_invalid"
    zh = "售后单不能这样填：{zh_reason}"
    en = "An after-sale case cannot be like this: {reason}."


class CaseIsDecided(Conflict):
    code = "case_is_decided"
    zh = "这个售后单已经处理过了"
    en = "This case has been decided already: {status}."


class CaseNeedsAnother(Conflict):
    code = "case_needs_another"
    zh = "自己提交的售后单要由别人审批"
    en = "Somebody else has to approve a case that you opened."


class RefundNotFound(NotFound):
    code = "refund_not_found"
    zh = "没有这笔退款"
    en = "There is no such refund."


class RefundNotGivenUp(Conflict):
    code = "refund_not_given_up"
    zh = "这笔退款还在自动处理，不用重试"
    en = "This refund is {status} and still worked on by itself."


# --- payouts ---------------------------------------------------------------------------------------


class BankAccountNotFound(NotFound):
    code = "bank_account_not_found"
    zh = "这个结算主体还没有收款账户"
    en = "This entity has no bank account yet."


class BankNumberUnreadable(Invalid):
    code = "bank_number_unreadable"
    zh = "账号应是 8 到 30 位数字"
    en = "An account number has 8 to 30 digits."


class PayoutBatchNotFound(NotFound):
    code = "payout_batch_not_found"
    zh = "没有这个付款批次"
    en = "There is no such payout batch, or it is not yours."


class ResultFileRefused(ListRefused):
    code = "result_file_refused"
    zh = "有 {count} 处错误，没有更新任何付款；请按行号修改后重试"
    en = "{count} problems; no payout was changed. Mend the lines named and send the file again."


# --- invoices --------------------------------------------------------------------------------------


class InvoiceNotFound(NotFound):
    code = "invoice_not_found"
    zh = "没有这张发票"
    en = "There is no such invoice, or it is not yours."


class InvoicedWithItsOrder(Conflict):
    code = "invoiced_with_its_order"
    zh = "这次使用属于订单 {order}，请按订单开票"
    en = "This use is part of order {order}, which is invoiced as a whole."


class NotInvoiceableYet(Conflict):
    code = "not_invoiceable_yet"
    zh = "还可能撤销，结算后才能开票"
    en = "It can still be undone or is not paid in full. It can be invoiced once it has settled."


class NothingToInvoice(Conflict):
    code = "nothing_to_invoice"
    zh = "没有实际支付的金额，不能开票"
    en = "Nothing that was really paid is left to invoice."


class AlreadyInvoiced(Conflict):
    code = "already_invoiced"
    zh = "已经开过发票 {invoice}"
    en = "It has been invoiced already: {invoice}."


class SellerHasNoTaxNumber(Conflict):
    code = "seller_has_no_tax_number"
    zh = "门店的税务信息还没有登记，暂时不能开票"
    en = "Whoever sold it has no tax number on file yet, so nothing can be invoiced."
