"""The embedded engines; .ci/engines-check shows the rest on fresh clones, as root and as an ordinary user."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url

from config.kernel import engine_place, engine_servers, engines
from config.kernel.engine_place import EngineError, Place
from config.kernel.engine_servers import PostgreSQL, Redis, locked_if_free


@pytest.fixture
def checkout() -> Iterator[Path]:
    """An empty folder that every account reaches; pytest's own is closed to all but its user."""
    folder = Path(tempfile.mkdtemp(prefix="hexiao-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def as_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_sockets_lie_beside_the_data_while_the_path_is_short(checkout: Path) -> None:
    assert Place(checkout).sockets == Place(checkout).folder == checkout / ".local" / "engines"


@pytest.mark.parametrize("name", ["long" * 30, "核销" * 20, "a,b"], ids=["long", "Chinese", "comma"])
def test_sockets_move_to_a_short_folder_of_the_checkouts_own(checkout: Path, name: str) -> None:
    one, two = Place(checkout / name), Place(checkout / f"{name}2")
    one.checkout.mkdir()
    two.checkout.mkdir()

    assert one.folder == one.checkout / ".local" / "engines"
    assert len(os.fsencode(one.sockets / ".s.PGSQL.5432")) < 100
    assert "," not in str(one.sockets)  # libpq takes a comma for a list of hosts
    assert one.sockets == Place(one.checkout).sockets != two.sockets


def test_addresses_survive_their_parsers(checkout: Path) -> None:
    place = Place(checkout / "a 核销 100%+B")
    place.checkout.mkdir()

    assert conninfo_to_dict(PostgreSQL(place).url)["host"] == str(place.sockets)
    assert parse_url(Redis(place).url)["path"] == str(place.sockets / "redis.sock")


@pytest.mark.usefixtures("as_root")
def test_for_root_data_lies_outside_a_closed_folder(checkout: Path) -> None:
    closed = checkout / "closed"
    (closed / "work").mkdir(parents=True)
    assert Place(closed / "work").folder == closed / "work" / ".local" / "engines"

    closed.chmod(0o700)

    assert Place(closed / "work").folder.parent == engine_place.ACCOUNT_FOLDER


@pytest.mark.usefixtures("as_ordinary_user")
def test_an_ordinary_user_keeps_the_data_in_a_closed_checkout(checkout: Path) -> None:
    checkout.chmod(0o700)

    assert Place(checkout).folder == checkout / ".local" / "engines"


def test_a_socket_folder_that_others_can_open_is_refused(checkout: Path) -> None:
    place = Place(checkout)
    place.prepare()
    place.folder.chmod(0o777)

    with pytest.raises(EngineError, match="open to others"):
        place.prepare()


def test_shared_buffers_are_a_tenth_of_memory_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_memory(gigabytes: float) -> int:
        pages = int(gigabytes * 2**30 / 4096)
        monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}.__getitem__)
        return engine_servers.shared_buffers_mb()

    assert with_memory(0.5) == 128
    assert with_memory(64) <= 2048


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert locked_if_free(path) is None

        holder.kill()
        holder.wait()

    lock = locked_if_free(path)
    assert lock is not None
    os.close(lock)


def test_a_pid_file_that_names_somebody_elses_process_is_stale(checkout: Path) -> None:
    server = PostgreSQL(Place(checkout))
    (server.place.folder / "pg18").mkdir(parents=True)
    (server.place.folder / server.pid_file).write_text(f"{os.getpid()}\n")

    assert server.pid() is None


def test_servers_come_up_outlive_a_kill_and_stop(checkout: Path) -> None:
    place = Place(checkout)
    place.prepare()
    postgresql, redis = PostgreSQL(place), Redis(place)
    try:
        postgresql.start()
        redis.start()
        with psycopg.connect(postgresql.url) as database:
            database.execute("CREATE TABLE note AS SELECT 1 AS word")
        for server in (postgresql, redis):
            pid = server.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

        postgresql.start()
        redis.start()

        with psycopg.connect(postgresql.url) as database:
            assert database.execute("SELECT word FROM note").fetchall() == [(1,)]
    finally:
        redis.stop()
        postgresql.stop()
    assert not postgresql.is_running()
    assert not redis.is_running()


def test_a_run_with_both_variables_set_starts_nothing() -> None:
    named = {**os.environ, "DATABASE_URL": "postgresql://elsewhere/", "REDIS_URL": "redis://elsewhere/"}
    command = [sys.executable, engines.__file__, "run", "--", sys.executable, "-c", "print('ran')"]

    done = subprocess.run(command, env={**named, "PYTHONPATH": os.curdir}, capture_output=True, text=True, check=True)

    assert done.stdout == "ran\n"


def test_ctrl_c_at_a_terminal_reaches_the_command_once() -> None:
    command = (
        "import signal, sys, time; heard = []; signal.signal(signal.SIGINT, lambda *_: heard.append(1)); print('up')\n"
        "while not heard: time.sleep(0.01)\n"
        "time.sleep(0.3); print('heard', len(heard)); sys.exit(7)"
    )
    runner = (
        "import sys; from config.kernel.foreground import Foreground; "
        f"sys.exit(Foreground().run([sys.executable, '-uc', {command!r}], keep_open=1))"
    )
    terminal = [sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"]

    with subprocess.Popen(
        [*terminal, sys.executable, "-c", runner], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as session:
        assert session.stdin
        assert session.stdout
        assert session.stdout.readline() == b"up\r\n"
        session.stdin.write(b"\x03")
        session.stdin.flush()
        heard = session.stdout.readline()

    assert heard.strip(b"^C\r\n") == b"heard 1"
    assert session.returncode == 7
