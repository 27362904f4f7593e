"""Every way vouchers say no."""

from config.kernel.errors import Conflict, Invalid, NotFound, Unavailable

# --- a voucher at a counter, first that holds ------------------------------------------------------


class VoucherNotFound(NotFound):
    code = "voucher_not_found"
    zh = "没有这张券，请核对券码"
    en = "No voucher of this brand carries that code. Check it and try again."


class VoucherRefunded(Conflict):
    code = "voucher_refunded"
    zh = "这张券已退款"
    en = "This voucher was refunded, or its refund is on the way."


class VoucherAlreadyRedeemed(Conflict):
    code = "voucher_already_redeemed"
    zh = "这张券已使用"
    en = "Every use of this voucher has been redeemed; details say where and when."


class VoucherHeld(Conflict):
    code = "voucher_held"
    zh = "这张券正在另一笔未付款的订单里"
    en = "This voucher is held by an order that is not paid yet."


class VoucherNotYetValid(Conflict):
    code = "voucher_not_yet_valid"
    zh = "这张券还没到使用时间"
    en = "This voucher is not valid yet; details say from when."


class VoucherExpired(Conflict):
    code = "voucher_expired"
    zh = "这张券已过期"
    en = "This voucher has expired."


class WrongStore(Conflict):
    """``details`` hold the rule that keeps this store out and the nearest that honour the voucher, if any."""

    code = "wrong_store"
    zh = "本店不能用这张券"
    en = "This voucher is not honoured at this store"

    def message(self, language: str) -> str:
        """Which rule, and the way to the nearest store: 本店不能用这张券（…），最近可用：XX店 480米."""
        said, english = super().message(language), language == "en"
        if rule := self.details.get("rule_en" if english else "rule_zh"):
            said += f" ({rule})" if english else f"（{rule}）"
        near = [
            f"{one['name']} {_distance(one['distance_metres'], english=english)}"
            for one in self.details.get("nearest", ())
        ]
        if not near:
            return said + "." if english else said
        return f"{said}. Nearest: {', '.join(near)}." if english else f"{said}，最近可用：{'、'.join(near)}"


class VoucherNotUsableNow(Conflict):
    code = "voucher_not_usable_now"
    zh = "现在不能用这张券：{rule_zh}"
    en = "This voucher is not usable at this day or hour: {rule_en}."


class BillAmountRequired(Invalid):
    code = "bill_amount_required"
    zh = "请输入未打折的消费金额"
    en = "Send bill_fen, the undiscounted eligible amount: a voucher here is a discount or has a minimum spend."


class MinSpendNotReached(Conflict):
    code = "min_spend_not_reached"
    zh = "消费金额未满使用门槛：{rule_zh}"
    en = "The bill is below this voucher's minimum spend: {rule_en}."


class TooManyOfOneDeal(Conflict):
    code = "too_many_of_one_deal"
    zh = "这种券用得太多：{rule_zh}"
    en = "Too many vouchers of this deal in one order: {rule_en}."


class VouchersDoNotCombine(Conflict):
    code = "vouchers_do_not_combine"
    zh = "这些券不能一起使用：{rule_zh}"
    en = "These vouchers cannot be used together: {rule_en}."


class CodesOutOfRange(Invalid):
    code = "codes_out_of_range"
    zh = "一次可核销 1 到 {most} 张"
    en = "One request redeems 1 to {most} uses."


class ClerkNotAtStore(NotFound):
    code = "clerk_not_at_store"
    zh = "没有这家门店，或您没有在这里核销的权限"
    en = "There is no such store, or you may not redeem there."


class StoreClosedForGood(Conflict):
    code = "store_closed_for_good"
    zh = "这家门店已关闭，不能核销"
    en = "This store has closed; nothing is redeemed there any more."


class StorePaused(Conflict):
    code = "store_paused"
    zh = "本店暂停营业，现在不能核销"
    en = "This store is paused; nothing is redeemed until it opens again."


# --- the customer's QR -----------------------------------------------------------------------------


class QrExpired(Conflict):
    code = "qr_expired"
    zh = "二维码已过期，请顾客刷新页面"
    en = "This QR code has expired. Ask the customer to refresh her page."


class QrNotOurs(Invalid):
    code = "qr_not_ours"
    zh = "这不是本品牌的券二维码"
    en = "This is not a voucher's QR code of this site."


# --- holds -----------------------------------------------------------------------------------------


