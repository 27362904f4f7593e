"""Every way stores say no."""

from collections.abc import Sequence
from typing import Any, Protocol

from config.kernel.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated, Unavailable


class ToldProblem(Protocol):
    """One row's problem, as ``csv_lists.RowProblem`` tells it."""

    def told(self) -> dict[str, Any]: ...


class BrandNotFound(NotFound):
    code = "brand_not_found"
    zh = "没有这个品牌"
    en = "There is no such brand, or it is not yours."


class BrandRequired(Invalid):
    code = "brand_required"
    zh = "您为多个品牌工作，请指明品牌（brand）"
    en = "You work for several brands: name one with `brand`."


class StoreNotFound(NotFound):
    code = "store_not_found"
    zh = "没有这家门店"
    en = "There is no such store, or it is not yours."


class RegionNotFound(NotFound):
    code = "region_not_found"
    zh = "没有这个区域"
    en = "There is no such region, or it is not yours."


class EntityNotFound(NotFound):
    code = "entity_not_found"
    zh = "没有这个结算主体"
    en = "There is no such settlement entity, or it is not yours."


class StaffNotFound(NotFound):
    code = "staff_not_found"
    zh = "没有这位员工"
    en = "There is no such staff member, or not in your reach."


class ApiClientNotFound(NotFound):
    code = "api_client_not_found"
    zh = "没有这个 API 客户端"
    en = "There is no such API client, or it is not yours."


class ColourInvalid(Invalid):
    code = "colour_invalid"
    zh = "颜色格式不对，应为 # 加 6 位十六进制，例如 #0C6170"
    en = "A colour is # and six hex digits, such as #0C6170."


class SectionsInvalid(Invalid):
    code = "sections_invalid"
    zh = "页面栏目须从 {known} 中选择，不能重复，并且包含 listings"
    en = "Sections are some of {known}, each once, and `listings` is one of them."


class PictureRefused(Invalid):
    """``reason`` in the details: ``empty``, ``not_a_picture``, ``too_many_pixels``, ``too_small``."""

    code = "picture_refused"
    zh = "图片不能用：请上传 PNG、JPEG 或 WebP，边长 32 至 6000 像素"
    en = "This picture cannot be taken: PNG, JPEG or WebP of 32 to 6000 pixels a side, please. SVG is not taken."


class PictureNotFound(NotFound):
    code = "picture_not_found"
    zh = "没有这张图片"
    en = "The brand has no such picture."


class SlugTaken(Conflict):
    code = "slug_taken"
    zh = "品牌标识 {slug} 已被使用"
    en = "Another brand has the slug {slug}."


class TaxNumberInvalid(Invalid):
    code = "tax_number_invalid"
    zh = "统一社会信用代码应为 18 位，请核对"
    en = "A unified social credit code has 18 characters, of which the last checks the others."


class CodeTaken(Conflict):
    code = "code_taken"
    zh = "编码 {value} 已被使用"
    en = "The code {value} is taken in this brand by something with other content."


class UsernameTaken(Conflict):
    code = "username_taken"
    zh = "登录名 {username} 已被使用"
    en = "Somebody else signs in as {username}."


class RegionsWouldCircle(Conflict):
    code = "regions_would_circle"
    zh = "区域不能放到自己的下级里"
    en = "A region cannot lie below itself."


class StoreIsPromised(Conflict):
    code = "store_is_promised"
    zh = "这样调整后，已售出的券会少一家可用门店；请先修改这些券的规则"
    en = "Vouchers that were sold would lose a store; details name their terms. Amend those first."


class StoreIsClosed(Conflict):
    code = "store_is_closed"
    zh = "门店已于 {closed_at} 关闭"
    en = "The store was closed for good at {closed_at}."


class StoreHoursInvalid(Invalid):
    code = "store_hours_invalid"
    zh = "营业时间有误：{reason}"
    en = "These opening hours do not hold: {reason}."


class ZoneUnknown(Invalid):
    code = "zone_unknown"
    zh = "未知时区：{zone}"
    en = "{zone} is not a zone of the IANA database, such as Asia/Shanghai."


class PlaceIncomplete(Invalid):
    code = "place_incomplete"
    zh = "经度和纬度须同时提供"
    en = "Latitude and longitude come together or not at all."


