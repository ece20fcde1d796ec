import pytest

from archsearch.diagnosis.wording import loss, percent


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.234, "23 %"),
        (-0.234, "23 %"),
        (0.0996, "10 %"),
        (0.0312, "3.1 %"),
        (0.0, "less than 0.1 %"),
        (1.5, "150 %"),
        (12.3, "12 times"),
    ],
)
def test_shares_read_as_percent_or_times(share, words):
    assert percent(share) == words


def test_losses_have_three_digits():
    assert loss(0.123456) == "0.123"
