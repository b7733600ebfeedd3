"""The purposes that people may name: those of the W3C Data Privacy Vocabulary, and which of them are not commerce.

Strict at the edges, where somebody writes a term down: a job file, a consent, a standing rule, a submission. Whoever
replays the log takes any well-formed term, for the log may be older or newer than this list; there a term that is not
in `NON_COMMERCIAL` needs a special vote, known or not. Source: DPV 2.2, module purposes (https://w3id.org/dpv#Purpose).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from vicinia.errors import InvalidInput

__all__ = ["NON_COMMERCIAL", "PURPOSES", "PURPOSE_PATTERN", "require_purpose"]

PREFIX = "dpv:"
PURPOSE_PATTERN = r"dpv:[A-Za-z][A-Za-z0-9-]*"

# broader term: narrower terms; a term may stand under several.
_NARROWER = """
: AccountManagement CommercialPurpose CommunicationManagement CustomerManagement EnforceSecurity
: EstablishContractualAgreement FulfilmentOfObligation HumanResourceManagement Marketing NonCommercialPurpose
: OrganisationGovernance Personalisation PublicBenefit RecordManagement ResearchAndDevelopment RightsFulfilment
: ServiceProvision VendorManagement
Advertising: PersonalisedAdvertising PoliticalCampaign RecruitmentAdvertising
CommercialPurpose: CommercialResearch
CommunicationManagement: CommunicationForCustomerCare
CustomerCare: CommunicationForCustomerCare
CustomerManagement: CustomerCare CustomerClaimsManagement CustomerOrderManagement CustomerRelationshipManagement
CustomerManagement: CustomerSolvencyMonitoring
CustomerRelationshipManagement: ImproveInternalCRMProcesses
EnforceSecurity: EnforceAccessControl IdentityAuthentication MisusePreventionAndDetection Verification
FraudPreventionAndDetection: CounterMoneyLaundering MaintainFraudDatabase
FulfilmentOfObligation: FulfilmentOfContractualObligation LegalCompliance ProtectionOfIPR
HumanResourceManagement: PersonnelManagement
Marketing: Advertising DirectMarketing PublicRelations SocialMediaMarketing
MisusePreventionAndDetection: FraudPreventionAndDetection
NonCommercialPurpose: NonCommercialResearch
OptimisationForConsumer: OptimiseUserInterface
OptimisationForController: ImproveExistingProductsAndServices ImproveInternalCRMProcesses IncreaseServiceRobustness
OptimisationForController: InternalResourceOptimisation
OrganisationGovernance: DisputeManagement MemberPartnerManagement OrganisationComplianceManagement
OrganisationGovernance: OrganisationRiskManagement
Personalisation: PersonalisedAdvertising PoliticalCampaign ServicePersonalisation
PersonalisedAdvertising: TargetedAdvertising
PersonnelHiring: PersonnelOnboarding RecruitmentAdvertising RecruitmentManagement
PersonnelManagement: PersonnelHiring PersonnelMonitoring PersonnelOffboarding PersonnelPayment
PersonnelManagement: PersonnelPerformanceManagement PersonnelPromotionManagement PersonnelTerminationManagement
PersonnelManagement: PersonnelWorkloadManagement
PersonnelMonitoring: PersonnelBehaviourMonitoring PersonnelPerformanceManagement PersonnelPerformanceMonitoring
PersonnelPerformanceManagement: PersonnelPerformanceEvaluation PersonnelPerformanceMonitoring
PersonnelPerformanceManagement: PersonnelPerformancePrediction
ProvidePersonalisedRecommendations: ProvideEventRecommendations ProvideProductRecommendations
PublicBenefit: CombatClimateChange Counterterrorism DataAltruism ImproveHealthcare ImprovePublicServices
PublicBenefit: ImproveTransportMobility ProtectionOfNationalSecurity ProtectionOfPublicSecurity
PublicBenefit: ProvideOfficialStatistics PublicPolicyMaking
RecruitmentAdvertising: RecruitmentTargetedAdvertising
RecruitmentApplicationManagement: RecruitmentApplicationAnalysis RecruitmentApplicationScreening
RecruitmentInterviewManagement: RecruitmentInterviewAnalysis RecruitmentInterviewAssessment
RecruitmentInterviewManagement: RecruitmentInterviewScheduling
RecruitmentManagement: RecruitmentApplicantBackgroundCheck RecruitmentApplicantCriminalBackgroundCheck
RecruitmentManagement: RecruitmentApplicantInformationAuthentication RecruitmentApplicantSelection
RecruitmentManagement: RecruitmentApplicationManagement RecruitmentInterviewManagement
RequestedServiceProvision: DeliveryOfGoods
ResearchAndDevelopment: AcademicResearch CommercialResearch NonCommercialResearch ScientificResearch
SellProducts: SellDataToThirdParties SellInsightsFromData SellProductsToDataSubject
ServiceOptimisation: OptimisationForConsumer OptimisationForController
ServicePersonalisation: PersonalisedBenefits ProvidePersonalisedRecommendations UserInterfacePersonalisation
ServiceProvision: PaymentManagement RepairImpairments RequestedServiceProvision SearchFunctionalities SellProducts
ServiceProvision: ServiceOptimisation ServicePersonalisation ServiceRegistration ServiceUsageAnalytics
ServiceProvision: TechnicalServiceProvision
TargetedAdvertising: RecruitmentTargetedAdvertising
VendorManagement: VendorPayment VendorRecordsManagement VendorSelectionAssessment
Verification: AgeVerification IdentityVerification
"""


def _read(text: str) -> Mapping[str, frozenset[str]]:
    """Every narrower term with its broader ones; a top term has none."""
    found: dict[str, frozenset[str]] = {}
    for line in text.strip().splitlines():
        broader, _, narrower = line.partition(":")
        for term in narrower.split():
            own = frozenset({PREFIX + broader}) if broader else frozenset()
            found[PREFIX + term] = found.get(PREFIX + term, frozenset()) | own
    return MappingProxyType(dict(sorted(found.items())))


PURPOSES: Mapping[str, frozenset[str]] = _read(_NARROWER)
"""Every term, in alphabetical order, with the terms under which DPV puts it."""

NON_COMMERCIAL = frozenset(
    PREFIX + term
    for term in (
        "AcademicResearch",
        "CombatClimateChange",
        "ImproveHealthcare",
        "ImproveTransportMobility",
        "NonCommercialResearch",
        "ProvideOfficialStatistics",
        "PublicBenefit",
        "PublicPolicyMaking",
    )
)
"""Purposes that are certainly no commerce; closed (`vicinia.assembly.job.proposal_class`)."""


def require_purpose(term: str, where: str) -> str:
    """The term where it is a purpose of DPV; InvalidInput with the nearest ones otherwise."""
    if term in PURPOSES:
        return term
    near = _near(term)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Such as {', '.join(sorted(NON_COMMERCIAL)[:5])}."
    raise InvalidInput(f"{term[:80]!r} is not a purpose of the DPV (Data Privacy Vocabulary).", where=where, hint=hint)


def _near(term: str) -> list[str]:
    """Known terms of nearly the same letters; where there is none, those that hold the word; at most four."""
    known = {one.removeprefix(PREFIX).lower(): one for one in PURPOSES}
    word = term[:80].removeprefix(PREFIX).lower()
    holding = [name for name in known if len(word) >= 4 and (word in name or name in word)]
    near = get_close_matches(word, known, 1, 0.8) or holding[:4] or get_close_matches(word, known, 1, 0.6)
    return [known[name] for name in near]