class EarlierDaysStand(Conflict):
    code = "earlier_days_stand"
    zh = "{from_date} 已经开始营业，门店归属只能从之后的营业日起变更"
    en = "{from_date} has begun: a store changes hands from a later business day on, the books before stand."


class RoleDoesNotFit(Invalid):
    code = "role_does_not_fit"
    zh = "角色 {role} 需要且只能指定：{place}"
    en = "The role {role} reaches over {place}: name exactly that."


class PasswordTooWeak(Invalid):
    code = "password_too_weak"
    zh = "密码不够安全：{reasons}"
    en = "This password is too weak: {reasons}"


class LastOwner(Conflict):
    code = "last_owner"
    zh = "品牌至少要有一位所有者"
    en = "A brand keeps at least one owner; appoint another first."


class InvitationNotFound(NotFound):
    code = "invitation_not_found"
    zh = "没有这个邀请"
    en = "There is no such invitation, or it is not yours."


class InvitationUsed(Conflict):
    code = "invitation_used"
    zh = "这个邀请已经用过了"
    en = "This invitation has been accepted; it works once."


class InvitationWithdrawn(Conflict):
    code = "invitation_withdrawn"
    zh = "这个邀请已被收回，请向店长要一个新的"
    en = "This invitation was taken back. Ask for a new one."


class InvitationExpired(Conflict):
    code = "invitation_expired"
    zh = "这个邀请已于 {expires_at} 过期，请向店长要一个新的"
    en = "This invitation expired at {expires_at}. Ask for a new one."


class DeviceNotFound(NotFound):
    code = "device_not_found"
    zh = "没有这台设备"
    en = "There is no such device, or it is not yours."


class PinTooWeak(Invalid):
    code = "pin_too_weak"
    zh = "PIN 应为 4 至 6 位数字，且不能是容易猜到的数字（如 0000、1234）"
    en = "A PIN has 4 to 6 digits and is not one that others try first, such as 0000 or 1234."


class WrongPin(Unauthenticated):
    code = "wrong_pin"
    zh = "PIN 不正确"
    en = "Wrong PIN, or not a clerk of this store."


class PinLocked(TooMany):
    """``whose`` says what is locked: ``person`` or ``device``."""

    code = "pin_locked"
    zh = "PIN 错误次数过多，{until} 之前不能再试"
    en = "Too many wrong PINs: locked until {until}."


class PhoneInvalid(Invalid):
    code = "phone_invalid"
    zh = "手机号格式不对"
    en = "This is not a phone number: digits with an optional + and country code."


class MessagesNotSetUp(Unavailable):
    code = "messages_not_set_up"
    zh = "这里还不能发送短信，请联系品牌客服"
    en = "This site cannot send messages yet. Ask the brand's customer service."


class CodeMaybeNotSent(Unavailable):
    code = "code_maybe_not_sent"
    zh = "短信可能没有发出；如果 {retry_after_seconds} 秒内没有收到，请重新获取"
    en = "The message may not have left. If it does not come within {retry_after_seconds} s, ask for another."


class CodeSentJustNow(TooMany):
    code = "code_sent_just_now"
    zh = "验证码刚刚发过，{retry_after_seconds} 秒后可以重新获取"
    en = "A code was sent a moment ago. You can ask for another in {retry_after_seconds} s."


class TooManyCodesToday(TooMany):
    code = "too_many_codes_today"
    zh = "这个手机号 24 小时内获取验证码的次数已用完，请 {hours} 小时后再试"
    en = "This phone has had its share of codes for 24 hours. Try again in {hours} h."


class PhoneCodeWrong(Invalid):
    code = "phone_code_wrong"
    zh = "验证码不对，还可以试 {tries_left} 次"
    en = "That is not the code. {tries_left} tries left."


class PhoneCodeOver(Conflict):
    """Expired, used, replaced by a newer one, tried wrongly too often, or never sent: a new one helps each time."""

    code = "phone_code_over"
    zh = "验证码已失效，请重新获取"
    en = "This code is no longer good. Ask for a new one."


class ProductNotFound(NotFound):
    code = "product_not_found"
    zh = "没有这个商品，或本店不卖"
    en = "There is no such product, or it is not on this menu."


class OptionGroupNotFound(NotFound):
    code = "option_group_not_found"
    zh = "没有这个选项组"
    en = "There is no such option group, or it is not yours."


