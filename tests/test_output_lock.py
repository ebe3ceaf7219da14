import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fruits_bigdata import output_lock
from fruits_bigdata.output_lock import Holder, OutputLock, OutputLockedError, process_start
from fruits_bigdata.storage import StorageError, open_location

TAKE = (
    "import sys\n"
    "from fruits_bigdata.output_lock import OutputLock\n"
    "lock = OutputLock(sys.argv[1])\n"
    "lock.acquire('their run')\n"
    "print('taken', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture(params=["disk", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return f"{tmp_path}/an output/_lock.json"
    return request.getfixturevalue("bucket") + "/an output/_lock.json"  # type: ignore[no-any-return]


def content(url: str) -> dict[str, object]:
    fs, path = open_location(url)
    found: dict[str, object] = json.loads(fs.cat_file(path))
    return found


def write(url: str, text: str) -> None:
    fs, path = open_location(url)
    fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    fs.pipe_file(path, text.encode())


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def held_by(pid: int, start: str, **changes: str) -> str:
    mine = Holder.this_process("their run")
    fields = {"host": mine.host, "machine": mine.machine, "started": mine.started, "run_id": "their run"}
    return json.dumps({**fields, "processes": {str(pid): start}, "token": "t", **changes})


def test_a_lock_is_there_while_it_is_held(url: str) -> None:
    lock = OutputLock(url)
    lock.acquire("my run")
    said = content(url)
    assert (said["host"], said["run_id"]) == (socket.gethostname(), "my run")
    assert said["processes"] == {str(os.getpid()): process_start(os.getpid())}
    lock.add_process(os.getppid())
    assert set(content(url)["processes"]) == {str(os.getpid()), str(os.getppid())}  # type: ignore[call-overload]
    lock.release()
    fs, path = open_location(url)
    assert fs.find(path.rsplit("/", 1)[0]) == []
    # Twice does no harm.
    lock.release()


def test_of_many_only_one_gets_it(url: str) -> None:
    locks = [OutputLock(url) for _ in range(8)]
    together = threading.Barrier(len(locks))

    def take(lock: OutputLock) -> bool:
        together.wait()
        try:
            lock.acquire("run")
        except OutputLockedError:
            return False
        finally:
            # Nobody's thread ends before all have tried, or the lock would be that of an ended one.
            together.wait()
        return True

    with ThreadPoolExecutor(len(locks)) as pool:
        assert sum(pool.map(take, locks)) == 1


def test_a_second_run_is_told_who_holds_it(tmp_path: Path) -> None:
    url = f"{tmp_path}/_lock.json"
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        mine = OutputLock(url)
        with pytest.raises(OutputLockedError) as error:
            mine.acquire("my run")
        for part in ("their run", socket.gethostname(), str(other.pid), str(content(url)["started"])):
            assert part in str(error.value)
        assert "break_lock=true" in str(error.value)
        # What was refused gives nothing back.
        mine.release()
        assert content(url)["run_id"] == "their run"
        other.send_signal(signal.SIGKILL)
        other.wait()
        mine.acquire("my run")
        assert content(url)["run_id"] == "my run"
        mine.release()


def test_a_lock_of_dead_processes_is_taken_over_and_said(
    url: str, dead_pid: int, caplog: pytest.LogCaptureFixture
) -> None:
    write(url, held_by(dead_pid, "1"))
    OutputLock(url).acquire("my run")
    assert content(url)["run_id"] == "my run"
    assert f"their run on {socket.gethostname()}, process {dead_pid}" in caplog.text


def test_an_id_that_was_given_to_another_process_is_a_dead_one(url: str) -> None:
    write(url, held_by(os.getppid(), "before"))
    OutputLock(url).acquire("my run")


def test_a_lock_whose_java_is_alive_is_not_taken(url: str, dead_pid: int) -> None:
    start = process_start(os.getppid())
    write(url, held_by(dead_pid, "1", processes={str(dead_pid): "1", str(os.getppid()): start}))  # type: ignore[arg-type]
    with pytest.raises(OutputLockedError, match=str(os.getppid())):
        OutputLock(url).acquire("my run")


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"machine": "another boot"}])
def test_what_is_dead_on_another_machine_cannot_be_known(
    url: str, dead_pid: int, other: dict[str, str]
) -> None:
    write(url, held_by(dead_pid, "1", **other))
    with pytest.raises(OutputLockedError):
        OutputLock(url).acquire("my run")