class HoldOver(Conflict):
    code = "hold_over"
    zh = "占用已结束，这些券不再为这笔订单保留"
    en = "This hold has ended: the vouchers are no longer kept for it. Nothing was done."


# --- vouchers of another platform ------------------------------------------------------------------


class IssuerNotThere(NotFound):
    code = "issuer_not_there"
    zh = "没有接入这个平台"
    en = "This platform is not connected."


class IssuerAlone(Conflict):
    code = "issuer_alone"
    zh = "{issuer} 的券请单独核销，一次只核销一张"
    en = "A voucher sold by {issuer} is redeemed alone: send its code by itself, once for each use."


class IssuerNameTaken(Conflict):
    code = "issuer_name_taken"
    zh = "{issuer} 的这个门店编号已关联另一家门店"
    en = "Another store goes by that name at {issuer}."


class StoreNotAtIssuer(Conflict):
    code = "store_not_at_issuer"
    zh = "本店还没有关联 {issuer} 的门店"
    en = "This store has no name at {issuer} yet, so nothing sold there is redeemed here."


class IssuerProductUnknown(Conflict):
    code = "issuer_product_unknown"
    zh = "{issuer} 的这个商品还没有关联券商品"
    en = "This product of {issuer} is not connected to a deal yet; details name it."


class IssuerDoesNotAnswer(Unavailable):
    code = "issuer_does_not_answer"
    zh = "{issuer} 没有回应，请稍后再试"
    en = "{issuer} does not answer, so nothing is known of this code. Nothing was done; try again."


class RefusedByIssuer(Conflict):
    code = "refused_by_issuer"
    zh = "{issuer} 拒绝：{reason}"
    en = "{issuer} refused: {reason}"


class RefundAtIssuer(Conflict):
    code = "refund_at_issuer"
    zh = "这张券在 {issuer} 购买，请在那里申请退款"
    en = "This voucher was bought at {issuer}; ask for the refund there."


class RequestNotFound(NotFound):
    code = "request_not_found"
    zh = "没有这个核销请求"
    en = "There is no such redemption request, or it is not yours to see."


class ReversalUndecided(Conflict):
    code = "reversal_undecided"
    zh = "正在等 {issuer} 确认撤销"
    en = "{issuer} has not decided about undoing this redemption yet; send the same request again in a moment."


# --- undo ------------------------------------------------------------------------------------------


class RedemptionNotFound(NotFound):
    code = "redemption_not_found"
    zh = "没有这条核销记录"
    en = "There is no such redemption, or it is not yours to see."


class RedemptionAlreadyReversed(Conflict):
    code = "redemption_already_reversed"
    zh = "这次核销已经撤销过"
    en = "This redemption has been undone already."


class ReversalWindowOver(Conflict):
    code = "reversal_window_over"
    zh = "已超过可撤销时间"
    en = "The time to undo this redemption is over; details say when it ended."


class RedemptionSettled(Conflict):
    code = "redemption_settled"
    zh = "这次核销已结算，不能撤销"
    en = "This redemption has been settled and cannot be undone."


class RedemptionBelongsToOrder(Conflict):
    code = "redemption_belongs_to_order"
    zh = "这次核销属于一笔门店订单，请取消或拒绝该订单"
    en = "An order made this redemption; only rejecting or cancelling the order undoes it."


# --- money back ------------------------------------------------------------------------------------


class VoucherNotRefundable(Conflict):
    code = "voucher_not_refundable"
    zh = "这张券不能退款：{rule_zh}"
    en = "By its terms this voucher gives no money back: {rule_en}."


# --- deals, offers, switches -----------------------------------------------------------------------


class DealNotFound(NotFound):
    code = "deal_not_found"
    zh = "没有这个券商品"
    en = "There is no such deal."


class TermsNotFound(NotFound):
    code = "terms_not_found"
    zh = "没有这一版券规则"
    en = "There are no such terms."


class OfferNotFound(NotFound):
    code = "offer_not_found"
    zh = "没有这个商品"
    en = "There is no such offer."


class OutIdTaken(Conflict):
    code = "out_id_taken"
    zh = "out_id 已用于另一个券商品"
    en = "Another deal of this brand carries that out_id."


class TermsInvalid(Invalid):
    code = "terms_invalid"
    zh = "券规则有误：{param_zh}"
    en = "These terms cannot hold: {reason}"

    def __init__(self, *, param: str, reason: str, zh: str) -> None:
        super().__init__(param=param, reason=reason, param_zh=zh)


