import math

import pytest
from pydantic import TypeAdapter

from fedspoke.api.units import Quantity
from fedspoke.placement.quantity import approximate


@pytest.mark.parametrize(
    ("quantity", "bits"),
    [
        ("500m", "0x1.0p-1"),
        (4, "0x1.0p+2"),
        ("16393244Ki", "0x1.f44838p+33"),
        ("16Gi", "0x1.0p+34"),
        ("1.5Gi", "0x1.8p+30"),
        ("-2Gi", "-0x1.0p+31"),
        ("12E", "0x1.4d1120d7b16p+63"),
        pytest.param("700m", "0x1.6666666666667p-1", id="700m: one bit more than 0.7"),
        pytest.param("0.3", "0x1.3333333333334p-2", id="0.3: one bit more than 0.3"),
        pytest.param("123Ti", "0x1.ec00000000001p+46", id="123Ti: too many digits for Go's integer"),
        pytest.param("1234567890123456789", "0x1.12210f47de982p+60", id="19 digits"),
        pytest.param("0.0000000001", "0x1.12e0be826d695p-30", id="less than a nano is a nano"),
        pytest.param("9Ei", "0x1.0p+63", id="no more than an int64 holds"),
    ],
)
def test_a_quantity_is_the_float_that_go_makes_of_it(quantity: str | int, bits: str) -> None:
    """The bits are those of apimachinery's Quantity.AsApproximateFloat64."""
    assert approximate(quantity) == float.fromhex(bits)


@pytest.mark.parametrize(
    "quantity", ["9.99999999999999999999e89", "-9.99999999999999999999e89", "1e-1000", f"{'9' * 90}.{'1' * 50}"]
)
def test_the_largest_and_the_smallest_quantities_are_floats(quantity: str) -> None:
    assert TypeAdapter(Quantity).validate_python(quantity) == quantity
    assert math.isfinite(approximate(quantity))