@pytest.mark.parametrize("text", ["", "{}", "no JSON"])
def test_a_lock_that_cannot_be_read_is_a_lock(url: str, text: str) -> None:
    write(url, text)
    with pytest.raises(OutputLockedError, match="one that cannot be told"):
        OutputLock(url).acquire("my run")


def test_a_lock_can_be_broken_and_the_other_run_notices(url: str, caplog: pytest.LogCaptureFixture) -> None:
    theirs, mine = OutputLock(url), OutputLock(url)
    theirs.acquire("their run")
    mine.acquire("my run", break_it=True)
    assert "their run" in caplog.text
    with pytest.raises(OutputLockedError, match="was taken from this run"):
        theirs.add_process(os.getppid())
    theirs.release()
    assert content(url)["run_id"] == "my run"
    assert "was taken from this run while it wrote" in caplog.text


def test_a_run_that_was_interrupted_in_a_notebook_does_not_bar_the_next(url: str) -> None:
    OutputLock(url).acquire("interrupted")
    OutputLock(url).acquire("again")
    assert content(url)["run_id"] == "again"


def test_another_thread_of_this_process_is_another_run(url: str) -> None:
    go_on = threading.Event()
    taken = threading.Event()

    def run() -> None:
        OutputLock(url).acquire("in a thread")
        taken.set()
        go_on.wait()

    thread = threading.Thread(target=run)
    thread.start()
    taken.wait()
    try:
        with pytest.raises(OutputLockedError):
            OutputLock(url).acquire("in another")
    finally:
        go_on.set()
        thread.join()
    OutputLock(url).acquire("in another")


def test_an_output_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StorageError, match=r"cannot be written.* /proc/nowhere.*output_path=\.\.\."):
        OutputLock("/proc/nowhere/_lock.json").acquire("run")


def test_a_zombie_is_gone() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(process.pid) is None
    process.wait()


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_every_process_has_a_start(system: str, monkeypatch: pytest.MonkeyPatch, dead_pid: int) -> None:
    monkeypatch.setattr(output_lock.sys, "platform", system)
    assert process_start(os.getpid()) == process_start(os.getpid()) != process_start(1)
    assert process_start(dead_pid) is None


def answers(monkeypatch: pytest.MonkeyPatch, lock: OutputLock, method: str, *first: object) -> None:
    """Let something happen just before the first calls of a method of the lock's place."""
    original = getattr(lock._file, method)
    pending = list(first)

    def call(*args: object) -> object:
        if pending:
            before = pending.pop(0)
            assert callable(before)
            before()
        return original(*args)

    monkeypatch.setattr(lock._file, method, call)


def test_a_lock_that_is_given_back_meanwhile_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, mine = OutputLock(url), OutputLock(url)
    theirs.acquire("their run")
    answers(monkeypatch, mine, "read", theirs.release)
    mine.acquire("my run")
    assert content(url)["run_id"] == "my run"


def test_of_two_that_take_over_one_is_refused(
    url: str, dead_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(url, held_by(dead_pid, "1"))
    mine = OutputLock(url)
    # Another machine's run is quicker, once this one has seen that the holder is dead.
    answers(monkeypatch, mine, "replace", lambda: write(url, held_by(dead_pid, "1", host="elsewhere")))
    with pytest.raises(OutputLockedError, match="elsewhere"):
        mine.acquire("my run")


def test_many_that_want_a_lock_at_once_give_up_in_the_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = OutputLock(url)
    write(url, "another's")
    monkeypatch.setattr(lock._file, "read", lambda: None)
    with pytest.raises(OutputLockedError, match="at once"):
        lock.acquire("my run")


def test_a_request_that_is_sent_twice_is_still_ones_own(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a client does whose connection breaks before the answer comes.
    lock = OutputLock(f"{bucket}/_lock.json")
    put = lock._file._bucket.put  # type: ignore[attr-defined]

    class Twice:
        def __getattr__(self, name: str) -> object:
            return getattr(bucket_of_lock, name)

        def put(self, *args: object, **options: object) -> object:
            put(*args, **options)
            return put(*args, **options)

    bucket_of_lock = lock._file._bucket  # type: ignore[attr-defined]
    monkeypatch.setattr(lock._file, "_bucket", Twice())
    lock.acquire("my run")
    lock.add_process(os.getppid())
    assert len(content(f"{bucket}/_lock.json")["processes"]) == 2  # type: ignore[arg-type]
    lock.release()
