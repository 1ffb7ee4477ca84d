"""What other features ask of dues: `from market.dues import service as dues`."""

from market.dues.accrual import Accrued, DayNotReached, Problem, accrue, accrue_permits, check_until, reopen, rules_of
from market.dues.apportionment import Apportionment, Owed, Part, apportion
from market.dues.bills import BillView, IssuedBill, NothingToPay, bill_view, close_bill, make_bill
from market.dues.by_permit import PermitFigures, by_permit
from market.dues.charges import ChargeLine, LineGroup, UnpaidCharge, by_keys, grouped, unpaid
from market.dues.corrections import Corrected, correct
from market.dues.documents import charge_name, charges_of, document_name
from market.dues.effect import Effect, effect
from market.dues.figures import DayFigures, ageing, day_figures
from market.dues.instalments import (
    BadPlanDates,
    PlanView,
    agree_instalments,
    decide_instalments,
    even_parts,
    held_lines,
    plans,
    review_plans,
)
from market.dues.lateness import Ageing, bucket, interest, months_late
from market.dues.models import Basis, BillPurpose, BillStatus, ChargeKey, ChargeType
from market.dues.preview import Preview, preview
from market.dues.proposals import decide_end, decide_relief, decide_tariff, proposed
from market.dues.seasonal import fees_at_check_in
from market.dues.settlements import SettledElsewhere, settle, unsettle
from market.dues.tariffs import add_relief, add_tariff, end_tariff

__all__ = [
    "Accrued", "Ageing", "Apportionment", "BadPlanDates", "Basis", "BillPurpose", "BillStatus", "BillView", "ChargeKey", "ChargeLine",
    "ChargeType", "Corrected", "DayFigures", "DayNotReached", "Effect", "IssuedBill", "LineGroup", "NothingToPay",
    "Owed", "Part", "PermitFigures", "PlanView", "Preview", "Problem", "SettledElsewhere", "UnpaidCharge", "accrue",
    "accrue_permits", "add_relief", "add_tariff", "ageing", "agree_instalments", "apportion", "bill_view", "bucket",
    "by_keys", "by_permit", "charge_name", "charges_of", "check_until", "close_bill", "correct", "day_figures",
    "decide_end", "decide_instalments", "decide_relief", "decide_tariff", "document_name", "effect", "end_tariff",
    "even_parts", "fees_at_check_in", "grouped", "held_lines", "interest", "make_bill", "months_late", "plans", "preview", "proposed",
    "reopen", "review_plans", "rules_of", "settle", "unpaid", "unsettle",
]  # fmt: skip
