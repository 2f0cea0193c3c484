"""What identifies a person's device or network does not leave a report."""

import pytest

from contract.masking import Mask


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("its mac is c8:47:8c:12:34:56", "its mac is c8:47:8c:xx:xx:xx"),
        ("C8-47-8C-12-34-56", "C8-47-8C:xx:xx:xx"),
        (
            "obk8C123456 and OpenBK7231N_8C123456",
            "obkxxxxxxxx and OpenBK7231N_xxxxxxxx",
        ),
        ("at 192.168.1.20 there is 1.18.299", "at <address> there is 1.18.299"),
        ("at my.broker.lan as jan", "at <broker> as jan"),
        ("secret secrets", "<password> <password>s"),
    ],
)
def test_mask(text: str, shown: str) -> None:
    mask = Mask()
    mask.hide("my.broker.lan", "broker")
    mask.hide("secret", "password")
    mask.hide("jan", "user")
    mask.hide("", "password")
    assert mask(text) == shown
