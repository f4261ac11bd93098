"""A few damaged files of every kind, from among the thousands of `make soak`, and a few kills."""

import pytest
from soak.kills import kill
from soak.soak import soak

pytestmark = pytest.mark.long


def test_a_few_damaged_files_of_every_kind_end_in_one_line():
    said = []
    outcomes = soak(num=60, seed=1, only=[], say=said.append)
    wrong = [kind for kind, count in outcomes.items() if count["wrong"]]
    assert not wrong, "\n".join(said)
    assert len(outcomes) > 20
    assert sum(count["refused"] for count in outcomes.values()) > 20
    assert sum(count["read"] for count in outcomes.values()) > 10


def test_a_few_kills_at_random_moments_leave_the_same_bytes():
    found = kill("stack", num_kills=2, seed=1, num_epochs=2)
    assert found.kills >= 2
    assert found.compared >= 24 * 5
    assert found.wrong == []
    assert found.slowest < 10
