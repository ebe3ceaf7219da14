import os
import signal

import pytest

from fruits_bigdata.emr.account import CloudError, clone, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_that_starts_something_is_finished_first(number):
    before = signal.getsignal(number)
    answered: list[int] = []

    @uninterrupted()
    def request() -> None:
        os.kill(os.getpid(), number)
        answered.append(number)

    with pytest.raises(KeyboardInterrupt):
        request()
    assert answered == [number]
    assert signal.getsignal(number) == before


def test_a_folder_that_is_no_clone_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(CloudError, match="run this in the clone"):
        clone()