class OptionNotFound(NotFound):
    code = "option_not_found"
    zh = "没有这个选项，或这个商品不能选它"
    en = "There is no such option, or it is not one of this product's."


class OptionGroupInvalid(Invalid):
    code = "option_group_invalid"
    zh = "选项组设置有误：{reason}"
    en = "This option group cannot be: {reason}."


class ProductWithdrawn(Conflict):
    code = "product_withdrawn"
    zh = "商品已于 {withdrawn_at} 下架，不能再改"
    en = "This product was withdrawn for good at {withdrawn_at}; it stays as it is."


class SubstituteRefused(Invalid):
    code = "substitute_refused"
    zh = "替代商品必须是本品牌在售的其他商品"
    en = "Substitutes are other products of the brand that are for sale; name one or more."


class MaterialNotFound(NotFound):
    code = "material_not_found"
    zh = "没有这种物料"
    en = "There is no such material, or it is not yours."


class MaterialIsNotSold(Invalid):
    code = "material_is_not_sold"
    zh = "物料不对外销售，只能修改名称"
    en = "A material is not for sale: it has no price, no category and no options. Change its name only."


class RecipeInvalid(Invalid):
    code = "recipe_invalid"
    zh = "配方有误：{zh_reason}"
    en = "This recipe cannot be: {reason}."


class OptionWithdrawn(Conflict):
    code = "option_withdrawn"
    zh = "选项已于 {withdrawn_at} 下架，不能再改"
    en = "This option was withdrawn for good at {withdrawn_at}; it stays as it is."


class SubstituteNotNeeded(Conflict):
    code = "substitute_not_needed"
    zh = "{name} 现在有货，不需要替换"
    en = "{name} is there, so nothing stands in for it. Order it, or the other at its own price."


class SubstituteNotOffered(Conflict):
    code = "substitute_not_offered"
    zh = "{name} 不能作为替代，请重新选择"
    en = "{name} is not offered instead at this store now. Quote again and choose of what is offered."


class ProductSoldOut(Conflict):
    code = "product_sold_out"
    zh = "{name} 在本店已售罄"
    en = "{name} is sold out at this store."


class OptionsDoNotFit(Invalid):
    code = "options_do_not_fit"
    zh = "“{group}”要选 {choose_least} 到 {choose_most} 项"
    en = "{group} takes {choose_least} to {choose_most} answers."


class ListEmpty(Invalid):
    code = "list_empty"
    zh = "文件是空的：第一行应为列名"
    en = "The file is empty; its first line should name the columns."


class ListEncodingUnknown(Invalid):
    code = "list_encoding_unknown"
    zh = "无法识别文件编码，请另存为 UTF-8 或 GBK 编码的 CSV"
    en = "The file is neither UTF-8 nor GBK. Save it as CSV in UTF-8."


class ListFieldUnknown(Invalid):
    code = "list_field_unknown"
    zh = "没有名为 {field} 的字段；可用字段：{fields}"
    en = "This list has no field {field}; it has {fields}."


class HeadingNotThere(Invalid):
    code = "heading_not_there"
    zh = "文件里没有名为“{heading}”的列；文件的列：{headings}"
    en = "No column is called {heading}; the file has {headings}."


class HeadingAmbiguous(Invalid):
    code = "heading_ambiguous"
    zh = "有几列都像 {field}：{headings}。请指明用哪一列"
    en = "Several columns could be {field}: {headings}. Say which one."


class HeadingsIncomplete(Invalid):
    code = "headings_incomplete"
    zh = "找不到 {field} 列；文件的列：{headings}。请指明，例如 {field}=列名"
    en = "No column looks like {field} among {headings}. Say which, such as {field}=HEADING."


class ListRefused(Invalid):
    """``problems`` are the first thousand; the details hold a hundred of them for programs."""

    def __init__(self, *, problems: Sequence["ToldProblem"], count: int, rows: int) -> None:
        super().__init__(count=count, rows=rows, problems=[problem.told() for problem in problems[:100]])
        self.problems = problems


class StoreFileRefused(ListRefused):
    code = "store_file_refused"
    zh = "有 {count} 处错误，没有导入任何门店；请按行号修改后重试"
    en = "{count} problems; nothing was imported. Mend the lines named and send the file again."


class MenuFileRefused(ListRefused):
    code = "menu_file_refused"
    zh = "有 {count} 处错误，没有导入任何商品；请按行号修改后重试"
    en = "{count} problems; no product was imported. Mend the lines named and send the file again."


