"""Every way stores say no."""

from config.kernel.errors import Conflict, Invalid, NotFound


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


class SlugTaken(Conflict):
    code = "slug_taken"
    zh = "品牌标识 {slug} 已被使用"
    en = "Another brand has the slug {slug}."


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


class PhoneInvalid(Invalid):
    code = "phone_invalid"
    zh = "手机号格式不对"
    en = "This is not a phone number: digits with an optional + and country code."