class OfferInvalid(Invalid):
    code = "offer_invalid"
    zh = "售卖设置有误：{param_zh}"
    en = "This offer cannot be: {reason}"

    def __init__(self, *, param: str, reason: str, zh: str) -> None:
        super().__init__(param=param, reason=reason, param_zh=zh)


class DealStockExhausted(Conflict):
    code = "deal_stock_exhausted"
    zh = "券商品库存不足，只剩 {free}"
    en = "The deal has only {free} left that no offer holds."


class AllotmentBelowSold(Conflict):
    code = "allotment_below_sold"
    zh = "已售 {sold} 份，投放量不能低于已售"
    en = "{sold} have been sold already; the allotment cannot be less."


class OfferStateRefuses(Conflict):
    code = "offer_state_refuses"
    zh = "商品当前状态不能这样操作"
    en = "The offer's state does not allow this; details name the state."


class SwitchScopeNotFound(NotFound):
    code = "switch_scope_not_found"
    zh = "没有这个可停售的范围"
    en = "There is nothing of yours here that could be stopped."


# --- vouchers given away ---------------------------------------------------------------------------


class GrantNotFound(NotFound):
    code = "grant_not_found"
    zh = "没有这次赠券"
    en = "There is no such grant."


class GrantInvalid(Invalid):
    code = "grant_invalid"
    zh = "赠券设置有误：{param_zh}"
    en = "This grant cannot be: {reason}"


class SegmentInvalid(Invalid):
    code = "segment_invalid"
    zh = "人群条件有误：{param_zh}"
    en = "This is not a segment: {reason}"


class CustomersNotFound(NotFound):
    code = "customers_not_found"
    zh = "有 {count} 位顾客不存在"
    en = "{count} of these customers are not this brand's; details name the first."


class GrantReachesNobody(Conflict):
    code = "grant_reaches_nobody"
    zh = "没有符合条件的顾客，没有发券"
    en = "No customer fits, so nothing was granted."


class GrantAlreadyReversed(Conflict):
    code = "grant_already_reversed"
    zh = "这次赠券已经撤回过"
    en = "This grant has been reversed already."


# --- promises that cannot be kept ------------------------------------------------------------------


class OpenVouchersNameProduct(Conflict):
    code = "open_vouchers_name_product"
    zh = "还有 {open_vouchers} 张未使用的券包含这个商品，请指定替代商品或退款"
    en = "{open_vouchers} open vouchers name this product: say what takes its place, or refund them."


class TermsRecalled(Conflict):
    code = "terms_recalled"
    zh = "这一版券规则已无法兑付，不能再售卖"
    en = "These terms can be met no more (a product was withdrawn, or a store closed), so nothing is sold under them."


class AmendmentNotInFavour(Conflict):
    code = "amendment_not_in_favour"
    zh = "已售出的券只能往有利于顾客的方向修改：{param_zh}"
    en = "Vouchers that were sold change only in the customer's favour: {reason}."

    def __init__(self, *, param: str, reason: str, zh: str) -> None:
        super().__init__(param=param, reason=reason, param_zh=zh)


class AmendmentChangesNothing(Invalid):
    code = "amendment_changes_nothing"
    zh = "这些规则本来就是这样，没有可修改的内容"
    en = "The terms say all of that already; there is nothing to amend."


def _distance(metres: int, *, english: bool) -> str:
    if metres < 1_000:
        return f"{metres} m" if english else f"{metres}米"
    return f"{metres / 1_000:.1f} km" if english else f"{metres / 1_000:.1f}公里"


# --- participation ---------------------------------------------------------------------------------


class NobodyToAsk(Invalid):
    code = "nobody_to_ask"
    zh = "范围里没有可以询问的门店"
    en = "The scope takes in no store to ask."


class AnswerTooLate(Conflict):
    code = "answer_too_late"
    zh = "答复截止时间 {answer_until} 已过"
    en = "Answers were due by {answer_until}."


class BoundByContract(Conflict):
    code = "bound_by_contract"
    zh = "合同约定参加，不能拒绝"
    en = "The store takes part by its contract."


class NotAsked(NotFound):
    code = "not_asked"
    zh = "没有询问过这家门店"
    en = "This store was not asked."


class RoundNotFound(NotFound):
    code = "participation_round_not_found"
    zh = "没有这次参与询问"
    en = "There is no such round, or it is not yours to see."
