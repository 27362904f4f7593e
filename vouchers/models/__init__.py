from vouchers.models.amendments import Amendment, TermsRevision
from vouchers.models.deals import Deal, DealTerms
from vouchers.models.grants import Grant, GrantBatch
from vouchers.models.holds import Hold
from vouchers.models.issuers import (
    IssuerAccount,
    IssuerCall,
    IssuerDeal,
    IssuerRedemption,
    IssuerStore,
    IssuerVoucher,
)
from vouchers.models.offers import CustomerAllowance, DealStock, Offer, SellingSwitch
from vouchers.models.participation import ParticipationRound, StoreParticipation
from vouchers.models.recalls import Recall
from vouchers.models.redemptions import Redemption, RedemptionRequest
from vouchers.models.vouchers import CodeCounter, UseEnding, Voucher

__all__ = [
    "Amendment",
    "CodeCounter",
    "CustomerAllowance",
    "Deal",
    "DealStock",
    "DealTerms",
    "Grant",
    "GrantBatch",
    "Hold",
    "IssuerAccount",
    "IssuerCall",
    "IssuerDeal",
    "IssuerRedemption",
    "IssuerStore",
    "IssuerVoucher",
    "Offer",
    "ParticipationRound",
    "Recall",
    "Redemption",
    "RedemptionRequest",
    "SellingSwitch",
    "StoreParticipation",
    "TermsRevision",
    "UseEnding",
    "Voucher",
]
