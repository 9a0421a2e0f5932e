"""A resource quantity as the float that OCM computes with.

Kubernetes' `AsApproximateFloat64` rounds twice, the digits and their power of ten, and OCM cuts scores to whole numbers: a
value that is closer to the truth than Go's by the last bit would now and then be another score.
"""

import re
from decimal import ROUND_UP, Decimal, localcontext
from functools import lru_cache

from fedspoke.api.units import parse_quantity

_FAST_DECIMAL = 18
_FAST_BINARY = {"Ki": 11, "Mi": 8, "Gi": 5, "Ti": 2}
"""Up to how many digits Go keeps a number as an integer; with these suffixes a whole one only."""
_MOST_BINARY = Decimal(2**63 - 1)
_NANO = -9


@lru_cache(maxsize=2**16)  # a fleet has few amounts, and is asked for the same ones with each decision
def approximate(quantity: str | int) -> float:
    """`500m` → 0.5, `16Gi` → 17179869184.0; the text is a quantity."""
    with localcontext(prec=100):  # exact: a quantity has far fewer digits
        value = parse_quantity(quantity)
        if not _kept_as_integer(str(quantity), value):
            value = value.quantize(Decimal(1).scaleb(_NANO), rounding=ROUND_UP)
            if str(quantity).endswith("i"):
                value = max(-_MOST_BINARY, min(value, _MOST_BINARY))
        exponent = int(value.as_tuple().exponent)
        return float(int(value.scaleb(-exponent))) * float(f"1e{exponent}")


def _kept_as_integer(text: str, value: Decimal) -> bool:
    number, *_ = re.split("[a-zA-Z]", text.lstrip("+-"), maxsplit=1)
    whole, _, fraction = number.lstrip("0").partition(".")
    digits = len(whole or "0") + len(fraction)
    if text.endswith("i"):
        return not fraction and digits <= _FAST_BINARY.get(text[-2:], 0)
    return digits <= _FAST_DECIMAL and int(value.as_tuple().exponent) >= _NANO
