import threading

import pytest

from fruits_bigdata.vision.budget import MemoryBudget


def test_who_asks_for_more_than_is_left_waits_until_it_is_given_back() -> None:
    budget = MemoryBudget(100)
    held = threading.Event()

    def take() -> None:
        with budget.hold(60):
            held.set()

    with budget.hold(30), budget.hold(20):
        waiting = threading.Thread(target=take, daemon=True)
        waiting.start()
        assert not held.wait(0.2)
    waiting.join()
    assert held.is_set()


def test_more_than_there_ever_is_is_refused_instead_of_waiting_forever() -> None:
    with pytest.raises(ValueError, match="101 bytes of a budget of 100"), MemoryBudget(100).hold(101):
        pass
