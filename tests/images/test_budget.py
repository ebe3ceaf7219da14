import threading

import pytest

from fruits_bigdata.images.budget import MemoryBudget


def test_who_asks_for_more_than_is_left_waits_until_it_is_given_back():
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


def test_threads_together_never_hold_more_than_there_is():
    budget = MemoryBudget(100)
    most = 0

    def take() -> None:
        nonlocal most
        for n_bytes in range(1, 100):
            with budget.hold(n_bytes):
                most = max(most, budget._held)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most <= 100
    assert budget._held == 0


def test_what_fails_gives_back_what_it_held():
    budget = MemoryBudget(100)
    with pytest.raises(KeyError), budget.hold(100):
        raise KeyError
    with budget.hold(100):
        pass


def test_more_than_there_ever_is_is_refused_instead_of_waiting_forever():
    with pytest.raises(ValueError, match="101 bytes of a budget of 100"), MemoryBudget(100).hold(101):
        pass