class StockRuleInvalid(Invalid):
    code = "stock_rule_invalid"
    zh = "库存方式与填写的数量不符"
    en = "A daily limit goes with the mode daily_limit, and a count with the mode counted."


class ProductNotCounted(Conflict):
    code = "product_not_counted"
    zh = "本店没有对 {name} 计数"
    en = "This store does not count {name}."


class StockLinesInvalid(Invalid):
    code = "stock_lines_invalid"
    zh = "请填写 1 至 {most} 个商品，每个商品一行，数量有效"
    en = "One to {most} lines, each product once, each with a quantity that can be."


class StockTooLow(Conflict):
    code = "stock_too_low"
    zh = "{name} 只有 {there}"
    en = "There are only {there} of {name}; count them first if that is wrong."


class StockActNotFound(NotFound):
    code = "stock_act_not_found"
    zh = "没有这条库存操作"
    en = "There is no such act at this store, or it is itself an undoing."


class StockActUndone(Conflict):
    code = "stock_act_undone"
    zh = "这条库存操作已被撤销"
    en = "It has been undone already."


class StockCountedSince(Conflict):
    code = "stock_counted_since"
    zh = "之后已经盘点过，请重新盘点"
    en = "Somebody has counted since, and the count is right: count again instead."


class TransferNotFound(NotFound):
    code = "transfer_not_found"
    zh = "没有这张调拨单"
    en = "There is no such transfer from or to this store."


class TransferMovedOn(Conflict):
    code = "transfer_moved_on"
    zh = "调拨单已是 {state}"
    en = "The transfer is {state} by now."


class TransferHasLess(Invalid):
    code = "transfer_has_less"
    zh = "收到的不能多于发出的"
    en = "Less than that was sent, or nothing of the kind."


class TransferToItself(Invalid):
    code = "transfer_to_itself"
    zh = "不能调拨给本店"
    en = "A store sends nothing to itself."


class WebhookNotFound(NotFound):
    code = "webhook_not_found"
    zh = "没有这个 Webhook 订阅"
    en = "There is no such webhook subscription, or it is not yours."


class WebhookDeliveryNotFound(NotFound):
    code = "webhook_delivery_not_found"
    zh = "没有这条推送记录"
    en = "There is no such webhook delivery, or it is not yours."


class WebhookUrlRefused(Invalid):
    code = "webhook_url_refused"
    zh = "该地址不能接收推送：{reason}"
    en = "Nothing will be sent to this address: {reason}."


class WebhookTopicUnknown(Invalid):
    code = "webhook_topic_unknown"
    zh = "没有这些主题：{unknown}"
    en = "There are no such topics: {unknown}. The details name those there are."


class WebhookEnded(Conflict):
    code = "webhook_ended"
    zh = "该订阅已停止，不能再推送"
    en = "This subscription has ended, so nothing is sent to it any more."


class StoreGroupNotFound(NotFound):
    code = "store_group_not_found"
    zh = "没有这个门店分组"
    en = "There is no such group of stores, or it is not yours."


class StoreGroupIsKept(Conflict):
    code = "store_group_is_kept"
    zh = "这个分组由“{kept_by}”决定，不能手动修改"
    en = "The members of this group follow from its {kept_by}; nobody changes them by hand."


class CalendarNotFound(NotFound):
    code = "calendar_not_found"
    zh = "没有这一年的节假日日历"
    en = "There is no such holiday calendar, or it is not yours."


class CalendarInvalid(Invalid):
    code = "calendar_invalid"
    zh = "节假日日历有误：{day}"
    en = "This calendar cannot hold: {day}: {reason}."


class CalendarFileRefused(Invalid):
    code = "calendar_file_refused"
    zh = "节假日文件有 {count} 处错误，没有导入；请按行号修改后重试"
    en = "{count} problems in the list of holidays; nothing was imported. Mend the lines named and send it again."

    def __init__(self, *, problems: Sequence["ToldProblem"]) -> None:
        super().__init__(count=len(problems), problems=[problem.told() for problem in problems[:100]])


# --- taking orders ---------------------------------------------------------------------------------


class SlotFull(Conflict):
    code = "slot_full"
    zh = "这个时段约满了，请换一个时间"
    en = "There is no room left in this slot, or in any until closing. Choose another time."
